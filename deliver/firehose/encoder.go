package firehose

import (
	"encoding/base64"
	"encoding/binary"
	"hash/crc32"
	"unsafe"

	"weir/deliver"
	"weir/deliver/internal/lines"
	"weir/flowlog"
)

// Limits of PutRecordBatch (Data Firehose API reference, PutRecordBatch; the
// model says 1,024,000 bytes for a record).
const (
	maxRecords = 500
	// maxBytes is of a request. Whether that is before or after base64 is not
	// said; counted after, it holds either way, and 500 records of a flow log
	// never come near.
	maxBytes  = 4 << 20
	perRecord = len(`{"Data":""},`)
	maxRecord = 1000 << 10 // before base64
)

// encoder is a batch: its text, and where each call begins.
type encoder struct {
	d     *Destination
	text  lines.Buffer
	line  []byte // the record at hand
	data  []byte // as the stream takes it
	parts []*part
	wire  int    // of the last part: bytes of its request
	mark  []byte // of the last record
}

// Add implements [deliver.Encoder].
func (e *encoder) Add(r *flowlog.Record) {
	e.line = e.d.format.AppendText(e.line[:0], r)
	e.data = appendMessage(e.data[:0], e.line)
	ref := e.text.Add(e.data)
	wire := base64.StdEncoding.EncodedLen(len(e.data)) + perRecord

	var p *part
	if n := len(e.parts); n > 0 {
		p = e.parts[n-1]
	}
	// A record that is too long for the service is alone: see part.Send.
	if p == nil || p.records == maxRecords || e.wire+wire > maxBytes || len(e.data) > maxRecord || p.tooLong {
		e.endPart()
		e.mark = mark(e.mark[:0], r)
		p = &part{d: e.d, text: &e.text, first: ref, tooLong: len(e.data) > maxRecord, hash: crc32.ChecksumIEEE(e.mark)}
		e.parts = append(e.parts, p)
		e.wire = 0
	}
	p.records++
	p.size += int64(len(e.data))
	e.mark = mark(e.mark[:0], r)
	e.wire += wire
}

// Held implements [deliver.Encoder].
func (e *encoder) Held() int64 {
	each := int64(unsafe.Sizeof(part{}) + unsafe.Sizeof(&part{}))
	return e.text.Held() + int64(cap(e.line)+cap(e.data)+cap(e.mark)) + int64(len(e.parts))*each
}

// Finish implements [deliver.Encoder].
func (e *encoder) Finish() ([]deliver.Part, error) {
	e.endPart()
	var parts []deliver.Part
	for _, p := range e.parts {
		parts = append(parts, p)
	}
	e.parts, e.line, e.data = nil, nil, nil
	return parts, nil
}

// mark is what tells a record apart from others in a note: whose, and when.
func mark(dst []byte, r *flowlog.Record) []byte {
	dst = append(dst, r.InterfaceID...)
	dst = append(dst, r.ResourceID...)
	dst = append(dst, r.TGWID...)
	return binary.BigEndian.AppendUint64(dst, uint64(r.Start))
}

// endPart notes how the last part ends.
func (e *encoder) endPart() {
	if n := len(e.parts); n > 0 {
		e.parts[n-1].hash = crc32.Update(e.parts[n-1].hash, crc32.IEEETable, e.mark)
	}
}
