package flowlogs

import "slices"

// Plan is how a catalogue becomes what is declared. Deleting comes first.
type Plan struct {
	Delete []FlowLog
	Create []FlowLog // Created is not set
	// Update are flow logs of the catalogue whose tags, retention or roles are
	// declared anew, or that somebody else declares now; the rest of them stays.
	Update []FlowLog
	Keep   []FlowLog
	// Refused are declared, and clash with flow logs made by hand.
	Refused []Refused
}

// Refused is a declared flow log that cannot be.
type Refused struct {
	FlowLog FlowLog
	Err     *Error
}

// Changes compares the catalogue with what is declared by a file or by default.
// Flow logs made by hand stay as they are. Since ids are derived from what never
// changes, equal ids are the same flow log: it goes on where it was.
func Changes(have, want []FlowLog) Plan {
	var p Plan
	wanted := make(map[string]*FlowLog, len(want))
	for i := range want {
		wanted[want[i].ID] = &want[i]
	}
	var byHand []FlowLog
	held := map[string]*FlowLog{}
	for i := range have {
		switch h := &have[i]; {
		case h.MadeBy == ByHand:
			byHand = append(byHand, *h)
		case wanted[h.ID] == nil:
			p.Delete = append(p.Delete, *h)
		default:
			held[h.ID] = h
		}
	}
	for _, w := range want {
		h := held[w.ID]
		switch {
		case h == nil:
			if err := clash(w, byHand); err != nil {
				p.Refused = append(p.Refused, Refused{w, err})
				continue
			}
			p.Create = append(p.Create, w)
		case sameApart(*h, w):
			p.Keep = append(p.Keep, *h)
		default:
			w.Created, w.Token, w.Asked = h.Created, h.Token, h.Asked
			// The spelling of the destination is the catalogue's: it is what
			// people have seen.
			w.Destination, w.LogGroup = h.Destination, h.LogGroup
			p.Update = append(p.Update, w)
		}
	}
	return p
}

// sameApart reports whether two flow logs with one id agree in what may change.
func sameApart(a, b FlowLog) bool {
	return a.MadeBy == b.MadeBy && a.Retention == b.Retention && slices.Equal(a.Tags, b.Tags) &&
		a.DeliverRole == b.DeliverRole && a.CrossAccountRole == b.CrossAccountRole
}
