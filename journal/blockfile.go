package journal

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"

	"github.com/minio/highwayhash"
)

// blockFile knows the records of the server's block files (server/filestore.go of
// nats-server 2.15, writeMsgRecord; unchanged since 2.2): little endian
//
//	length 4 (highest bit: has headers) · sequence 8 · time 8 · subject's length 2
//	subject · [headers' length 4 · headers] · message · HighwayHash-64
//
// The length is that of the whole record. The two highest bits of the sequence
// number mark what was deleted.
type blockFile struct{ hash *highwayhash.Digest64 }

const (
	recordHead    = 22
	recordHash    = 8
	recordLargest = 32 << 20
	recordHeaders = 1 << 31
	recordDeleted = 3 << 62
)

// newBlockFile makes the reader of one file: its hash is keyed by its name.
func newBlockFile(stream string, index uint32) (*blockFile, error) {
	key := sha256.Sum256(fmt.Appendf(nil, "%s-%d", stream, index))
	h, err := highwayhash.NewDigest64(key[:])
	return &blockFile{h}, err
}

// record returns the length of the whole record at the beginning of b; 0 when
// there is none.
func (f *blockFile) record(b []byte) int {
	if len(b) < recordHead+recordHash {
		return 0
	}
	length, subject := binary.LittleEndian.Uint32(b), int(binary.LittleEndian.Uint16(b[20:]))
	headers := length&recordHeaders != 0
	n := int(length &^ recordHeaders)
	if headers {
		subject += 4
	}
	if n > len(b) || n > recordLargest || n < recordHead+subject+recordHash {
		return 0
	}
	f.hash.Reset()
	_, _ = f.hash.Write(b[4:20])
	rest := b[recordHead : n-recordHash]
	if headers {
		_, _ = f.hash.Write(rest[:subject-4])
		rest = rest[subject:]
	}
	_, _ = f.hash.Write(rest)
	var sum [recordHash]byte
	if !bytes.Equal(f.hash.Sum(sum[:0]), b[n-recordHash:n]) {
		return 0
	}
	return n
}

// span is a part of a file.
type span struct{ from, to int }

// damage returns the parts of a file that are no records. Behind each it looks for
// the next record byte by byte: where lengths survived it is found at once.
func (f *blockFile) damage(b []byte) []span {
	var list []span
	last := uint64(0)
	for at := 0; at < len(b); {
		if n := f.record(b[at:]); n > 0 {
			last = max(last, sequence(b[at:]))
			at += n
			continue
		}
		from := at
		for at++; at < len(b); at++ {
			if plausible(b[at:], last) && f.record(b[at:]) > 0 {
				break
			}
		}
		list = append(list, span{from, at})
	}
	return list
}

func sequence(b []byte) uint64 { return binary.LittleEndian.Uint64(b[4:]) &^ recordDeleted }

// largestSubject is longer than any of ours.
const largestSubject = 512

// plausible is a quick look before the hash is made, which would take seconds in
// 8 MB of anything: a record has a subject that can be read, or is only the mark
// of something deleted, and comes not long after the last one.
func plausible(b []byte, last uint64) bool {
	if len(b) < recordHead+recordHash {
		return false
	}
	n, subject := binary.LittleEndian.Uint32(b)&^recordHeaders, int(binary.LittleEndian.Uint16(b[20:]))
	if subject == 0 {
		return n == recordHead+recordHash
	}
	if int64(n) > int64(len(b)) || int(n) < recordHead+subject+recordHash || subject > largestSubject {
		return false
	}
	for _, c := range b[recordHead : recordHead+subject] {
		if c <= ' ' || c > '~' {
			return false
		}
	}
	return last == 0 || sequence(b)-last < 1<<24
}

// metaSum is what meta.sum holds beside a stream's meta.inf.
func metaSum(stream string, meta []byte) string {
	key := sha256.Sum256([]byte(stream))
	h, err := highwayhash.NewDigest64(key[:])
	if err != nil {
		return ""
	}
	_, _ = h.Write(meta)
	return hex.EncodeToString(h.Sum(nil))
}
