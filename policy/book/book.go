package book

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// Book is the memory of a data directory. It is safe for concurrent use.
type Book struct {
	dir string
	now func() time.Time

	mu     sync.Mutex // guards what follows
	rules  ruleList
	log    entryList
	loaded *InForce
	err    error // of the last Rule that failed
}

// Open opens the book in a directory. Nothing is read or made yet: a directory
// that does not exist is an empty book.
func Open(dir string) *Book {
	return &Book{
		dir: dir, now: time.Now,
		rules: newRuleList(filepath.Join(dir, "rules")),
		log:   entryList{lines: lines{path: filepath.Join(dir, "log")}},
	}
}

// ErrBusy means that another process is changing the policy.
var ErrBusy = errors.New("another weir is changing the policy")

// Writer is the right to write. It belongs to one goroutine.
type Writer struct {
	book *Book
	lock *os.File
}

// busy is how long a writer waits for another one: longer than an apply takes.
const busy = 10 * time.Second

// Lock gives the right to write, for as long as kernel and book must not be
// changed by anybody else. It waits for another writer for ten seconds; then the
// error is [ErrBusy]. What a killed writer left half-written is repaired.
func (b *Book) Lock(ctx context.Context) (*Writer, error) {
	if err := os.MkdirAll(b.dir, 0o750); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(filepath.Join(b.dir, "lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := b.wait(ctx, f); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	// For whoever finds it locked; nothing depends on it.
	_ = f.Truncate(0)
	_, _ = f.WriteAt([]byte(fmt.Sprintln(os.Getpid())), 0)
	if err := b.prepare(); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return &Writer{b, f}, nil
}

func (b *Book) wait(ctx context.Context, f *os.File) error {
	ctx, cancel := context.WithTimeout(ctx, busy)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		ok, err := tryLock(f)
		if ok || err != nil {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			if !errors.Is(ctx.Err(), context.DeadlineExceeded) {
				return ctx.Err()
			}
			holder, _ := os.ReadFile(f.Name())
			return fmt.Errorf("%w (process %s)", ErrBusy, strings.TrimSpace(string(holder)))
		}
	}
}

// prepare reads what is there and cuts off what was torn.
func (b *Book) prepare() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := errors.Join(b.rules.refresh(), b.log.refresh()); err != nil {
		return err
	}
	return errors.Join(b.rules.repair(), b.log.repair())
}

// Close gives the right to write back.
func (w *Writer) Close() error { return w.lock.Close() }
