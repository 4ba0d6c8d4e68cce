package journal

import (
	"context"
	"strings"

	"weir/count"
)

// pending is the chunks of a swap that is not closed yet.
type pending struct {
	chunks []ordered
	bytes  int
}

type ordered struct {
	ordinal uint32
	data    []byte
}

// of returns a chunk; nil when it is not there. They come in order, mostly.
func (p *pending) of(ordinal uint32) []byte {
	if i := int(ordinal); i < len(p.chunks) && p.chunks[i].ordinal == ordinal {
		return p.chunks[i].data
	}
	for i := range p.chunks {
		if p.chunks[i].ordinal == ordinal {
			return p.chunks[i].data
		}
	}
	return nil
}

func (r *Reader) chunk(m message) error {
	h, err := count.DecodeHead(m.data)
	if err != nil {
		return err
	}
	p := r.pending[h.Attempt]
	if p == nil {
		p = &pending{}
		r.pending[h.Attempt] = p
	}
	p.chunks = append(p.chunks, ordered{h.Ordinal, m.data})
	p.bytes += len(m.data)
	return nil
}

// closing puts a swap together. It returns false for one that is not to be
// handed out.
func (r *Reader) closing(ctx context.Context, msg message) (count.Entry, bool, error) {
	m, err := count.DecodeClosing(msg.data)
	if err != nil {
		return count.Entry{}, false, err
	}
	p := r.claim(m)
	if msg.seq <= r.purged || !r.follows(m) {
		return count.Entry{}, false, nil
	}
	if len(p.chunks) < int(m.Chunks) && m.First > 0 && m.First <= r.after {
		// Another host's swap ended between this one's chunks, and there the reader
		// began.
		if p, err = r.again(ctx, m, msg.seq); err != nil {
			return count.Entry{}, false, err
		}
	}
	return count.Entry{Swap: r.assemble(m, p, msg.seq), Seq: msg.seq}, true, nil
}

// claim takes the chunks of a swap, and drops those of the same host that nothing
// closed: its earlier attempts.
func (r *Reader) claim(m *count.Closing) *pending {
	p := r.pending[m.Attempt]
	if p == nil {
		p = &pending{}
	}
	orphans := 0
	for attempt, other := range r.pending {
		if attempt>>32 != m.Attempt>>32 {
			continue
		}
		if attempt != m.Attempt {
			orphans += len(other.chunks)
		}
		delete(r.pending, attempt)
	}
	if orphans > 0 {
		r.j.stats.orphans.Add(uint64(orphans))
		r.j.cfg.Log.Info("chunks of a swap that was never closed are left out", "chunks", orphans, "before_epoch", m.Epoch)
	}
	return p
}

// follows looks whether a swap comes next in its source, and says so when others
// are missing. It is false for one that has been handed out already.
func (r *Reader) follows(m *count.Closing) bool {
	last, known := r.epochs[m.Source]
	r.epochs[m.Source] = m.Epoch
	switch {
	case !known || m.Epoch == last+1:
	case m.Epoch == last:
		r.j.stats.doubled.Add(1)
		r.j.cfg.Log.Warn("a swap came twice, the second is left out", "source", m.Source, "epoch", m.Epoch)
		return false
	case m.Epoch > last:
		r.j.stats.gaps.Add(m.Epoch - last - 1)
		r.j.cfg.Log.Error("swaps are missing in the journal", "source", m.Source, "after_epoch", last, "before_epoch", m.Epoch)
	default:
		r.j.cfg.Log.Warn("a swap comes after a later one of its source", "source", m.Source, "epoch", m.Epoch, "after", last)
	}
	return true
}

// again reads the chunks of one swap once more.
func (r *Reader) again(ctx context.Context, m *count.Closing, seq uint64) (*pending, error) {
	f, err := r.j.newFetcher()
	if err != nil {
		return nil, err
	}
	defer f.close()
	p := &pending{}
	for next := m.First; next < seq; {
		list, err := f.get(ctx, next, "")
		if err != nil {
			return nil, err
		}
		next++
		for _, msg := range list {
			next = msg.seq + 1
			if msg.seq >= seq || !strings.HasPrefix(msg.subject, r.j.names.chunks+".") {
				continue
			}
			if h, err := count.DecodeHead(msg.data); err == nil && h.Attempt == m.Attempt {
				p.chunks = append(p.chunks, ordered{h.Ordinal, msg.data})
				p.bytes += len(msg.data)
			}
		}
	}
	return p, nil
}

// assemble makes the swap. One core decodes ten million flows a second, more than
// the server hands over: there is nothing to share out.
func (r *Reader) assemble(m *count.Closing, p *pending, seq uint64) *count.Swap {
	s := &count.Swap{
		Source: m.Source, Epoch: m.Epoch, Topology: m.Topology, Start: m.Start, End: m.End,
		Reasons: m.Reasons, Interfaces: make([]count.Watched, len(m.Interfaces)),
	}
	flows := uint64(0)
	for i := range m.Interfaces {
		flows += m.Interfaces[i].Flows
	}
	// What is claimed is believed as far as the chunks could hold it.
	s.Flows = make([]count.Flow, 0, min(flows, uint64(p.bytes/2)))
	ordinal := uint32(0)
	for i := range m.Interfaces {
		c := &m.Interfaces[i]
		s.Interfaces[i] = c.Watched
		was := len(s.Flows)
		for range c.Chunks {
			if data := p.of(ordinal); data != nil {
				var err error
				if s.Flows, err = count.DecodeChunk(s.Flows, data, c.Index); err != nil {
					r.j.stats.damaged.Add(1)
					r.j.cfg.Log.Error("a chunk of the journal is damaged", "interface_id", c.ID, "epoch", m.Epoch, "err", err)
				}
			}
			ordinal++
		}
		packets, octets := uint64(0), uint64(0)
		for k := range s.Flows[was:] {
			p, o := s.Flows[was+k].Sum()
			packets += p
			octets += o
		}
		if packets != c.Packets || octets != c.Bytes || uint64(len(s.Flows)-was) != c.Flows {
			s.Interfaces[i].Loss.JournalPackets += c.Packets - min(packets, c.Packets)
			s.Interfaces[i].Loss.JournalBytes += c.Bytes - min(octets, c.Bytes)
			r.j.cfg.Log.Error("counts of a swap are lost in the journal",
				"interface_id", c.ID, "epoch", m.Epoch, "sequence", seq,
				"packets", c.Packets-min(packets, c.Packets), "flows", c.Flows-min(uint64(len(s.Flows)-was), c.Flows))
		}
	}
	return s
}
