package verdict

import (
	"fmt"
	"net/netip"
	"slices"
	"sort"
	"strings"

	"weir/count"
	"weir/policy"
	"weir/vpc"
)

// judge plays packets through the model and the kernel and compares.
type judge struct {
	*rig
	*speaker
	state       conntrack
	packets     int
	differences []string
	met         map[string]int // what happened, for the summary
	refusals    map[policy.Mark]uint64
}

// place is a flow at one door of one interface, as the capture counts it.
type place struct {
	id       string
	door     policy.Door
	src, dst netip.Addr
	protocol uint8
	ports    [2]uint16
}

// tally is what is counted there.
type tally struct {
	seen, refused uint64
	rule          uint32
}

func (t tally) String() string {
	if t.refused > 0 {
		return fmt.Sprintf("seen %d, refused %d by rule %d", t.seen, t.refused, t.rule)
	}
	return fmt.Sprintf("seen %d", t.seen)
}

// trial is one packet of a batch: what the model says about it.
type trial struct {
	hop
	to         *vpc.Interface
	state      policy.State
	verdict    policy.Verdict // of the interface that refused it, or the last
	refusedAt  *vpc.Interface
	door       policy.Door // where it was refused
	direction  policy.Direction
	counts     map[place]tally
	delivered  bool
	orphans    int // pieces that arrive without the first
	connection *connection
}

// batch plays one packet of each conversation; no two of them have the same
// flow at any place.
func (j *judge) batch(hops []hop) (rest []int) {
	j.t.Helper()
	var trials []*trial
	taken := map[place]*trial{}
	for n := range hops {
		if len(trials) == 1<<14 {
			rest = append(rest, n)
			continue
		}
		t := j.predict(hops[n])
		if t == nil || clash(taken, t) {
			rest = append(rest, n)
			continue
		}
		j.sent(t)
		trials = append(trials, t)
	}
	for n, t := range trials {
		from := j.ends[t.from.ID]
		to := from.routerM
		if t.switched {
			to = j.ends[t.to.ID].mac
		}
		j.send(from, t.frames(n, to, from.mac))
	}
	arrived := j.arrivals()
	swap, err := j.capture.Swap()
	j.must(err)
	j.must(j.capture.Release())
	j.compare(trials, taken, arrived, swap)
	j.packets += len(trials)
	return rest
}

// clash reports whether another packet of the batch has a flow of this one, and
// otherwise takes them.
func clash(taken map[place]*trial, t *trial) bool {
	for p := range t.counts {
		if taken[p] != nil {
			return true
		}
	}
	for p := range t.counts {
		taken[p] = t
	}
	return false
}

// predict says what the model expects.
func (j *judge) predict(h hop) *trial {
	t := &trial{hop: h, to: j.route(h.Dst), counts: map[place]tally{}}
	if t.to == t.from {
		return nil
	}
	t.state, t.connection = j.state.enter(&t.packet)
	j.at(t, t.from, true)
	if t.refusedAt == nil {
		j.at(t, t.to, false)
	}
	t.delivered = t.refusedAt == nil
	return t
}

// sent moves the model on. Packets are sent in the order of these calls.
func (j *judge) sent(t *trial) {
	// What is judged late has been confirmed before.
	j.state.saw(&t.packet, t.connection, t.delivered || t.late() && t.refusedAt == t.to)
	if t.refusedAt != nil {
		j.refusals[policy.NewMark(t.door, t.verdict.Rule.ID)]++
	}
	j.note(t)
}

// late reports whether the receiver is judged at its bridge port's own door: the
// packet is routed to an address that the topology does not have for it.
func (t *trial) late() bool {
	return t.to.Bridge != "" && !t.switched && !slices.Contains(t.to.Addresses, t.Dst)
}

// at judges at one interface: entering when the packet comes in through it.
func (j *judge) at(t *trial, i *vpc.Interface, entering bool) {
	door := policy.Leaving
	if entering {
		door = policy.Entering
	}
	d := policy.Ingress
	if d.Door(i.Side) != door {
		d = policy.Egress
	}
	t.direction = d
	t.verdict = j.policy.Evaluate(i.ID, d, t.Packet, t.state)
	refused := !t.verdict.Allowed
	if refused {
		t.refusedAt, t.door = i, door
	}
	add := func(ports [2]uint16, n uint64) {
		p := place{i.ID, door, t.Src, t.Dst, t.Protocol, ports}
		var c tally
		if entering || !refused {
			c.seen = n
		}
		if refused {
			c.refused, c.rule = n, t.verdict.Rule.ID
		}
		t.counts[p] = c
	}
	add([2]uint16{t.SrcPort, t.DstPort}, 1)
	if t.Fragmented {
		if refused && !entering && t.late() { // later pieces pass
			t.orphans, refused = 2, false
		}
		add([2]uint16{}, 2)
	}
}

