package question

import (
	"cmp"
	"net/netip"
	"slices"
	"time"
)

// Way is the direction of a flow as the question sees it.
type Way string

// Ways. Beyond is a request, or its reply, behind an interface that gives
// packets its own address: a NAT gateway.
const (
	Request     Way = "request"
	Reply       Way = "reply"
	Beyond      Way = "beyond"
	BeyondReply Way = "beyond reply"
)

// turned is the way seen from the other end.
func (w Way) turned() Way {
	switch w {
	case Request:
		return Reply
	case Reply:
		return Request
	}
	return w
}

// Flow is the records of one way at one interface that say the same.
type Flow struct {
	Way         Way
	InterfaceID string // empty: the records do not hold it
	Direction   string // flowlog.Ingress or Egress; empty: the records do not hold it
	Action      string // flowlog.Accept or Reject; empty: the records do not hold it

	Src, Dst       netip.Addr // srcaddr, dstaddr
	PktSrc, PktDst netip.Addr // invalid: the records do not hold them

	Records, Packets, Bytes int64
	First, Last             time.Time // of the packets; UTC, whole seconds
	Port                    int       // the lowest of the client's ports, 0 when there is none
	Ports                   int64     // how many different ones there are

	// Flags is the union of the records' tcp-flags; HasFlags when any record holds
	// them. The counts are of client ports: connections, as far as records tell.
	Flags    int64
	HasFlags bool
	SynAcks  int64 // with a SYN-ACK
	Resets   int64 // with a reset
	Closed   int64 // with a reset and no SYN-ACK

	RuleID       int64  // 0: none is named
	Rule         string // percent-encoded, empty: none is named
	Names        bool   // the records would name a rule of Weir's, had one refused
	DropReason   string
	RejectReason string
}

// Sighting is what the window holds of one interface, whatever the traffic.
type Sighting struct {
	InterfaceID string
	Records     int64 // of any kind
	NoData      int64 // windows without traffic
	SkipData    int64 // windows of which records were lost
	Accepted    int64 // records with ACCEPT
	Rejected    int64 // records with REJECT
	First, Last time.Time
	// OwnsSrc and OwnsDst: an end's address is the interface's own, by the
	// direction of its records or because all of them have it.
	OwnsSrc, OwnsDst bool
}

// Evidence is what the records say.
type Evidence struct {
	Flows     []Flow
	Sightings []Sighting // of the interfaces concerned
	Total     Total
	Bucket    Bucket
}

// Total is about all records of the window.
type Total struct {
	Records     int64
	Interfaces  int
	SkipData    int64
	Accepted    int64
	Rejected    int64
	First, Last time.Time
	// Has says for fields that help which ones at least one record holds.
	Has map[string]bool
}

// Bucket is about the objects, whatever the window. The zero value is "nobody
// looked".
type Bucket struct {
	Objects        int // in the window
	All            int
	Oldest, Newest time.Time // slots, by the objects' keys; zero when no key tells
}

// sorted is the evidence in the one order in which it is looked at.
func (e Evidence) sorted() Evidence {
	e.Flows = slices.Clone(e.Flows)
	slices.SortFunc(e.Flows, func(a, b Flow) int {
		return cmp.Or(
			a.First.Compare(b.First), cmp.Compare(wayOrder(a.Way), wayOrder(b.Way)), cmp.Compare(a.InterfaceID, b.InterfaceID),
			cmp.Compare(a.Direction, b.Direction), cmp.Compare(a.Action, b.Action), a.Last.Compare(b.Last),
			a.Src.Compare(b.Src), a.Dst.Compare(b.Dst), a.PktSrc.Compare(b.PktSrc), a.PktDst.Compare(b.PktDst),
			cmp.Compare(a.RuleID, b.RuleID), cmp.Compare(a.Rule, b.Rule), cmp.Compare(a.DropReason, b.DropReason),
			cmp.Compare(a.RejectReason, b.RejectReason), cmp.Compare(a.Packets, b.Packets), cmp.Compare(a.Bytes, b.Bytes),
			cmp.Compare(a.Port, b.Port), cmp.Compare(a.Flags, b.Flags), cmp.Compare(a.Records, b.Records),
			cmp.Compare(a.Ports, b.Ports), cmp.Compare(a.SynAcks, b.SynAcks), cmp.Compare(a.Resets, b.Resets), cmp.Compare(a.Closed, b.Closed),
			boolOrder(a.HasFlags, b.HasFlags), boolOrder(a.Names, b.Names),
		)
	})
	e.Sightings = slices.Clone(e.Sightings)
	slices.SortFunc(e.Sightings, func(a, b Sighting) int { return cmp.Compare(a.InterfaceID, b.InterfaceID) })
	return e
}

func boolOrder(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	}
	return 1
}

func wayOrder(w Way) int { return slices.Index([]Way{Request, Beyond, BeyondReply, Reply}, w) }

// turned is the evidence for the question seen from the other end.
func (e Evidence) turned() Evidence {
	e.Flows, e.Sightings = slices.Clone(e.Flows), slices.Clone(e.Sightings)
	for i := range e.Flows {
		e.Flows[i].Way = e.Flows[i].Way.turned()
	}
	for i := range e.Sightings {
		s := &e.Sightings[i]
		s.OwnsSrc, s.OwnsDst = s.OwnsDst, s.OwnsSrc
	}
	return e
}

// refusalsOnly reports whether nothing but refusals is recorded of the interface:
// a flow log may take REJECT only, and then what passed is not in it.
func (s *Sighting) refusalsOnly() bool { return s.Rejected > 0 && s.Accepted == 0 }

// sighting is what was seen of an interface; zero when nothing was.
func (e *Evidence) sighting(id string) Sighting {
	for _, s := range e.Sightings {
		if s.InterfaceID == id {
			return s
		}
	}
	return Sighting{InterfaceID: id}
}

// rewrites reports whether the flow's interface has its own address in the place
// of one of the packet's.
func (f *Flow) rewrites() bool {
	return f.PktSrc.IsValid() && f.Src.IsValid() && f.PktSrc != f.Src || f.PktDst.IsValid() && f.Dst.IsValid() && f.PktDst != f.Dst
}
