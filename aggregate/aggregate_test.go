package aggregate

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"weir/count"
	"weir/flowlog"
	"weir/policy"
	"weir/vpc"
)

var t0 = time.Date(2026, 11, 21, 16, 0, 0, 0, time.UTC)

func at(sec float64) time.Time { return t0.Add(time.Duration(sec * float64(time.Second))) }

// topology is a fixed set of interfaces.
type topology map[string]*vpc.Interface

func (t topology) Interface(id string) (*vpc.Interface, bool) { i, ok := t[id]; return i, ok }

var lab = topology{
	"eni-far": {ID: "eni-far", AccountID: "123456789012", Side: vpc.Far, Addresses: []netip.Addr{
		netip.MustParseAddr("10.0.1.10"), netip.MustParseAddr("10.0.1.77"), netip.MustParseAddr("2001:db8::10"),
	}},
	"eni-own":             {ID: "eni-own", AccountID: "123456789012", Side: vpc.Own, Addresses: []netip.Addr{netip.MustParseAddr("192.0.2.1")}},
	"eni-unknown-address": {ID: "eni-unknown-address", AccountID: "123456789012"},
}

func k(index uint16, door policy.Door, src, dst string, sport, dport uint16) count.Key {
	return count.Key{
		Src: netip.MustParseAddr(src).As16(), Dst: netip.MustParseAddr(dst).As16(),
		SrcPort: sport, DstPort: dport, Interface: index, Protocol: 6, Door: door,
	}
}

// tally is n packets of 100 bytes between two times in seconds after t0.
func tally(n uint64, first, last float64, flags uint8) count.Tally {
	return count.Tally{Packets: n, Bytes: 100 * n, First: at(first).UnixMilli(), Last: at(last).UnixMilli(), Flags: flags}
}

func swap(start, end float64, interfaces []count.Watched, flows ...count.Flow) *count.Swap {
	return &count.Swap{Start: at(start), End: at(end), Interfaces: interfaces, Flows: flows}
}

func far(loss ...count.Loss) []count.Watched {
	w := count.Watched{Index: 1, ID: "eni-far"}
	for _, l := range loss {
		w.Loss = l
	}
	return []count.Watched{w}
}

var format, _ = flowlog.ParseFormat("${interface-id} ${srcaddr} ${dstaddr} ${srcport} ${dstport} ${packets} ${bytes} ${start} ${end} ${action} ${log-status} ${tcp-flags} ${pkt-srcaddr} ${pkt-dstaddr} ${flow-direction}")

// lines writes records with times relative to t0.
func lines(rs []flowlog.Record) []string {
	var out []string
	for _, r := range rs {
		start, end := r.Start-t0.Unix(), r.End-t0.Unix() // may be negative, which the text form has not
		r.Start, r.End = 1111111111, 2222222222
		text := string(format.AppendText(nil, &r))
		out = append(out, strings.NewReplacer("1111111111", fmt.Sprint(start), "2222222222", fmt.Sprint(end)).Replace(text))
	}
	return out
}

// collect appends copies of the records that it gets.
func collect(to *[]flowlog.Record) Emit {
	return func(r *flowlog.Record) { *to = append(*to, *r) }
}

