package parquet_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log"
	"net/netip"

	"weir/flowlog"
	"weir/flowlog/parquet"
)

// Write a file, and read two of its columns back.
func Example() {
	format, err := flowlog.ParseFormat("${srcaddr} ${dstaddr} ${dstport} ${bytes} ${action} ${log-status}")
	if err != nil {
		log.Fatal(err)
	}
	var file bytes.Buffer
	w, err := parquet.NewWriter(&file, format, parquet.Options{Codec: parquet.Zstd})
	if err != nil {
		log.Fatal(err)
	}
	batch := flowlog.NewBatch(format) // of up to flowlog.BatchRows records
	batch.Append(&flowlog.Record{
		SrcAddr: netip.MustParseAddr("10.0.1.5"), DstAddr: netip.MustParseAddr("203.0.113.9"),
		DstPort: 443, Bytes: 5320, Action: flowlog.Accept, LogStatus: flowlog.OK,
	})
	if err := w.WriteBatch(batch); err != nil {
		log.Fatal(err)
	}
	if err := w.Close(); err != nil {
		log.Fatal(err)
	}

	want := make([]bool, len(flowlog.Fields()))
	for _, name := range []string{"dstaddr", "bytes"} {
		f, _ := flowlog.FieldByName(name)
		want[f.Place()] = true
	}
	r, err := parquet.NewReader(bytes.NewReader(file.Bytes()), int64(file.Len()), parquet.ReadOptions{Want: want})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(r.Rows(), "row of", r.Format())
	for {
		batch, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			log.Fatal(err)
		}
		for row := range batch.Rows {
			fmt.Printf("%s\n", batch.AppendText(nil, r.Format(), row))
		}
	}
	// Output:
	// 1 row of ${srcaddr} ${dstaddr} ${dstport} ${bytes} ${action} ${log-status}
	// - 203.0.113.9 - 5320 - -
}
