package question

import "fmt"

// orient finds out which way the connection was opened, when a record was asked
// about: it may be one of a reply. why is empty when the question stays as it is.
func orient(q Question, e Evidence) (_ Question, _ Evidence, why string) {
	if q.Record == nil {
		return q, e, ""
	}
	turn, why := isReply(&q, &e)
	if !turn {
		return q, e, ""
	}
	return q.turned(), e.turned(), why
}

// isReply asks first who opened the connection by its flags, then whose port is
// a service's, then who was first.
func isReply(q *Question, e *Evidence) (turn bool, why string) {
	var opened, answered [2]bool // by way: Request, Reply
	for i := range e.Flows {
		f := &e.Flows[i]
		if at := wayOrder(f.Way); at == 0 || at == 3 {
			opened[at/3] = opened[at/3] || f.HasFlags && f.Flags&flagSYN != 0 && f.Flags&flagSynAck == 0
			answered[at/3] = answered[at/3] || f.HasFlags && f.Flags&flagSynAck != 0
		}
	}
	switch {
	case answered[0] && !answered[1], opened[1] && !opened[0]:
		return true, "by tcp-flags the other end opened the connection"
	case answered[1] && !answered[0], opened[0] && !opened[1]:
		return false, ""
	}
	if q.hasPorts() && q.SrcPort != AnyPort && q.Port != AnyPort {
		switch src, dst := isService(q.SrcPort), isService(q.Port); {
		case src && !dst:
			return true, fmt.Sprintf("its source port %d is a service's, its destination port %d is a client's", q.SrcPort, q.Port)
		case dst && !src:
			return false, ""
		}
	}
	var first, back *Flow // the evidence is in the order of time
	for i := range e.Flows {
		switch f := &e.Flows[i]; {
		case f.Way == Request && first == nil:
			first = f
		case f.Way == Reply && back == nil:
			back = f
		}
	}
	if first != nil && back != nil && back.First.Before(first.First) {
		return true, "the other direction was there first"
	}
	return false, ""
}

// isService tells a port at which services listen from a client's: Linux gives
// clients 32768 and above, IANA keeps those from 49152 for them.
func isService(port int) bool { return port < 32768 }
