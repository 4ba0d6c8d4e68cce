package flowlog_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log"
	"net/netip"
	"os"
	"strings"

	"weir/flowlog"
)

// Read the records of a file, packed or not, in whatever format its header says.
func ExampleReader() {
	file, err := os.Open("testdata/samples/made-default.log.gz")
	if err != nil {
		log.Fatal(err)
	}
	defer file.Close()

	r := flowlog.NewReader(file, flowlog.Format{})
	var rec flowlog.Record
	for {
		err := r.Read(&rec)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			log.Println(err) // the object is damaged; what came before was good
			return
		}
		if rec.LogStatus == flowlog.OK {
			fmt.Println(rec.SrcAddr, "to", rec.DstAddr, "port", rec.DstPort, rec.Action)
		}
	}
	fmt.Println(r.Report().Records, "records in", r.Format)
	// Output:
	// 10.1.2.3 to 10.9.8.7 port 5432 ACCEPT
	// 10.1.2.3 to 10.9.8.7 port 22 REJECT
	// 3 records in ${version} ${account-id} ${interface-id} ${srcaddr} ${dstaddr} ${srcport} ${dstport} ${protocol} ${packets} ${bytes} ${start} ${end} ${action} ${log-status}
}

// Lines that are no records do not end the reading: the report lists them, and
// the records that AWS would not write.
func ExampleReport() {
	const text = `version srcaddr dstaddr start end log-status
2 10.0.0.1 10.0.0.2 1780308000 1780308052 OK
bogus line
2 10.0.0.1 10.0.0.300 1780308000 1780308052 OK
2 10.0.0.1 10.0.0.2 1780308000000 1780308052000 OK
`
	r := flowlog.NewReader(strings.NewReader(text), flowlog.Format{})
	for rec := new(flowlog.Record); r.Read(rec) == nil; {
	}
	report := r.Report()
	fmt.Printf("%d lines: %d header, %d records, %d malformed\n", report.Lines, report.Headers, report.Records, report.Malformed)
	for _, p := range report.Problems {
		fmt.Println(p)
	}
	// Output:
	// 5 lines: 1 header, 2 records, 2 malformed
	// line 3: 2 fields, want 6
	// line 4: field dstaddr: "10.0.0.300" is not an IP address
	// line 5: start 1780308000000, end 1780308052000: milliseconds, not seconds?
}

// Write a file as AWS delivers it; NewGzipWriter packs it, too.
func ExampleWriter() {
	format, err := flowlog.ParseFormat("${version} ${srcaddr} ${dstaddr} ${bytes} ${tcp-flags} ${log-status}")
	if err != nil {
		log.Fatal(err)
	}
	w := flowlog.NewWriter(os.Stdout, format)
	rec := flowlog.Record{
		Version:   int64(format.Version()),
		SrcAddr:   netip.MustParseAddr("10.0.0.1"),
		DstAddr:   netip.MustParseAddr("2001:db8::1"),
		Bytes:     1500,
		TCPFlags:  3,
		LogStatus: flowlog.OK,
	}
	if err := w.Write(&rec); err != nil {
		log.Fatal(err)
	}
	rec.SetStatus(flowlog.NoData)
	if err := errors.Join(w.Write(&rec), w.Close()); err != nil {
		log.Fatal(err)
	}
	// Output:
	// version srcaddr dstaddr bytes tcp-flags log-status
	// 3 10.0.0.1 2001:db8::1 1500 3 OK
	// 3 - - - - NODATA
}

// The version of a format is the highest among its fields. What is wrong with a
// format is said with its position.
func ExampleParseFormat() {
	format, err := flowlog.ParseFormat("${version} ${interface-id} ${flow-direction}")
	fmt.Println(format.Version(), format.Family(), err)

	_, err = flowlog.ParseFormat("${version} ${interface_id}")
	if bad, ok := errors.AsType[*flowlog.FormatError](err); ok {
		fmt.Println(bad.Pos, bad.Hint)
	}
	fmt.Println(err)
	// Output:
	// 5 vpc <nil>
	// 13 interface-id
	// log format, position 13: unknown field "interface_id" (did you mean "interface-id"?)
}

// A message of CloudWatch Logs is one line without a header.
func ExampleFormat_ParseText() {
	var rec flowlog.Record
	err := flowlog.DefaultFormat().ParseText(&rec, "2 123456789010 eni-1235b8ca123456789 172.31.9.69 172.31.9.12 49761 3389 6 20 4249 1418530010 1418530070 REJECT OK")
	fmt.Println(rec.Action, rec.DstPort, rec.Bytes, err)

	err = flowlog.DefaultFormat().ParseText(&rec, "2 123456789010 eni-1235b8ca123456789 - - - - - - - 1431280876 1431280934 - NODATA")
	fmt.Println(rec.LogStatus, rec.Has("bytes"), rec.Bytes, err)

	err = flowlog.DefaultFormat().ParseText(&rec, "bogus line")
	fmt.Println(err, errors.Is(err, flowlog.ErrMalformed))
	// Output:
	// REJECT 3389 4249 <nil>
	// NODATA false 0 <nil>
	// malformed line: 2 fields, want 14 true
}

// Engines want columns, and not all of them: sum the bytes of every record
// without making one.
func ExampleParser() {
	text, err := os.ReadFile("testdata/samples/aws-docs-tcp-flags-v3.log")
	if err != nil {
		log.Fatal(err)
	}
	field, _ := flowlog.FieldByName("bytes")
	want := make([]bool, len(flowlog.Fields()))
	want[field.Place()] = true

	chunks := flowlog.NewChunks(bytes.NewReader(text), flowlog.Format{})
	parser := flowlog.NewParser(flowlog.Format{}, want)
	buf := make([]byte, flowlog.ChunkSize)
	sum := int64(0)
	for {
		chunk, err := chunks.Next(buf)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			log.Fatal(err)
		}
		parser.Parse(chunk)
		for batch, _ := parser.Next(); batch != nil; batch, _ = parser.Next() {
			column := &batch.Columns[field.Place()]
			if !column.Present {
				continue // the format does not have it
			}
			for row := range batch.Rows {
				if !column.Null[row] {
					sum += column.Ints[row]
				}
			}
		}
	}
	fmt.Println(parser.Report().Records, "records,", sum, "bytes")
	// Output: 8 records, 23462480 bytes
}