// note counts what kinds of things were tried.
func (j *judge) note(t *trial) {
	words := []string{"allowed"}
	if t.refusedAt != nil {
		words = []string{fmt.Sprintf("refused by %v, %v", t.verdict.Stage, t.direction)}
	}
	words = append(words, fmt.Sprint(t.state))
	for _, i := range []*vpc.Interface{t.from, t.to} {
		switch {
		case i.Bridge != "":
			words = append(words, "port")
		default:
			words = append(words, i.Side.String())
		}
	}
	if t.switched {
		words = append(words, "switched")
	}
	j.met[strings.Join(words, ", ")]++
}

// compare holds the capture and the witness to the model.
func (j *judge) compare(trials []*trial, expected map[place]*trial, arrived []arrival, swap *count.Swap) {
	counted := j.counted(swap)
	wrong := map[*trial][]string{}
	for p, t := range expected {
		if got, want := counted[p], t.counts[p]; got != want {
			wrong[t] = append(wrong[t], fmt.Sprintf("at %s, %v door, ports %v: the capture has %v, want %v", p.id, p.door, p.ports, got, want))
		}
		delete(counted, p)
	}
	for p, got := range counted {
		if p.src.IsLinkLocalUnicast() || p.src.IsUnspecified() {
			// The router's own, of the kind that links need: IGMP to a bridge's
			// ports for example.
			if got.refused > 0 {
				j.refusals[policy.NewMark(p.door, got.rule)] += got.refused
			}
			continue
		}
		j.differ(fmt.Sprintf("a flow that nobody sent: %+v: %v", p, got))
	}
	frames := map[*trial]int{}
	for _, a := range arrived {
		if a.number >= len(trials) || a.to != trials[a.number].Dst {
			continue // of the kernel's own
		}
		t := trials[a.number]
		if a.at.ID != t.to.ID {
			wrong[t] = append(wrong[t], fmt.Sprintf("a frame arrived at %s", a.at.ID))
			continue
		}
		frames[t]++
	}
	for _, t := range trials {
		want := t.orphans
		if t.delivered {
			want = t.pieces()
		}
		if frames[t] != want {
			wrong[t] = append(wrong[t], fmt.Sprintf("%d frames arrived, want %d", frames[t], want))
		}
	}
	for _, t := range trials {
		if lines := wrong[t]; len(lines) > 0 {
			j.differ(j.explain(t, lines))
		}
	}
}

func (j *judge) differ(text string) { j.differences = append(j.differences, text) }

func (j *judge) explain(t *trial, lines []string) string {
	sort.Strings(lines)
	s := fmt.Sprintf("%v to %s\n  the model: %v, %v, %s", &t.hop, kindOf(t.to), t.state, t.direction, t.verdict.Reason())
	for _, l := range lines {
		s += "\n  the kernel: " + l
	}
	for _, i := range []*vpc.Interface{t.from, t.to} {
		s += "\n  " + kindOf(i) + ", groups " + strings.Join(i.GroupIDs, " ")
		for _, l := range j.chainsOf(i) {
			s += "\n    " + l
		}
	}
	return s
}

// chainsOf is what the ruleset says about an interface: its lines in the maps.
func (j *judge) chainsOf(i *vpc.Interface) []string {
	var out []string
	for _, r := range j.rulesets {
		for line := range strings.SplitSeq(r.Text, "\n") {
			if strings.Contains(line, "jump") && strings.Contains(line, i.ID) {
				out = append(out, strings.TrimSpace(line))
			}
		}
	}
	return out
}

// counted is a swap by place.
func (j *judge) counted(s *count.Swap) map[place]tally {
	j.t.Helper()
	ids := map[uint16]string{}
	for _, w := range s.Interfaces {
		ids[w.Index] = w.ID
		if n := w.Loss.Packets(); n > 0 {
			j.t.Fatalf("the capture lost %d packets at %s", n, w.ID)
		}
	}
	out := map[place]tally{}
	for _, f := range s.Flows {
		src, dst := f.Key.Addrs()
		p := place{ids[f.Key.Interface], f.Key.Door, src, dst, f.Key.Protocol, [2]uint16{f.Key.SrcPort, f.Key.DstPort}}
		out[p] = tally{f.Seen.Packets, f.Refused.Packets, f.Rule}
	}
	return out
}

// play sends the conversations, one packet of each in a batch.
func (j *judge) play(all []conversation) {
	j.t.Helper()
	for len(all) > 0 {
		hops := make([]hop, len(all))
		for i, c := range all {
			hops[i] = c[0]
		}
		wait := j.batch(hops)
		var next []conversation
		for i, c := range all {
			if slices.Contains(wait, i) {
				if len(wait) < len(all) { // else nothing can move: give it up
					next = append(next, c)
				}
			} else if len(c) > 1 {
				next = append(next, c[1:])
			}
		}
		all = next
	}
}
