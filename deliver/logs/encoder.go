package logs

import (
	"cmp"
	"slices"
	"unsafe"

	"weir/deliver"
	"weir/deliver/internal/lines"
	"weir/flowlog"
)

// encoder is a batch: its text, and the events of each stream.
type encoder struct {
	d    *Destination
	text lines.Buffer
	line []byte // the record at hand

	streams []*stream // as they came first
	byOwner map[string]*stream
	last    *stream // records of an interface come together
	held    int64   // beside the text
}

// stream is the events of one log stream.
type stream struct {
	owner  string // an interface's id
	name   string
	events []event
	mixed  bool // not in the order of their time
}

// event is a record: 16 bytes beside its text. Its time is its start; a line's
// place in the buffer tells which of two was added first.
type event struct {
	start int64 // Unix seconds
	ref   lines.Ref
}

// Rough sizes of what a stream costs: its struct, its name and its place in the
// map. It need only be right for a batch of many quiet interfaces.
const perStream = 256

// Add implements [deliver.Encoder].
func (e *encoder) Add(r *flowlog.Record) {
	s := e.last
	if owner := ownerOf(r); s == nil || s.owner != owner {
		s = e.stream(owner)
		e.last = s
	}
	e.line = e.d.format.AppendText(e.line[:0], r)
	if n := len(s.events); n > 0 && s.events[n-1].start > r.Start {
		s.mixed = true
	}
	before := cap(s.events)
	s.events = append(s.events, event{r.Start, e.text.Add(e.line)})
	e.held += int64(cap(s.events)-before) * int64(unsafe.Sizeof(event{}))
}

// ownerOf is whose log stream a record goes to. Regional NAT gateways have no
// interface, transit gateways have a stream each (their guide, "Transit Gateway
// Flow Logs records in CloudWatch Logs").
func ownerOf(r *flowlog.Record) string {
	return cmp.Or(r.InterfaceID, r.ResourceID, r.TGWID, "unknown")
}

func (e *encoder) stream(owner string) *stream {
	if s := e.byOwner[owner]; s != nil {
		return s
	}
	if e.byOwner == nil {
		e.byOwner = map[string]*stream{}
	}
	name := owner + e.d.suffix
	s := &stream{owner: name[:len(owner)], name: name} // the record's own string is not kept
	e.byOwner[s.owner] = s
	e.streams = append(e.streams, s)
	e.held += perStream
	return s
}

// Held implements [deliver.Encoder].
func (e *encoder) Held() int64 { return e.text.Held() + e.held + int64(cap(e.line)) }

// Finish implements [deliver.Encoder].
func (e *encoder) Finish() ([]deliver.Part, error) {
	var parts []deliver.Part
	for _, s := range e.streams {
		if s.mixed {
			slices.SortFunc(s.events, func(a, b event) int {
				return cmp.Or(cmp.Compare(a.start, b.start), cmp.Compare(a.ref, b.ref))
			})
		}
		for rest := s.events; len(rest) > 0; {
			n, size := fit(rest, &e.text)
			parts = append(parts, &part{d: e.d, text: &e.text, stream: s.name, events: rest[:n:n], size: size})
			rest = rest[n:]
		}
	}
	e.byOwner, e.last, e.line = nil, nil, nil
	return parts, nil
}