func TestRecords(t *testing.T) {
	for _, tt := range []struct {
		name  string
		swaps []*count.Swap
		want  []string
	}{
		{
			name: "an interval merges its swaps; times and flags are or-ed together",
			swaps: []*count.Swap{
				swap(0, 10, far(), count.Flow{Key: k(1, policy.Entering, "10.0.1.10", "198.51.100.7", 40000, 443), Seen: tally(3, 1, 9.5, 2)}),
				swap(10, 20, far()),
				swap(20, 60.0003, far(), count.Flow{Key: k(1, policy.Entering, "10.0.1.10", "198.51.100.7", 40000, 443), Seen: tally(2, 21, 60.0001, 1)}),
			},
			want: []string{"eni-far 10.0.1.10 198.51.100.7 40000 443 5 500 1 59 ACCEPT OK 3 10.0.1.10 198.51.100.7 egress"},
		},
		{
			name: "at the entering door the refused are among the seen",
			swaps: []*count.Swap{swap(0, 60, far(), count.Flow{
				Key:  k(1, policy.Entering, "10.0.1.10", "198.51.100.7", 40000, 22),
				Seen: tally(5, 1, 8, 2), Refused: tally(2, 4, 5, 2),
			})},
			want: []string{
				"eni-far 10.0.1.10 198.51.100.7 40000 22 3 300 1 8 ACCEPT OK 2 10.0.1.10 198.51.100.7 egress",
				"eni-far 10.0.1.10 198.51.100.7 40000 22 2 200 4 5 REJECT OK 2 10.0.1.10 198.51.100.7 egress",
			},
		},
		{
			name: "at the leaving door they are not",
			swaps: []*count.Swap{swap(0, 60, far(), count.Flow{
				Key:  k(1, policy.Leaving, "198.51.100.7", "10.0.1.10", 40000, 22),
				Seen: tally(5, 1, 8, 2), Refused: tally(2, 4, 5, 2),
			})},
			want: []string{
				"eni-far 198.51.100.7 10.0.1.10 40000 22 5 500 1 8 ACCEPT OK 2 198.51.100.7 10.0.1.10 ingress",
				"eni-far 198.51.100.7 10.0.1.10 40000 22 2 200 4 5 REJECT OK 2 198.51.100.7 10.0.1.10 ingress",
			},
		},
		{
			name: "a refusal that comes an interval late comes off what is seen then",
			swaps: []*count.Swap{
				swap(0, 60, far(), count.Flow{Key: k(1, policy.Entering, "10.0.1.10", "198.51.100.7", 1, 2), Seen: tally(1, 59, 59, 0)}),
				swap(60, 120, far(), count.Flow{Key: k(1, policy.Entering, "10.0.1.10", "198.51.100.7", 1, 2), Refused: tally(1, 60, 60, 0)}),
				swap(120, 180, far(), count.Flow{Key: k(1, policy.Entering, "10.0.1.10", "198.51.100.7", 1, 2), Seen: tally(5, 121, 122, 0)}),
			},
			want: []string{
				"eni-far 10.0.1.10 198.51.100.7 1 2 1 100 59 59 ACCEPT OK 0 10.0.1.10 198.51.100.7 egress",
				"eni-far 10.0.1.10 198.51.100.7 1 2 1 100 60 60 REJECT OK 0 10.0.1.10 198.51.100.7 egress",
				"eni-far 10.0.1.10 198.51.100.7 1 2 4 400 121 122 ACCEPT OK 0 10.0.1.10 198.51.100.7 egress",
			},
		},
		{
			name: "a secondary address and a foreign one show the primary, and stay apart",
			swaps: []*count.Swap{swap(0, 60, far(),
				count.Flow{Key: k(1, policy.Leaving, "198.51.100.7", "10.0.1.77", 5, 80), Seen: tally(1, 1, 1, 0)},
				count.Flow{Key: k(1, policy.Leaving, "198.51.100.7", "203.0.113.5", 5, 80), Seen: tally(2, 1, 1, 0)},
				count.Flow{Key: k(1, policy.Entering, "203.0.113.5", "10.0.2.20", 80, 5), Seen: tally(3, 1, 1, 0)},
				count.Flow{Key: k(1, policy.Leaving, "2001:db8:9::1", "2001:db8::99", 5, 80), Seen: tally(4, 1, 1, 0)},
			)},
			want: []string{
				"eni-far 198.51.100.7 10.0.1.10 5 80 1 100 1 1 ACCEPT OK 0 198.51.100.7 10.0.1.77 ingress",
				"eni-far 198.51.100.7 10.0.1.10 5 80 2 200 1 1 ACCEPT OK 0 198.51.100.7 203.0.113.5 ingress",
				"eni-far 10.0.1.10 10.0.2.20 80 5 3 300 1 1 ACCEPT OK 0 203.0.113.5 10.0.2.20 egress",
				"eni-far 2001:db8:9::1 2001:db8::99 5 80 4 400 1 1 ACCEPT OK 0 2001:db8:9::1 2001:db8::99 ingress",
			},
		},
		{
			name: "a card of the host's own is mirrored",
			swaps: []*count.Swap{swap(0, 60, []count.Watched{{Index: 2, ID: "eni-own"}},
				count.Flow{Key: k(2, policy.Entering, "198.51.100.7", "192.0.2.1", 5, 80), Seen: tally(1, 1, 1, 2)},
				count.Flow{Key: k(2, policy.Leaving, "192.0.2.1", "198.51.100.7", 80, 5), Seen: tally(1, 1, 1, 18)},
			)},
			want: []string{
				"eni-own 192.0.2.1 198.51.100.7 80 5 1 100 1 1 ACCEPT OK 18 192.0.2.1 198.51.100.7 egress",
				"eni-own 198.51.100.7 192.0.2.1 5 80 1 100 1 1 ACCEPT OK 2 198.51.100.7 192.0.2.1 ingress",
			},
		},
		{
			name: "NODATA from the first packet on, for an interval without any",
			swaps: []*count.Swap{
				swap(0, 60, far()),
				swap(60, 120, far(), count.Flow{Key: k(1, policy.Leaving, "198.51.100.7", "10.0.1.10", 5, 80), Seen: tally(1, 61, 61, 0)}),
				swap(120, 180, far()),
				swap(180, 240, []count.Watched{{Index: 1, ID: "eni-far"}}),
			},
			want: []string{
				"eni-far 198.51.100.7 10.0.1.10 5 80 1 100 61 61 ACCEPT OK 0 198.51.100.7 10.0.1.10 ingress",
				"eni-far - - - - - - 120 179 - NODATA - - - -",
				"eni-far - - - - - - 180 239 - NODATA - - - -",
			},
		},
		{
			name: "SKIPDATA marks the interval of a loss, beside what was counted",
			swaps: []*count.Swap{
				swap(0, 10, far(count.Loss{FullPackets: 7, FullBytes: 700}), count.Flow{Key: k(1, policy.Leaving, "198.51.100.7", "10.0.1.10", 5, 80), Seen: tally(1, 1, 1, 0)}),
				swap(10, 60, far()),
				swap(60, 120, far()),
			},
			want: []string{
				"eni-far - - - - - - 0 59 - SKIPDATA - - - -",
				"eni-far 198.51.100.7 10.0.1.10 5 80 1 100 1 1 ACCEPT OK 0 198.51.100.7 10.0.1.10 ingress",
				"eni-far - - - - - - 60 119 - NODATA - - - -",
			},
		},
		{
			name: "an interface that is gone has no NODATA any more",
			swaps: []*count.Swap{
				swap(0, 60, far(), count.Flow{Key: k(1, policy.Leaving, "198.51.100.7", "10.0.1.10", 5, 80), Seen: tally(1, 1, 1, 0)}),
				swap(60, 120, nil),
				swap(120, 180, nil),
			},
			want: []string{"eni-far 198.51.100.7 10.0.1.10 5 80 1 100 1 1 ACCEPT OK 0 198.51.100.7 10.0.1.10 ingress"},
		},
		{
			name: "an index that another interface gets within an interval keeps them apart",
			swaps: []*count.Swap{
				swap(0, 10, far(), count.Flow{Key: k(1, policy.Leaving, "198.51.100.7", "10.0.1.10", 5, 80), Seen: tally(1, 1, 1, 0)}),
				swap(10, 60, []count.Watched{{Index: 1, ID: "eni-unknown-address"}}, count.Flow{Key: k(1, policy.Leaving, "198.51.100.7", "10.0.1.10", 5, 80), Seen: tally(1, 11, 11, 0)}),
			},
			want: []string{
				"eni-far 198.51.100.7 10.0.1.10 5 80 1 100 1 1 ACCEPT OK 0 198.51.100.7 10.0.1.10 ingress",
				"eni-unknown-address 198.51.100.7 10.0.1.10 5 80 1 100 11 11 ACCEPT OK 0 198.51.100.7 10.0.1.10 ingress",
			},
		},
		{
			name: "what was counted while nobody read keeps its times",
			swaps: []*count.Swap{
				swap(-200, 10, far(), count.Flow{Key: k(1, policy.Leaving, "198.51.100.7", "10.0.1.10", 5, 80), Seen: tally(9, -190, 5, 0)}),
			},
			want: []string{"eni-far 198.51.100.7 10.0.1.10 5 80 9 900 -190 5 ACCEPT OK 0 198.51.100.7 10.0.1.10 ingress"},
		},
		{
			name: "an interface nobody knows has its id alone",
			swaps: []*count.Swap{swap(0, 60, []count.Watched{{Index: 9, ID: "eni-gone"}},
				count.Flow{Key: k(9, policy.Leaving, "198.51.100.7", "10.0.1.10", 5, 80), Seen: tally(1, 1, 1, 0)})},
			want: []string{"eni-gone 198.51.100.7 10.0.1.10 5 80 1 100 1 1 ACCEPT OK 0 198.51.100.7 10.0.1.10 ingress"},
		},
		{
			name: "the clock set back ends the interval early; it comes again with the rest",
			swaps: []*count.Swap{
				swap(0, 60, far(), count.Flow{Key: k(1, policy.Leaving, "198.51.100.7", "10.0.1.10", 5, 80), Seen: tally(1, 1, 1, 0)}),
				swap(-3540, -3530, far(), count.Flow{Key: k(1, policy.Leaving, "198.51.100.7", "10.0.1.10", 5, 80), Seen: tally(2, -3535, -3535, 0)}),
				swap(-3530, -3480, far()),
			},
			want: []string{
				"eni-far 198.51.100.7 10.0.1.10 5 80 1 100 1 1 ACCEPT OK 0 198.51.100.7 10.0.1.10 ingress",
				"eni-far 198.51.100.7 10.0.1.10 5 80 2 200 -3535 -3535 ACCEPT OK 0 198.51.100.7 10.0.1.10 ingress",
			},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := New(Config{Interval: time.Minute, Topology: Always(lab)})
			var got []flowlog.Record
			for _, s := range tt.swaps {
				a.Add(s, collect(&got))
			}
			a.Flush(collect(&got))
			if diff := cmp.Diff(tt.want, lines(got)); diff != "" {
				t.Errorf("records (-want +got):\n%s", diff)
			}
			a.Flush(func(r *flowlog.Record) { t.Errorf("flushed twice: %v", lines([]flowlog.Record{*r})) })
		})
	}
}

