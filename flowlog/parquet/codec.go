package parquet

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/s2"
	"github.com/klauspost/compress/zstd"
)

// Codec is how the pages of a file are compressed.
type Codec uint8

// The zero value is what AWS writes.
const (
	Gzip Codec = iota
	Zstd
	Snappy
	Uncompressed
)

var codecs = [...]struct {
	name string
	id   int64 // CompressionCodec in parquet.thrift
}{
	Gzip:         {"gzip", 2},
	Zstd:         {"zstd", 6},
	Snappy:       {"snappy", 1},
	Uncompressed: {"uncompressed", 0},
}

func (c Codec) String() string {
	if int(c) < len(codecs) {
		return codecs[c].name
	}
	return fmt.Sprintf("codec %d", uint8(c))
}

// ParseCodec finds a codec by its name: "gzip", "zstd", "snappy" or
// "uncompressed".
func ParseCodec(name string) (Codec, error) {
	for c := range codecs {
		if codecs[c].name == name {
			return Codec(c), nil
		}
	}
	return 0, fmt.Errorf("no codec %q: want gzip, zstd, snappy or uncompressed", name)
}

func codecByID(id int64) (Codec, error) {
	for c := range codecs {
		if codecs[c].id == id {
			return Codec(c), nil
		}
	}
	names := map[int64]string{3: "LZO", 4: "BROTLI", 5: "LZ4", 7: "LZ4_RAW"}
	if name, ok := names[id]; ok {
		return 0, fmt.Errorf("the codec %s is not supported", name)
	}
	return 0, fmt.Errorf("there is no codec %d", id)
}

// gzipLevel: 6 is what AWS's files look like. Lower levels are not much faster
// on pages that are bit-packed already, and larger.
const gzipLevel = 6

// compressor holds what a codec wants to use again. Not safe for concurrent use.
type compressor struct {
	codec Codec
	gzip  *gzip.Writer
	zstd  *zstd.Encoder
	out   bytes.Buffer
}

func newCompressor(c Codec) (*compressor, error) {
	z := &compressor{codec: c}
	var err error
	switch c {
	case Gzip:
		z.gzip, err = gzip.NewWriterLevel(io.Discard, gzipLevel)
	case Zstd:
		z.zstd, err = zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderCRC(false),
			zstd.WithAllLitEntropyCompression(true)) // bit-packed indices have no matches, but skewed bytes
	case Snappy, Uncompressed:
	default:
		err = fmt.Errorf("there is no %s", c)
	}
	return z, err
}

// compress appends src compressed.
func (z *compressor) compress(dst, src []byte) ([]byte, error) {
	switch z.codec {
	case Gzip:
		z.out.Reset()
		z.gzip.Reset(&z.out)
		if _, err := z.gzip.Write(src); err != nil {
			return nil, err
		}
		if err := z.gzip.Close(); err != nil {
			return nil, err
		}
		return append(dst, z.out.Bytes()...), nil
	case Zstd:
		return z.zstd.EncodeAll(src, dst), nil
	case Snappy:
		n := len(dst)
		dst = grow(dst, s2.MaxEncodedLen(len(src)))
		packed := s2.EncodeSnappy(dst[n:cap(dst)], src)
		return append(dst[:n], packed...), nil
	}
	return append(dst, src...), nil
}

// grow makes room for n more bytes.
func grow(b []byte, n int) []byte {
	if cap(b)-len(b) >= n {
		return b
	}
	out := make([]byte, len(b), max(2*cap(b), len(b)+n))
	copy(out, b)
	return out
}

// decompressor holds what a codec wants to use again. Not safe for concurrent
// use.
type decompressor struct {
	gzip *gzip.Reader
	zstd *zstd.Decoder
	in   bytes.Reader
}

var errSize = errors.New("it does not decompress to the size that its header says")

// decompress fills dst exactly from src, or fails. It never writes more than
// len(dst), whatever src says.
func (z *decompressor) decompress(c Codec, dst, src []byte) error {
	switch c {
	case Gzip:
		return z.inflate(dst, src)
	case Zstd:
		if z.zstd == nil {
			var err error
			z.zstd, err = zstd.NewReader(nil, zstd.WithDecoderConcurrency(1),
				zstd.WithDecoderMaxMemory(maxPage), zstd.WithDecodeAllCapLimit(true))
			if err != nil {
				return err
			}
		}
		out, err := z.zstd.DecodeAll(src, dst[:0:len(dst)])
		if err != nil {
			return err
		}
		return same(len(out), len(dst))
	case Snappy:
		n, err := s2.DecodedLen(src)
		if err != nil {
			return err
		}
		if n != len(dst) {
			return errSize
		}
		_, err = s2.Decode(dst, src)
		return err
	}
	return same(copy(dst, src), len(src))
}

func same(a, b int) error {
	if a != b {
		return errSize
	}
	return nil
}

func (z *decompressor) inflate(dst, src []byte) error {
	z.in.Reset(src)
	var err error
	if z.gzip == nil {
		z.gzip, err = gzip.NewReader(&z.in)
	} else {
		err = z.gzip.Reset(&z.in)
	}
	if err != nil {
		return err
	}
	if _, err := io.ReadFull(z.gzip, dst); err != nil {
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return errSize
		}
		return err
	}
	var one [1]byte
	if n, err := z.gzip.Read(one[:]); n > 0 || !errors.Is(err, io.EOF) {
		if err == nil || n > 0 {
			return errSize
		}
		return err
	}
	return nil
}
