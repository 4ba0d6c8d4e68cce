package journal

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"weir/count"
)

// ledger is what is known of the swaps of this host that are stored.
type ledger struct {
	source string // of the last one
	epoch  uint64
	seq    uint64 // of the last closing message; 0 when there was none
	// high is the highest number that the server has given a closing message since
	// the journal was opened, whatever it remembers of that.
	high uint64
	// subjectLast is the last sequence number on this host's subject in the stream;
	// 0 when there is none, because it was purged or never was.
	subjectLast uint64
	// active are the interfaces that have had a packet, each with the end of the
	// last swap that watched it, in Unix seconds.
	active map[string]int64
	seen   uint64 // the last sequence number in the stream when a swap was begun
}

// An interface that is not watched any more stays active for a day, in which an
// instance may be stopped and started; and so many of them at most, the latest.
const (
	absentFor = 24 * time.Hour
	maxAbsent = 4096
)

// Keys of the catalogue that are the journal's own.
const (
	keyHigh   = "journal.high."   // by host: a sequence number that is in use
	keyLedger = "journal.ledger." // by host: the last closing message, when it was purged
	keyPurged = "journal.purged"  // what was given away up to here
)

// recover reads the last closing message of this host.
func (j *Journal) recover(ctx context.Context) error {
	l := ledger{active: map[string]int64{}, high: j.ledger.high}
	data, seq, err := j.lastClosing(ctx, j.names.closing(j.cfg.Host))
	if err != nil {
		return explain("read the last swap", j.cfg.Host, err)
	}
	l.subjectLast = seq
	if seq == 0 {
		b, err := j.get(ctx, keyLedger+token(j.cfg.Host))
		if err != nil {
			return explain("read the last swap", j.cfg.Host, err)
		}
		if len(b) > 8 {
			seq, data = binary.BigEndian.Uint64(b), b[8:]
		}
	}
	if seq > 0 {
		m, err := count.DecodeClosing(data)
		switch {
		case errors.Is(err, count.ErrVersion):
			return &Error{"read the last swap", j.cfg.Host, err, "use the Weir that stored it, or a later one"}
		case err != nil:
			// Its swap may come again: it was damaged after it had been stored.
			j.stats.damaged.Add(1)
			j.cfg.Log.Error("the last swap's closing message is damaged; should its swap come again, it is stored again", "sequence", seq, "err", err)
		default:
			l.note(m, seq)
		}
	}
	l.seq = seq
	j.ledger, j.unsure = l, false
	return nil
}

// lastClosing is the last message on a subject; 0 when there is none.
func (j *Journal) lastClosing(ctx context.Context, subject string) ([]byte, uint64, error) {
	m, err := j.stream.GetLastMsgForSubject(ctx, subject)
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return nil, 0, nil
	} else if err != nil {
		return nil, 0, err
	}
	return m.Data, m.Sequence, nil
}

// note takes over what a closing message says.
func (l *ledger) note(m *count.Closing, seq uint64) {
	l.source, l.epoch, l.seq, l.high = m.Source, m.Epoch, seq, max(l.high, seq)
	l.active = make(map[string]int64, len(m.Interfaces)+len(m.Absent))
	for i := range m.Interfaces {
		if m.Interfaces[i].Active {
			l.active[m.Interfaces[i].ID] = m.End.Unix()
		}
	}
	for _, a := range m.Absent {
		l.active[a.ID] = a.Last
	}
}

// absent lists the active interfaces that a swap does not watch, ordered by id.
func (l *ledger) absent(s *count.Swap) []count.Absent {
	watched := make(map[string]bool, len(s.Interfaces))
	for i := range s.Interfaces {
		watched[s.Interfaces[i].ID] = true
	}
	var list []count.Absent
	oldest := s.End.Add(-absentFor).Unix()
	for id, last := range l.active {
		if !watched[id] && last >= oldest {
			list = append(list, count.Absent{ID: id, Last: last})
		}
	}
	if len(list) > maxAbsent {
		slices.SortFunc(list, func(a, b count.Absent) int { return cmp.Or(cmp.Compare(b.Last, a.Last), cmp.Compare(a.ID, b.ID)) })
		list = list[:maxAbsent]
	}
	slices.SortFunc(list, func(a, b count.Absent) int { return cmp.Compare(a.ID, b.ID) })
	return list
}

// stored reports whether a swap is in the journal. Epochs of one source ascend,
// so the last one answers for nearly all; an earlier one is looked for.
func (j *Journal) stored(ctx context.Context, s *count.Swap) (bool, error) {
	l := &j.ledger
	if l.seq == 0 || l.source != s.Source || s.Epoch > l.epoch {
		return false, nil
	}
	if s.Epoch == l.epoch {
		return true, nil
	}
	found := false
	_, err := j.closings(ctx, 0, l.seq, func(m *count.Closing, _ uint64) {
		found = found || m.Source == s.Source && m.Epoch == s.Epoch
	})
	if err == nil && !found {
		j.cfg.Log.Warn("a swap comes after a later one of its source", "source", s.Source, "epoch", s.Epoch, "stored", l.epoch)
	}
	return found, err
}

// raise notes that sequence numbers up to one are in use, so that damage at the
// stream's end cannot bring them back: readers' positions may lie there.
func (j *Journal) raise(ctx context.Context, seq uint64) error {
	return j.put(ctx, keyHigh+token(j.cfg.Host), strconv.AppendUint(nil, seq, 10), countsReserve/2)
}

// number reads a number of the catalogue; 0 when it is not there.
func (j *Journal) number(ctx context.Context, key string) (uint64, error) {
	b, err := j.get(ctx, key)
	if err != nil || b == nil {
		return 0, err
	}
	n, err := strconv.ParseUint(string(b), 10, 64)
	if err != nil {
		return 0, &Error{"read the catalogue", key, err, "delete the key"}
	}
	return n, nil
}

// fill takes the numbers out of use that a damaged stream has lost at its end.
func (j *Journal) fill(ctx context.Context) error {
	keys, err := j.keys(ctx, keyHigh)
	if err != nil {
		return err
	}
	high := uint64(0)
	for _, key := range keys {
		n, err := j.number(ctx, key)
		if err != nil {
			return err
		}
		high = max(high, n)
	}
	info, err := j.stream.Info(ctx)
	if err != nil || info.State.LastSeq >= high {
		return err
	}
	// A crash between the note and the closing message leaves one number out of
	// use; more are damage.
	if n := high - info.State.LastSeq; n > 1 || j.server != nil && j.server.mended > 0 {
		j.stats.damaged.Add(n)
		j.cfg.Log.Error("messages at the journal's end are lost", "messages", n)
	}
	return j.fillUp(ctx, info.State.LastSeq, high)
}

// fillUp stores empty messages until the stream, which ends at last, ends at high.
func (j *Journal) fillUp(ctx context.Context, last, high uint64) error {
	if high-last > maxFill {
		return fmt.Errorf("the stream ends at %d, and numbers up to %d are in use: that is more than damage", last, high)
	}
	l := j.newLot()
	for range high - last {
		if err := l.add(ctx, j.names.fill, nil); err != nil {
			return err
		}
	}
	if _, _, err := l.done(ctx); err != nil {
		return err
	}
	return j.countsDisk.sync()
}

// maxFill is more than what can stand in a block of a damaged stream.
const maxFill = 10_000_000