// ruleBook knows one rule.
type ruleBook struct{}

func (ruleBook) Rule(id uint32) (string, bool) {
	if id == 7 {
		return "acl-1%20ingress%20rule%207", true
	}
	return "", false
}

// TestRuleAndReason: a REJECT names the last rule that refused, in words, and
// the kernel's reason; an ACCEPT and a foreign firewall's REJECT name none.
func TestRuleAndReason(t *testing.T) {
	f, err := flowlog.ParseFormat("${srcport} ${action} ${weir-rule-id} ${weir-rule} ${weir-drop-reason}")
	if err != nil {
		t.Fatal(err)
	}
	a := New(Config{Interval: time.Minute, Topology: Always(lab), Rules: ruleBook{}})
	refused := func(port uint16, rule uint32, at float64) count.Flow {
		return count.Flow{
			Key:     k(1, policy.Leaving, "198.51.100.7", "10.0.1.10", port, 80),
			Refused: tally(1, at, at, 0), Rule: rule, Reason: 12,
		}
	}
	seen := count.Flow{Key: k(1, policy.Leaving, "198.51.100.7", "10.0.1.10", 4, 80), Seen: tally(1, 1, 1, 0)}
	var got []string
	emit := func(r *flowlog.Record) { got = append(got, string(f.AppendText(nil, r))) }
	for _, s := range []*count.Swap{
		swap(0, 30, far(), refused(1, 3, 1), refused(2, 0, 1), refused(3, 9, 1), seen),
		swap(30, 60, far(), refused(1, 7, 31)),
	} {
		s.Reasons = map[uint16]string{12: "NETFILTER_DROP"}
		a.Add(s, emit)
	}
	want := []string{
		"1 REJECT 7 acl-1%20ingress%20rule%207 NETFILTER_DROP",
		"2 REJECT - - NETFILTER_DROP",
		"3 REJECT 9 - NETFILTER_DROP",
		"4 ACCEPT - - -",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("records (-want +got):\n%s", diff)
	}
}

