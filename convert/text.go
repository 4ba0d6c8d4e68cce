package convert

import (
	"bytes"
	"io"

	"github.com/klauspost/compress/gzip"

	"weir/flowlog"
)

// maxText is where a piece of text ends, in bytes: a row group may say that it
// has any number of rows.
const maxText = 16 << 20

// textEncoder makes lines, and a gzip member of each piece: a file of several
// members is a gzip file (RFC 1952, 2.2).
type textEncoder struct {
	format  flowlog.Format
	gzip    *gzip.Writer // nil for plain text
	texts   buffers
	text    []byte
	records int64
}

func newTextEncoder(f flowlog.Format, compress bool, texts buffers) *textEncoder {
	e := &textEncoder{format: f, texts: texts}
	if compress {
		e.gzip = gzip.NewWriter(nil)
	}
	return e
}

func (e *textEncoder) full() bool { return len(e.text) > maxText }

func (e *textEncoder) add(b *flowlog.Batch) error {
	for row := range b.Rows {
		e.text = append(b.AppendText(e.text, e.format, row), '\n')
	}
	e.records += int64(b.Rows)
	return nil
}

func (e *textEncoder) finish(to *piece) (err error) {
	to.records, e.records = e.records, 0
	if e.gzip == nil {
		to.text, e.text = e.text, e.texts.get()[:0]
		return nil
	}
	to.text, err = pack(e.gzip, e.texts.get()[:0], e.text)
	e.text = e.text[:0]
	return err
}

// pack appends a gzip member. No text is no member.
func pack(z *gzip.Writer, dst, text []byte) ([]byte, error) {
	if len(text) == 0 {
		return dst, nil
	}
	b := bytes.NewBuffer(dst)
	z.Reset(b)
	if _, err := z.Write(text); err != nil {
		return nil, err
	}
	if err := z.Close(); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

type textOutput struct {
	w       io.Writer
	gzip    *gzip.Writer // nil for plain text
	written bool
}

func (o *textOutput) write(text []byte) (err error) {
	if o.gzip != nil {
		if text, err = pack(o.gzip, nil, text); err != nil {
			return err
		}
	}
	return o.append(piece{text: text})
}

func (o *textOutput) append(p piece) error {
	if len(p.text) == 0 {
		return nil
	}
	o.written = true
	_, err := o.w.Write(p.text)
	return err
}

// close makes a gzip file of nothing if nothing was written: no bytes at all
// would be no gzip file.
func (o *textOutput) close() error {
	if o.gzip == nil || o.written {
		return nil
	}
	var b bytes.Buffer
	o.gzip.Reset(&b)
	if err := o.gzip.Close(); err != nil {
		return err
	}
	return o.append(piece{text: b.Bytes()})
}
