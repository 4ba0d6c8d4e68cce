package soak

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"weir/flowlog"
)

var (
	web = netip.MustParseAddr("10.0.1.10")
	app = netip.MustParseAddr("10.0.2.10")
)

// stormOf is a storm of one stream that has sent two flows, of one and of two
// packets.
func stormOf() *Storm {
	return &Storm{Streams: []*Stream{{
		Name: "web to app", Source: web, To: app, Interface: "eni-web",
		sent: []uint8{1, 2}, times: []time.Time{time.Unix(0, 0)},
	}}}
}

func recordOf(flow, packets int64) *flowlog.Record {
	return &flowlog.Record{
		InterfaceID: "eni-web", Direction: flowlog.Egress, Action: flowlog.Accept, LogStatus: flowlog.OK, Protocol: 17,
		SrcAddr: web, DstAddr: app, SrcPort: firstSource, DstPort: firstPort + flow, Packets: packets, Bytes: packets * wireBytes,
	}
}

// What the comparison is there to find, it finds.
func TestLedger(t *testing.T) {
	counted := map[Side]Sum{{"eni-web", flowlog.Egress, flowlog.Accept}: {3, 3 * wireBytes}}
	first, second := recordOf(0, 1), recordOf(1, 2)
	for name, tt := range map[string]struct {
		records   []*flowlog.Record
		mayDouble bool
		doubtful  uint64
		fault     string // a part of what it says; empty: nothing is wrong
		lost      uint64
		doubled   uint64
	}{
		"all":                {records: []*flowlog.Record{first, second}},
		"in pieces":          {records: []*flowlog.Record{first, recordOf(1, 1), recordOf(1, 1)}},
		"alike, and right":   {records: []*flowlog.Record{first, recordOf(1, 1), recordOf(1, 1)}, mayDouble: true},
		"one is lost":        {records: []*flowlog.Record{second}, fault: "1 of 2 incomplete", lost: 1},
		"a packet is lost":   {records: []*flowlog.Record{first, recordOf(1, 1)}, fault: "delivered 2 (-1)", lost: 1},
		"one is doubled":     {records: []*flowlog.Record{first, second, second}, fault: "1 too many", doubled: 2},
		"lost and doubled":   {records: []*flowlog.Record{first, first, first}, fault: "1 of 2 incomplete, 1 too many"},
		"doubled, and known": {records: []*flowlog.Record{first, second, second}, mayDouble: true, doubtful: 1, doubled: 2},
		"doubled, not known": {records: []*flowlog.Record{first, second, second}, mayDouble: true, fault: "only 0 are said to be doubtful", doubled: 2},
		"a stranger":         {records: []*flowlog.Record{first, second, recordOf(2, 1)}, mayDouble: true, doubtful: 1, fault: "delivered 4 (+1)", doubled: 1},
		"lost behind doubles": {
			records: []*flowlog.Record{first, first, first}, mayDouble: true, doubtful: 2, fault: "1 of 2 incomplete",
		},
	} {
		t.Run(name, func(t *testing.T) {
			l := NewLedger("it", tt.mayDouble, stormOf())
			for _, r := range tt.records {
				l.Add(r, flowlog.DefaultFormat().AppendText(nil, r))
			}
			got := l.Compare(counted, tt.doubtful, time.Time.String)
			said := strings.Join(got.Faults, "\n")
			if (said == "") != (tt.fault == "") || !strings.Contains(said, tt.fault) {
				t.Errorf("it says %q, want %q", said, tt.fault)
			}
			if got.Counted != 3 || got.Lost != tt.lost || got.Doubled != tt.doubled {
				t.Errorf("%s", got.Line())
			}
		})
	}
}

func TestSkipDataIsAFault(t *testing.T) {
	l := NewLedger("it", false, stormOf())
	l.Add(&flowlog.Record{InterfaceID: "eni-web", LogStatus: flowlog.SkipData}, []byte("a line"))
	if got := l.Compare(nil, 0, time.Time.String); !strings.Contains(strings.Join(got.Faults, "\n"), "SKIPDATA: a line") {
		t.Errorf("it says %q", got.Faults)
	}
}
