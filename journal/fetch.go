package journal

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// message is one of the stream.
type message struct {
	seq     uint64
	subject string
	data    []byte
}

// Bounds of what one request asks for: the window that a reader holds beside the
// swap it puts together.
const (
	fetchMessages = 512
	fetchBytes    = 4 << 20
)

// fetcher asks for messages by sequence number, many at a time. It is in place of
// a consumer: the server keeps nothing about it that could be lost with a restart,
// and a message that cannot be read is stepped over instead of waited for. The
// request is ADR-31 of the NATS architecture, "direct get", which the client has
// for single messages only. It belongs to one goroutine.
type fetcher struct {
	j     *Journal
	inbox string
	sub   *nats.Subscription
	n     int
}

func (j *Journal) newFetcher() (*fetcher, error) {
	f := &fetcher{j: j, inbox: nats.NewInbox()}
	var err error
	if f.sub, err = j.nc.SubscribeSync(f.inbox + ".*"); err != nil {
		return nil, err
	}
	return f, f.sub.SetPendingLimits(-1, -1)
}

func (f *fetcher) close() { _ = f.sub.Unsubscribe() }

// answerTimeout is how long one message of an answer may take.
const answerTimeout = 3 * time.Second

// get asks for the messages from a sequence number on, of all subjects or of
// those that match a filter. None is no error: there are none, or the first one
// cannot be read; the server makes no difference.
func (f *fetcher) get(ctx context.Context, from uint64, filter string) (list []message, err error) {
	ctx, cancel := f.j.whileConnected(ctx)
	defer cancel()
	list, err = f.ask(ctx, from, filter)
	return list, ended(ctx, err)
}

func (f *fetcher) ask(ctx context.Context, from uint64, filter string) (list []message, err error) {
	f.n++
	reply := f.inbox + "." + strconv.Itoa(f.n)
	request, err := json.Marshal(struct {
		Seq      uint64 `json:"seq"`
		Filter   string `json:"next_by_subj,omitempty"`
		Batch    int    `json:"batch"`
		MaxBytes int    `json:"max_bytes"`
	}{max(from, 1), filter, fetchMessages, fetchBytes})
	if err != nil {
		return nil, err
	}
	if err := f.j.nc.PublishRequest("$JS.API.DIRECT.GET."+f.j.names.counts, reply, request); err != nil {
		return nil, err
	}
	for {
		m, err := f.next(ctx)
		if err != nil {
			return nil, err
		}
		if m.Subject != reply {
			continue // of a request that was given up
		}
		switch status := m.Header.Get("Status"); status {
		case "":
		case "204": // the end of the answer
			return list, nil
		case "404":
			return nil, nil
		case "503":
			return nil, jetstream.ErrJetStreamNotEnabled
		default:
			return nil, fmt.Errorf("the NATS server answers %s %s", status, m.Header.Get("Description"))
		}
		seq, err := strconv.ParseUint(m.Header.Get("Nats-Sequence"), 10, 64)
		if err != nil {
			return nil, fmt.Errorf("a message without a sequence number: %w", err)
		}
		list = append(list, message{seq, m.Header.Get("Nats-Subject"), m.Data})
	}
}

func (f *fetcher) next(ctx context.Context) (*nats.Msg, error) {
	limit, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	m, err := f.sub.NextMsgWithContext(limit)
	if err != nil && ctx.Err() == nil && errors.Is(err, context.DeadlineExceeded) {
		return nil, errors.New("the NATS server does not answer")
	}
	return m, err
}
