package journal

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// Catalogue keeps small values by key. A key is words of letters, digits, '-' and
// '_', joined by dots; those that begin with "journal." are the journal's own. It
// is safe for concurrent use.
type Catalogue struct{ j *Journal }

// Catalogue returns the catalogue that lies beside the counts. It ends with the
// journal.
func (j *Journal) Catalogue() *Catalogue { return &Catalogue{j} }

// deleteMarker is how long the bucket remembers that a key was deleted, for those
// who watch.
const deleteMarker = time.Hour

var catalogueKey = regexp.MustCompile(`^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$`)

func checkKey(op, key string) error {
	if catalogueKey.MatchString(key) {
		return nil
	}
	return &Error{op, fmt.Sprintf("%q", key), errors.New("a key is words of letters, digits, '-' and '_', joined by dots"), ""}
}

// Get returns the value of a key; nil when there is none. An empty value is not
// nil.
func (c *Catalogue) Get(ctx context.Context, key string) ([]byte, error) {
	if err := checkKey("read the catalogue", key); err != nil {
		return nil, err
	}
	v, err := c.j.get(ctx, key)
	return v, explain("read the catalogue", key, err)
}

// Put stores a value. When it returns nil the value is on disk.
func (c *Catalogue) Put(ctx context.Context, key string, value []byte) error {
	if err := checkKey("write the catalogue", key); err != nil {
		return err
	}
	return explain("write the catalogue", key, c.j.put(ctx, key, value, catalogueReserve))
}

// Delete removes a key. It is no error when there is none.
func (c *Catalogue) Delete(ctx context.Context, key string) error {
	if err := checkKey("delete from the catalogue", key); err != nil {
		return err
	}
	return explain("delete from the catalogue", key, c.j.delete(ctx, key))
}

// Keys are those that begin with a prefix, sorted.
func (c *Catalogue) Keys(ctx context.Context, prefix string) ([]string, error) {
	list, err := c.j.keys(ctx, prefix)
	return list, explain("list the catalogue", prefix, err)
}

func (j *Journal) get(ctx context.Context, key string) ([]byte, error) {
	ctx, cancel := j.whileConnected(ctx)
	defer cancel()
	e, err := j.kv.Get(ctx, key)
	if errors.Is(err, jetstream.ErrKeyNotFound) {
		return nil, nil
	} else if err != nil {
		return nil, ended(ctx, err)
	}
	if v := e.Value(); v != nil {
		return v, nil
	}
	return []byte{}, nil
}

func (j *Journal) put(ctx context.Context, key string, value []byte, reserve int64) error {
	if most := j.nc.MaxPayload() - 1024; int64(len(value)) > most {
		return &Error{"write the catalogue", key, fmt.Errorf("a value of %d bytes is larger than the %d that the NATS server takes", len(value), most), ""}
	}
	return j.change(ctx, int64(len(value))+4096, reserve, func(ctx context.Context) error {
		_, err := j.kv.Put(ctx, key, value)
		return err
	})
}

func (j *Journal) delete(ctx context.Context, key string) error {
	return j.change(ctx, 4096, catalogueReserve, func(ctx context.Context) error {
		return j.kv.Purge(ctx, key, jetstream.PurgeTTL(deleteMarker))
	})
}

// change does something to the bucket and makes it durable.
func (j *Journal) change(ctx context.Context, n, reserve int64, do func(ctx context.Context) error) error {
	if err := j.heal(ctx); err != nil {
		return err
	}
	if err := j.hasRoom("write the catalogue", n, reserve); err != nil {
		return err
	}
	ctx, cancel := j.whileConnected(ctx)
	defer cancel()
	if err := ended(ctx, do(ctx)); err != nil {
		j.ail(err)
		return err
	}
	return j.catalogueDisk.sync()
}

// keys lists by the part of the prefix that ends with a dot, which the server can
// look for, and then by the rest.
func (j *Journal) keys(ctx context.Context, prefix string) ([]string, error) {
	filter := ">"
	if dot := strings.LastIndexByte(prefix, '.'); dot >= 0 {
		filter = prefix[:dot+1] + ">"
	}
	ctx, cancel := j.whileConnected(ctx)
	defer cancel() // also for a goroutine of the client, which waits for its end
	l, err := j.kv.ListKeysFiltered(ctx, filter)
	if err != nil {
		return nil, ended(ctx, err)
	}
	defer func() { _ = l.Stop() }()
	var list []string
	for key := range l.Keys() {
		if strings.HasPrefix(key, prefix) {
			list = append(list, key)
		}
	}
	if err := ctx.Err(); err != nil {
		return nil, ended(ctx, err)
	}
	slices.Sort(list)
	return slices.Compact(list), nil
}