// TestSumsAreKept holds Add against a plain sum: whatever comes in which order,
// accepted and rejected packets add up to what was counted.
func TestSumsAreKept(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := New(Config{Interval: time.Minute, Topology: Always(lab)})
		type sums struct{ leftSeen, leftRefused, enteredSeen, enteredRefused uint64 }
		var want sums
		var got []flowlog.Record
		now := 0.0
		pending := map[count.Key]uint64{} // seen, to be refused in a later swap
		n := rapid.IntRange(1, 30).Draw(t, "swaps")
		for i := range n {
			end := now + rapid.Float64Range(0.1, 90).Draw(t, "length")
			flows := map[count.Key]*count.Flow{}
			flow := func(door policy.Door, port int) *count.Flow {
				key := k(1, door, "10.0.1.10", "198.51.100.7", uint16(port), 80)
				if flows[key] == nil {
					flows[key] = &count.Flow{Key: key}
				}
				return flows[key]
			}
			for range rapid.IntRange(0, 5).Draw(t, "flows") {
				port := rapid.IntRange(1, 3).Draw(t, "port")
				seen := rapid.Uint64Range(0, 10).Draw(t, "seen")
				refused := rapid.Uint64Range(0, seen).Draw(t, "refused")
				f := flow(policy.Leaving, port)
				f.Seen, f.Refused = plus(f.Seen, seen, now), plus(f.Refused, refused, now)
				want.leftSeen += seen
				want.leftRefused += refused

				f = flow(policy.Entering, port)
				late := rapid.Uint64Range(0, refused).Draw(t, "late")
				f.Seen, f.Refused = plus(f.Seen, seen, now), plus(f.Refused, refused-late, now)
				pending[f.Key] += late
				want.enteredSeen += seen
				want.enteredRefused += refused
			}
			if i == n-1 || rapid.Bool().Draw(t, "late ones come") {
				for key, late := range pending {
					f := flow(policy.Entering, int(key.SrcPort))
					f.Refused = plus(f.Refused, late, now)
				}
				clear(pending)
			}
			s := swap(now, end, far())
			for _, f := range flows {
				if f.Seen.Packets+f.Refused.Packets > 0 {
					s.Flows = append(s.Flows, *f)
				}
			}
			a.Add(s, collect(&got))
			now = end
		}
		// Enough is seen afterwards to pay what is owed.
		s := swap(now, now+1, far())
		for port := 1; port <= 3; port++ {
			s.Flows = append(s.Flows, count.Flow{Key: k(1, policy.Entering, "10.0.1.10", "198.51.100.7", uint16(port), 80), Seen: tally(10000, now, now, 0)})
			want.enteredSeen += 10000
		}
		a.Add(s, collect(&got))
		a.Flush(collect(&got))

		var have sums
		for _, r := range got {
			if r.LogStatus != flowlog.OK {
				continue
			}
			if r.Bytes != 100*r.Packets {
				t.Fatalf("bytes and packets went apart: %v", lines([]flowlog.Record{r}))
			}
			switch {
			case r.Direction == flowlog.Ingress && r.Action == flowlog.Accept:
				have.leftSeen += uint64(r.Packets)
			case r.Direction == flowlog.Ingress:
				have.leftRefused += uint64(r.Packets)
			case r.Action == flowlog.Accept:
				have.enteredSeen += uint64(r.Packets)
			default:
				have.enteredSeen += uint64(r.Packets)
				have.enteredRefused += uint64(r.Packets)
			}
		}
		if have != want {
			t.Fatalf("records add up to %+v, counted %+v", have, want)
		}
	})
}

func plus(to count.Tally, n uint64, sec float64) count.Tally {
	if n == 0 {
		return to
	}
	return tally(to.Packets+n, sec, sec, 0)
}
