package journal

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"math/rand/v2"
	"strconv"
	"time"

	"weir/count"
)

// chunkSize is what a chunk has at most, in bytes. Larger ones would be a little
// faster to write; damage takes one whole.
const chunkSize = 256 << 10

// Append stores a swap. When it returns nil the swap is on disk, exactly once:
// one that is stored already is not stored again, by its source and epoch. After
// an error it is not stored, or it is not known to be, and Append of the same
// swap is safe. The error wraps [syscall.ENOSPC] when the disk is full and
// [ErrFull] when the journal is.
//
// It sets Active of the swap's interfaces: one that has had a packet in this or
// in an earlier swap of this host. It keeps nothing of the swap.
//
// With a server by URL, on disk means what that server means by it.
func (j *Journal) Append(ctx context.Context, s *count.Swap) error {
	began := time.Now()
	select {
	case j.appending <- struct{}{}:
		defer func() { <-j.appending }()
	case <-ctx.Done():
		return ctx.Err()
	}
	err := j.appendOnce(ctx, s)
	if err != nil {
		j.stats.failures.Add(1)
		j.unsure = true
		j.ail(err)
		return explain("store a swap", "epoch "+strconv.FormatUint(s.Epoch, 10), err)
	}
	j.stats.last.Store(int64(time.Since(began)))
	return nil
}

func (j *Journal) appendOnce(ctx context.Context, s *count.Swap) error {
	if j.isClosed() {
		return errClosed
	}
	if err := j.heal(ctx); err != nil {
		return err
	}
	ctx, cancel := j.whileConnected(ctx)
	defer cancel()
	return ended(ctx, j.append(ctx, s))
}

func (j *Journal) append(ctx context.Context, s *count.Swap) error {
	if j.unsure {
		if err := j.recover(ctx); err != nil {
			return err
		}
	}
	order, per, err := byInterface(s)
	if err != nil {
		return err
	}
	m := j.closingOf(s, per)
	if is, err := j.stored(ctx, s); err != nil {
		return err
	} else if is {
		j.stats.skipped.Add(1)
		return j.countsDisk.sync() // its answer may have been lost before it was synced
	}
	if err := j.mayStore(ctx, s); err != nil {
		return err
	}
	bytes, last, err := j.storeChunks(ctx, s, m, order)
	if err != nil {
		return err
	}
	data, err := count.AppendClosing(nil, m)
	if err != nil {
		return err
	}
	if err := j.fits(len(data)); err != nil {
		return err
	}
	if err := errors.Join(j.raise(ctx, last+1), j.countsDisk.sync()); err != nil {
		return err
	}
	return j.close(ctx, m, data, last, bytes+len(data))
}

// byInterface returns the order of the flows by interface, and how many each
// place of s.Interfaces has. The flows themselves stay where they are.
func byInterface(s *count.Swap) (order []int32, per []int, err error) {
	place := make(map[uint16]int, len(s.Interfaces))
	for i := range s.Interfaces {
		place[s.Interfaces[i].Index] = i
	}
	per = make([]int, len(s.Interfaces))
	for i := range s.Flows {
		p, ok := place[s.Flows[i].Key.Interface]
		if !ok {
			return nil, nil, fmt.Errorf("it has flows of interface %d, which it does not list", s.Flows[i].Key.Interface)
		}
		per[p]++
	}
	next := make([]int, len(per))
	for i := 1; i < len(per); i++ {
		next[i] = next[i-1] + per[i-1]
	}
	order = make([]int32, len(s.Flows))
	for i := range s.Flows {
		p := place[s.Flows[i].Key.Interface]
		order[next[p]] = int32(i)
		next[p]++
	}
	return order, per, nil
}

// closingOf is the closing message as far as the swap tells it, and sets Active.
func (j *Journal) closingOf(s *count.Swap, per []int) *count.Closing {
	m := &count.Closing{
		Host: j.cfg.Host, Attempt: newAttempt(j.cfg.Host), Source: s.Source, Epoch: s.Epoch, Topology: s.Topology,
		Start: s.Start.UTC().Round(0), End: s.End.UTC().Round(0),
		Interfaces: make([]count.Closed, len(s.Interfaces)), Absent: j.ledger.absent(s),
	}
	for i := range s.Interfaces {
		w := &s.Interfaces[i]
		_, before := j.ledger.active[w.ID]
		w.Active = w.Active || before || per[i] > 0 || w.Loss.Packets() > 0
		m.Interfaces[i] = count.Closed{Watched: *w, Flows: uint64(per[i])}
	}
	for i := range s.Flows {
		if r := s.Flows[i].Reason; r != 0 && s.Reasons[r] != "" {
			if m.Reasons == nil {
				m.Reasons = map[uint16]string{}
			}
			m.Reasons[r] = s.Reasons[r]
		}
	}
	return m
}

// newAttempt makes an id whose upper half is the host's: chunks that no closing
// message ever names are told from those of another host, which come between.
func newAttempt(host string) uint64 {
	return uint64(crc32.ChecksumIEEE([]byte(host)))<<32 | uint64(rand.Uint32())
}

