package journal

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// lot stores messages in a row.
type lot interface {
	// add takes a message and keeps its bytes until done.
	add(ctx context.Context, subject string, data []byte) error
	// done returns when all are acknowledged, with the sequence numbers of the
	// first and the last; 0 when there was none.
	done(ctx context.Context) (first, last uint64, err error)
}

func (j *Journal) newLot() lot {
	if j.atomic {
		return &batches{j: j}
	}
	return &window{j: j}
}

// Bounds of what is on its way without an acknowledgement.
const (
	windowMessages = 1024
	windowBytes    = 8 << 20
)

// window publishes one by one and waits for the oldest acknowledgement when too
// many are outstanding. The server inside writes each at once and syncs none.
type window struct {
	j           *Journal
	waiting     []jetstream.PubAckFuture
	bytes       int
	first, last uint64
}

func (w *window) add(ctx context.Context, subject string, data []byte) error {
	f, err := w.j.js.PublishMsgAsync(&nats.Msg{Subject: subject, Data: data})
	if err != nil {
		return err
	}
	w.waiting = append(w.waiting, f)
	for w.bytes += len(data); len(w.waiting) > windowMessages || w.bytes > windowBytes; {
		if err := w.oldest(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (w *window) oldest(ctx context.Context) error {
	f := w.waiting[0]
	w.waiting = w.waiting[1:]
	w.bytes -= len(f.Msg().Data)
	select {
	case ack := <-f.Ok():
		if w.first == 0 {
			w.first = ack.Sequence
		}
		w.last = ack.Sequence
		return nil
	case err := <-f.Err():
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (w *window) done(ctx context.Context) (first, last uint64, err error) {
	for len(w.waiting) > 0 {
		if err := w.oldest(ctx); err != nil {
			return 0, 0, err
		}
	}
	return w.first, w.last, nil
}

// Bounds of a batch: the first is the server's.
const (
	batchMessages = 1000
	batchBytes    = 16 << 20
)

// batches publishes atomically: the server stores a batch as one and syncs it
// once, where it syncs at all (ADR-50 of the NATS architecture).
type batches struct {
	j           *Journal
	subject     string // the message that waits: the last of a batch is sent otherwise
	data        []byte
	held        bool
	id          string
	sent, bytes int
	first, last uint64
}

func (b *batches) add(ctx context.Context, subject string, data []byte) error {
	if b.held {
		full := b.sent+1 >= batchMessages || b.bytes+len(b.data)+len(data) > batchBytes
		if err := b.send(ctx, full); err != nil {
			return err
		}
	}
	b.subject, b.data, b.held = subject, data, true
	return nil
}

func (b *batches) done(ctx context.Context) (first, last uint64, err error) {
	if b.held {
		if err := b.send(ctx, true); err != nil {
			return 0, 0, err
		}
	}
	return b.first, b.last, nil
}

// send publishes the message that waits, and commits the batch with it or not.
func (b *batches) send(ctx context.Context, commit bool) error {
	if b.sent == 0 {
		b.id = nats.NewInbox()[len("_INBOX."):]
	}
	b.sent++
	b.bytes += len(b.data)
	b.held = false
	m := nats.NewMsg(b.subject)
	m.Data = b.data
	m.Header.Set("Nats-Batch-Id", b.id)
	m.Header.Set("Nats-Batch-Sequence", strconv.Itoa(b.sent))
	if !commit {
		return b.j.nc.PublishMsg(m)
	}
	m.Header.Set("Nats-Batch-Commit", "1")
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	r, err := b.j.nc.RequestMsgWithContext(ctx, m)
	if err != nil {
		return err
	}
	var ack struct {
		Error *jetstream.APIError `json:"error"`
		Seq   uint64              `json:"seq"`
		Count uint64              `json:"count"`
	}
	switch err := json.Unmarshal(r.Data, &ack); {
	case err != nil:
		return fmt.Errorf("the server's answer to a batch: %w", err)
	case ack.Error != nil:
		return ack.Error
	case ack.Seq == 0 || ack.Count != uint64(b.sent):
		return errors.New("the server did not store the batch as a whole")
	}
	if b.first == 0 {
		b.first = ack.Seq - ack.Count + 1
	}
	b.last = ack.Seq
	b.sent, b.bytes = 0, 0
	return nil
}

// anything is no condition.
const anything = math.MaxUint64

// publish stores one message on condition that its subject's last one has the
// sequence number that is expected; see wrongLast.
func (j *Journal) publish(ctx context.Context, subject string, data []byte, expected uint64) (uint64, error) {
	opts := []jetstream.PublishOpt{jetstream.WithRetryWait(50 * time.Millisecond)}
	if expected != anything {
		opts = append(opts, jetstream.WithExpectLastSequencePerSubject(expected))
	}
	ack, err := j.js.PublishMsg(ctx, &nats.Msg{Subject: subject, Data: data}, opts...)
	if err != nil {
		return 0, err
	}
	return ack.Sequence, nil
}

// wrongLast reports whether publish found another last message than expected.
func wrongLast(err error) bool {
	var api *jetstream.APIError
	return errors.As(err, &api) && api.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequence
}
