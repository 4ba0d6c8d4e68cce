package deliver

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"

	"github.com/klauspost/compress/gzip"
)

// Load reads a value that [Store] wrote; false when there is none.
func Load[T any](ctx context.Context, c Catalogue, key string, into *T) (bool, error) {
	b, err := c.Get(ctx, key)
	if err != nil || b == nil {
		return false, err
	}
	return true, Decode(key, b, into)
}

// Decode reads what [Store] wrote at a key.
func Decode[T any](key string, b []byte, into *T) error {
	b, err := unpack(b)
	if err == nil {
		err = json.Unmarshal(b, into)
	}
	if err != nil {
		return fmt.Errorf("catalogue: %s: not what this version writes: %w", key, err)
	}
	return nil
}

// Store writes a value to a catalogue: JSON, compressed when it is large.
func Store[T any](ctx context.Context, c Catalogue, key string, v *T) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return c.Put(ctx, key, pack(b))
}

// large is from where a value is compressed: a message of NATS has 1 MB by
// default, and a batch of 2,000 interfaces' events 2,000 notes.
const large = 32 << 10

func pack(b []byte) []byte {
	if len(b) < large {
		return b
	}
	var out bytes.Buffer
	zip := gzip.NewWriter(&out)
	_, _ = zip.Write(b) // a buffer takes everything
	_ = zip.Close()
	return out.Bytes()
}

// unpack undoes pack: JSON never begins like gzip.
func unpack(b []byte) ([]byte, error) {
	if !bytes.HasPrefix(b, []byte{0x1f, 0x8b}) {
		return b, nil
	}
	zip, err := gzip.NewReader(bytes.NewReader(b))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(io.LimitReader(zip, maxValue))
}

// maxValue bounds a value that is read back, in bytes of JSON.
const maxValue = 64 << 20