// mayStore looks whether there is room for a swap, in the journal and on disk, so
// that nothing is begun that cannot be ended.
func (j *Journal) mayStore(ctx context.Context, s *count.Swap) error {
	// A flow of IPv6 with two tallies has about 80 bytes, a message 150 beside its
	// text, an interface in the closing message up to 100.
	need := int64(len(s.Flows))*80 + int64(len(s.Interfaces))*300 + 64<<10
	if err := j.hasRoom("store a swap", need, countsReserve); err != nil {
		return err
	}
	info, err := j.stream.Info(ctx)
	if err != nil {
		return err
	}
	if limit := info.Config.MaxBytes; limit > 0 && int64(info.State.Bytes)+need > limit {
		return &Error{
			"store a swap", "epoch " + strconv.FormatUint(s.Epoch, 10),
			fmt.Errorf("%w: it holds %d MiB and may hold %d", ErrFull, info.State.Bytes>>20, limit>>20),
			"let a destination catch up, or give the journal more room",
		}
	}
	j.ledger.seen = info.State.LastSeq
	if j.ledger.seen < j.ledger.high {
		// A server that does not sync always has lost its end with a power cut.
		j.cfg.Log.Error("the NATS server has lost what it had acknowledged", "messages", j.ledger.high-j.ledger.seen)
		j.stats.damaged.Add(j.ledger.high - j.ledger.seen)
		j.ledger.seen = j.ledger.high
		return j.fillUp(ctx, info.State.LastSeq, j.ledger.high)
	}
	return nil
}

// fits refuses a message that the server would refuse.
func (j *Journal) fits(n int) error {
	if most := j.nc.MaxPayload() - 1024; int64(n) > most {
		return &Error{
			"store a swap", "", fmt.Errorf("its closing message has %d bytes, and the NATS server takes %d", n, most),
			"raise max_payload of the NATS server",
		}
	}
	return nil
}

// storeChunks stores the flows and completes m. It returns the bytes stored and
// the sequence number of the last message.
func (j *Journal) storeChunks(ctx context.Context, s *count.Swap, m *count.Closing, order []int32) (bytes int, last uint64, err error) {
	l := j.newLot()
	var scratch []byte
	limit := min(chunkSize, int(j.nc.MaxPayload()/2)) // a server may take less
	head := count.Chunk{Attempt: m.Attempt, Start: s.Start.UnixMilli()}
	for i := range m.Interfaces {
		w := &m.Interfaces[i]
		subject := j.names.chunk(w.VPCID, w.SubnetID, w.ID)
		mine := order[:w.Flows]
		order = order[w.Flows:]
		for _, f := range mine {
			packets, octets := s.Flows[f].Sum()
			w.Packets += packets
			w.Bytes += octets
		}
		for len(mine) > 0 {
			var taken int
			scratch, taken = count.AppendChunkOf(scratch[:0], head, limit, len(mine), func(i int) *count.Flow { return &s.Flows[mine[i]] })
			mine = mine[taken:]
			head.Ordinal++
			w.Chunks++
			bytes += len(scratch)
			if err := l.add(ctx, subject, append([]byte(nil), scratch...)); err != nil {
				return bytes, 0, err
			}
		}
	}
	m.Chunks = head.Ordinal
	if m.First, last, err = l.done(ctx); err != nil {
		return bytes, 0, err
	}
	return bytes, max(last, j.ledger.seen), nil
}

// close stores the closing message: from then on the swap is in the journal. That
// the host's subject ends where the ledger says is a condition, so that the same
// swap is not stored twice by an answer that came too late, nor by two programs
// that call themselves the same host.
func (j *Journal) close(ctx context.Context, m *count.Closing, data []byte, last uint64, bytes int) error {
	subject := j.names.closing(j.cfg.Host)
	seq, err := j.publish(ctx, subject, data, j.ledger.subjectLast)
	if wrongLast(err) {
		if err := j.recover(ctx); err != nil {
			return err
		}
		if j.ledger.source == m.Source && j.ledger.epoch == m.Epoch {
			return j.countsDisk.sync()
		}
		if seq, err = j.publish(ctx, subject, data, j.ledger.subjectLast); wrongLast(err) {
			// The last one is there and cannot be read.
			j.cfg.Log.Warn("the swap is stored without regard to the last one, which is damaged", "epoch", m.Epoch)
			seq, err = j.publish(ctx, subject, data, anything)
		}
	}
	if err != nil {
		return err
	}
	if err := j.countsDisk.sync(); err != nil {
		return err
	}
	if seq > last+1 { // another host came between
		if err := j.raise(ctx, seq); err != nil {
			return err
		}
	}
	j.ledger.note(m, seq)
	j.ledger.subjectLast = seq
	j.stats.swaps.Add(1)
	j.stats.bytes.Add(uint64(bytes))
	for i := range m.Interfaces {
		j.stats.flows.Add(m.Interfaces[i].Flows)
	}
	// Who misses the news looks again by himself.
	if err := j.nc.Publish(j.names.news, nil); err != nil {
		j.wake()
	}
	return nil
}
