//go:build cgo && !noduckdb

package duckdb

import (
	"context"
	"errors"
	"io"
	"sync"
	"sync/atomic"
	"time"

	driver "github.com/duckdb/duckdb-go/v2"

	"weir/flowlog"
	"weir/query"
)

// recordsFunction is the table function over a source. DuckDB binds it once for
// every time a query names the view, and then calls FillChunk on its threads.
func recordsFunction(src query.Source, threads int) driver.ParallelChunkTableFunction {
	return driver.ParallelChunkTableFunction{
		BindArgumentsContext: func(ctx context.Context, _ map[string]any, _ ...any) (driver.ParallelChunkTableSource, error) {
			open, _ := ctx.Value(openReadersKey{}).(*openReaders)
			return &records{ctx: ctx, src: src, threads: threads, open: open}, nil
		},
	}
}

// records is one reading of the source. It keeps the query's context, which is
// what DuckDB's callbacks lack; it lives no longer than the query.
type records struct {
	ctx     context.Context
	src     query.Source
	threads int
	next    atomic.Int64 // the part that nobody has begun
	open    *openReaders // nil when the query is only described, not run
}

// worker is one DuckDB thread's place in the reading.
type worker struct {
	reader query.Reader // nil between parts
	want   []bool       // the columns that the query reads; nil until the first chunk
}

// ColumnInfos are the fields of the table.
func (r *records) ColumnInfos() []driver.ColumnInfo {
	fields := flowlog.Fields()
	infos := make([]driver.ColumnInfo, len(fields))
	for i := range fields {
		infos[i] = driver.ColumnInfo{Name: fields[i].Column(), T: types[fields[i].Type]}
	}
	return infos
}

// types has one entry per flowlog.Type. They are made once: none has parameters.
var types = map[flowlog.Type]driver.TypeInfo{
	flowlog.String: simpleType(driver.TYPE_VARCHAR),
	flowlog.Int32:  simpleType(driver.TYPE_INTEGER),
	flowlog.Int64:  simpleType(driver.TYPE_BIGINT),
}

func simpleType(t driver.Type) driver.TypeInfo {
	info, err := driver.NewTypeInfo(t)
	if err != nil {
		panic(err) // only for types that need parameters
	}
	return info
}

// Cardinality is not known before reading.
func (r *records) Cardinality() *driver.CardinalityInfo { return nil }

// Init asks for as many threads as can have work.
func (r *records) Init() driver.ParallelTableSourceInfo {
	n := max(1, r.src.Parts())
	if r.threads > 0 {
		n = min(n, r.threads)
	}
	return driver.ParallelTableSourceInfo{MaxThreads: n}
}

// NewLocalState is a thread's.
func (r *records) NewLocalState() any { return new(worker) }

// FillChunk hands DuckDB the next batch; an empty chunk is the end.
func (r *records) FillChunk(state any, chunk driver.DataChunk) error {
	w := state.(*worker)
	vectors := vectorsOf(&chunk)
	if w.want == nil {
		w.want = vectors.want()
	}
	for {
		if w.reader == nil {
			i := int(r.next.Add(1)) - 1
			if i >= r.src.Parts() {
				return chunk.SetSize(0)
			}
			reader, err := r.src.Open(i, w.want)
			if err != nil {
				return err
			}
			w.reader = reader
			r.open.add(reader)
		}
		batch, err := w.reader.Next(r.ctx)
		if errors.Is(err, io.EOF) {
			r.open.close(w.reader)
			w.reader = nil
			continue
		}
		if err != nil {
			return err
		}
		vectors.fill(batch)
		return nil
	}
}

// openReaders are the readers that a query has begun: LIMIT and interrupts
// leave some unfinished, and DuckDB does not tell.
type openReaders struct {
	mu      sync.Mutex
	readers map[query.Reader]struct{}
}

type openReadersKey struct{}

func (o *openReaders) add(r query.Reader) {
	if o == nil {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.readers[r] = struct{}{}
}

// close ends a reader that has given everything. Its only error is that of
// closing a file that was read.
func (o *openReaders) close(r query.Reader) {
	_ = r.Close()
	if o == nil {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.readers, r)
}

// closeAll is called when the query has ended and no thread reads any more.
func (o *openReaders) closeAll() {
	o.mu.Lock()
	defer o.mu.Unlock()
	for r := range o.readers {
		_ = r.Close()
	}
	clear(o.readers)
}

// ceilSecond is the first whole Unix second that is not before t.
func ceilSecond(t time.Time) int64 {
	if t.Nanosecond() > 0 {
		return t.Unix() + 1
	}
	return t.Unix()
}
