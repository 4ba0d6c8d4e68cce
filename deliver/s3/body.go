package s3

import (
	"errors"
	"io"
)

// Body is the bytes of an object, in pieces: an object grows to 75 MB, and one
// slice would be copied again and again on the way. It does not change once it
// is whole, and may then be read by several.
type Body struct {
	pieces [][]byte
	size   int64
}

// Size is in bytes.
func (b *Body) Size() int64 { return b.size }

// Write appends a copy.
func (b *Body) Write(p []byte) (int, error) {
	if len(p) > 0 {
		b.pieces = append(b.pieces, append([]byte(nil), p...))
		b.size += int64(len(p))
	}
	return len(p), nil
}

// WriteTo writes all of it.
func (b *Body) WriteTo(w io.Writer) (n int64, err error) {
	for _, p := range b.pieces {
		m, err := w.Write(p)
		n += int64(m)
		if err != nil {
			return n, err
		}
	}
	return n, nil
}

// NewReader reads it from the beginning.
func (b *Body) NewReader() io.ReadSeeker { return &bodyReader{body: b} }

type bodyReader struct {
	body  *Body
	at    int64
	piece int   // that at is in, or the number of pieces
	begin int64 // of the piece
}

func (r *bodyReader) Read(p []byte) (n int, err error) {
	for n < len(p) && r.piece < len(r.body.pieces) {
		piece := r.body.pieces[r.piece]
		m := copy(p[n:], piece[r.at-r.begin:])
		n += m
		if r.at += int64(m); r.at == r.begin+int64(len(piece)) {
			r.piece++
			r.begin = r.at
		}
	}
	if n == 0 && len(p) > 0 {
		return 0, io.EOF
	}
	return n, nil
}

func (r *bodyReader) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += r.at
	case io.SeekEnd:
		offset += r.body.size
	}
	if offset < 0 {
		return 0, errors.New("seek before the beginning of an object")
	}
	r.at, r.piece, r.begin = offset, 0, 0
	for r.piece < len(r.body.pieces) && r.begin+int64(len(r.body.pieces[r.piece])) <= offset {
		r.begin += int64(len(r.body.pieces[r.piece]))
		r.piece++
	}
	return offset, nil
}
