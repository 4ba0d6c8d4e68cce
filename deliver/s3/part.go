package s3

import (
	"context"
	"time"

	"weir/deliver"
)

// part is a whole object that is not in the bucket yet.
type part struct {
	d     *Destination
	note  deliver.Note
	body  *Body // nil once it is sent
	size  int64
	place int // in Begin.Cut
}

func (p *part) Note() deliver.Note { return p.note }

// Send puts the object. It replaces one of the same name, which can only be
// itself, sent before by somebody who died. After success it does nothing.
func (p *part) Send(ctx context.Context) (deliver.Receipt, error) {
	key := p.d.key
	key.Slot, key.Hash = time.Unix(p.note.Slot, 0).UTC(), p.note.Hash
	if p.body != nil {
		if err := p.d.bucket.Put(ctx, key, p.body); err != nil {
			return deliver.Receipt{}, err
		}
		p.body = nil
	}
	return deliver.Receipt{Name: key.String(), Bytes: p.size}, nil
}
