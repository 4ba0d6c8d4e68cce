package journal

import (
	"context"
	"encoding/binary"
	"strconv"
	"strings"

	"github.com/nats-io/nats.go/jetstream"

	"weir/count"
)

// Bounds are the sequence numbers of the first and the last message; the last is
// one less than the first when there is none.
func (j *Journal) Bounds(ctx context.Context) (count.Bounds, error) {
	info, err := j.stream.Info(ctx)
	if err != nil {
		return count.Bounds{}, explain("look at the journal", "", err)
	}
	s := &info.State
	if s.Msgs == 0 {
		return count.Bounds{First: s.LastSeq + 1, Last: s.LastSeq}, nil
	}
	return count.Bounds{First: s.FirstSeq, Last: s.LastSeq, Bytes: s.Bytes, Oldest: s.FirstTime}, nil
}

// Survey tells what the swaps after one sequence number and up to another hold,
// without reading their flows: of every interface that was watched. A closing
// message that cannot be read is left out, and reported by whoever reads.
func (j *Journal) Survey(ctx context.Context, after, upTo uint64) ([]count.Survey, error) {
	purged, err := j.number(ctx, keyPurged)
	if err != nil {
		return nil, explain("survey the journal", "", err)
	}
	var list []count.Survey
	_, err = j.closings(ctx, max(after, purged), upTo, func(m *count.Closing, seq uint64) {
		s := count.Survey{Seq: seq, Start: m.Start, End: m.End, Topology: m.Topology, Interfaces: make([]count.Counted, len(m.Interfaces))}
		for i := range m.Interfaces {
			c := &m.Interfaces[i]
			s.Interfaces[i] = count.Counted{ID: c.ID, VPCID: c.VPCID, SubnetID: c.SubnetID, Packets: c.Packets, Bytes: c.Bytes}
		}
		list = append(list, s)
	})
	return list, explain("survey the journal", "", err)
}

// closings reads the closing messages of all hosts behind one sequence number and
// up to another, and returns how many cannot be read.
func (j *Journal) closings(ctx context.Context, after, upTo uint64, do func(m *count.Closing, seq uint64)) (damaged int, err error) {
	f, err := j.newFetcher()
	if err != nil {
		return 0, err
	}
	defer f.close()
	info, err := j.stream.Info(ctx)
	if err != nil {
		return 0, err
	}
	upTo = min(upTo, info.State.LastSeq)
	for next := after + 1; next <= upTo; {
		list, err := f.get(ctx, next, j.names.swaps+".>")
		if err != nil {
			return damaged, err
		}
		if len(list) == 0 {
			// There are no more, or one cannot be read. The end is near, mostly: a
			// closing message is the last of its swap.
			next++
		}
		for _, msg := range list {
			if msg.seq > upTo {
				return damaged, nil
			}
			next = msg.seq + 1
			m, err := count.DecodeClosing(msg.data)
			if err != nil {
				damaged++
				continue
			}
			do(m, msg.seq)
		}
	}
	return damaged, nil
}

// Purge forgets everything up to a sequence number. The last closing message of
// each host is remembered in the catalogue, so that a swap that comes again is
// known all the same.
func (j *Journal) Purge(ctx context.Context, upTo uint64) error {
	return explain("purge the journal", "up to "+strconv.FormatUint(upTo, 10), j.purge(ctx, upTo))
}

func (j *Journal) purge(ctx context.Context, upTo uint64) error {
	info, err := j.stream.Info(ctx, jetstream.WithSubjectFilter(j.names.swaps+".>"))
	if err != nil {
		return err
	}
	upTo = min(upTo, info.State.LastSeq)
	if upTo < info.State.FirstSeq || info.State.Msgs == 0 {
		return nil
	}
	for subject := range info.State.Subjects {
		data, seq, err := j.lastClosing(ctx, subject)
		if err != nil {
			return err
		}
		if seq == 0 || seq > upTo {
			continue
		}
		key := keyLedger + strings.TrimPrefix(subject, j.names.swaps+".")
		if err := j.put(ctx, key, append(binary.BigEndian.AppendUint64(nil, seq), data...), catalogueReserve); err != nil {
			return err
		}
	}
	if err := j.put(ctx, keyPurged, strconv.AppendUint(nil, upTo, 10), catalogueReserve); err != nil {
		return err
	}
	return j.stream.Purge(ctx, jetstream.WithPurgeSequence(upTo+1))
}
