package question_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"weir/flowlog"
	"weir/question"
)

func TestParse(t *testing.T) {
	given, err := question.NewGiven(readTopology(t, "shop.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ name, ask, want string }{
		{"tcp is the default", "10.0.0.1 10.0.0.2 443", "tcp from 10.0.0.1 to 10.0.0.2 port 443"},
		{"udp", "10.0.0.1 10.0.0.2 53 udp", "udp from 10.0.0.1 to 10.0.0.2 port 53"},
		{"protocols by number", "10.0.0.1 10.0.0.2 53 17", "udp from 10.0.0.1 to 10.0.0.2 port 53"},
		{"any port", "10.0.0.1 10.0.0.2 - tcp", "tcp from 10.0.0.1 to 10.0.0.2, any port"},
		{"icmp has no port", "10.0.0.1 10.0.0.2 icmp", "icmp from 10.0.0.1 to 10.0.0.2"},
		{"icmp of IPv6", "2001:db8::1 2001:db8::2 ICMP", "icmpv6 from 2001:db8::1 to 2001:db8::2"},
		{"others", "10.0.0.1 10.0.0.2 - 47", "protocol 47 from 10.0.0.1 to 10.0.0.2"},
		{"names", "web db 5432", "tcp from 10.0.1.10 to 10.0.3.10 port 5432"},
		{"ids of interfaces and instances", "eni-web i-db 5432", "tcp from 10.0.1.10 to 10.0.3.10 port 5432"},
		{"the family of the other end", "web 2001:db8::2 443", "tcp from 2001:db8:10:1::10 to 2001:db8::2 port 443"},
		{"mapped", "::ffff:10.0.0.1 10.0.0.2 443", "tcp from 10.0.0.1 to 10.0.0.2 port 443"},
		{"a record", "2 1 eni-1 10.0.0.1 10.0.0.2 40000 443 6 1 60 1709208000 1709208001 ACCEPT OK", "tcp from 10.0.0.1 port 40000 to 10.0.0.2 port 443"},
		{"with its header", "srcaddr dstaddr srcport dstport protocol pkt-dstaddr\n10.0.0.1 10.0.0.2 40000 443 6 203.0.113.9", "tcp from 10.0.0.1 port 40000 to 203.0.113.9 port 443"},

		{"too short", "10.0.0.1 10.0.0.2", "error: the question is too short"},
		{"one word", "web", "error: the record cannot be read: no header before it, and not in a default format"},
		{"unknown name", "web dbs 5432", `error: there is no interface or instance "dbs" in the given topology`},
		{"families", "10.0.0.1 2001:db8::2 443", "error: 10.0.0.1 and 2001:db8::2 have no address family in common"},
		{"port", "10.0.0.1 10.0.0.2 65536", `error: "65536" is neither a port nor a protocol`},
		{"leading zero", "10.0.0.1 10.0.0.2 0443 tcp", `error: "0443" is not a port`},
		{"port of icmp", "10.0.0.1 10.0.0.2 8 icmp", "error: icmp has no ports"},
		{"zone", "fe80::1%eth0 fe80::2 443", `error: "fe80::1%eth0" has a zone, which no record has`},
		{"two records", "srcaddr dstaddr srcport dstport protocol\n10.0.0.1 10.0.0.2 1 2 6\n10.0.0.1 10.0.0.2 1 2 6", "error: there is more than one record"},
		{"no addresses", "start end\n1 2", "error: the record does not hold both addresses and the protocol"},
		{"ends before it starts", "2 1 eni-1 10.0.0.1 10.0.0.2 40000 443 6 1 60 1709208005 1709208001 ACCEPT OK", "error: the record ends before it starts, or beyond all times"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			args := strings.Fields(tt.ask)
			if strings.Contains(tt.ask, "\n") {
				args = []string{tt.ask}
			}
			q, err := question.Parse(args, question.Options{Now: noon, Past: given})
			got := ""
			if err != nil {
				got = "error: " + err.Error()
			} else {
				got = q.String()
			}
			if got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

func TestParseFillsTheTime(t *testing.T) {
	q, err := question.Parse([]string{"10.0.0.1", "10.0.0.2", "1"}, question.Options{Now: noon})
	if err != nil || !q.To.Equal(noon) || !q.From.Equal(noon.Add(-time.Hour)) {
		t.Errorf("%v to %v, %v; want the last hour", q.From, q.To, err)
	}
	r, err := question.Parse(strings.Fields("2 1 eni-1 10.0.0.1 10.0.0.2 40000 443 6 1 60 1709208000 1709208001 ACCEPT OK"), question.Options{Now: noon})
	if err != nil || r.From.Unix() != 1709208000 || r.To.Unix() != 1709208002 {
		t.Errorf("%v to %v, %v; want the record's time", r.From, r.To, err)
	}
	// Another interface's record of the same flow may end an interval later.
	if w := r.Window(); !w.From.Before(r.From) || w.To.Sub(r.To) < 10*time.Minute {
		t.Errorf("the window is %v to %v", w.From, w.To)
	}
}

// What is asked never panics, and what is understood is sound. Each line is an
// argument.
func FuzzParse(f *testing.F) {
	for _, ask := range asks {
		f.Add(strings.Join(strings.Fields(ask), "\n"))
	}
	f.Add("srcaddr dstaddr srcport dstport protocol\n10.0.0.1 10.0.0.2 1 2 6")
	f.Add("10.0.0.1\n::ffff:10.0.0.2\n-\ntcp")
	f.Add("' or 1=1 --\n10.0.0.2\n443")
	given, err := question.NewGiven(readTopology(f, "shop.yaml"))
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, args := range [][]string{strings.Split(text, "\n"), {text}} {
			for _, past := range []question.Past{nil, given} {
				q, err := question.Parse(args, question.Options{Now: noon, Past: past})
				if err != nil {
					if _, ok := errors.AsType[*question.Error](err); !ok || err.Error() == "" {
						t.Fatalf("%q: %v is no *question.Error", args, err)
					}
					continue
				}
				checkQuestion(t, args, q)
				if x := question.Explain(q, question.Evidence{}, past); x.Conclusion.Words == "" {
					t.Fatalf("%q: nothing is said", args)
				}
			}
		}
	})
}

func checkQuestion(t *testing.T, args []string, q *question.Question) {
	t.Helper()
	if !q.From.Before(q.To) {
		t.Fatalf("%q: the time is empty: %v to %v", args, q.From, q.To)
	}
	if !q.Asks() {
		if q.Record == nil || q.Record.LogStatus == flowlog.OK {
			t.Fatalf("%q: there is nothing to ask", args)
		}
		return
	}
	for _, a := range append(append(q.Src.Addrs, q.Dst.Addrs...), append(q.Src.Stand, q.Dst.Stand...)...) {
		if !a.IsValid() || a.Is4() != q.Src.Addr().Is4() || a.Zone() != "" {
			t.Fatalf("%q: the addresses are %v and %v", args, q.Src, q.Dst)
		}
	}
	for _, p := range []int{q.Port, q.SrcPort} {
		if p < question.AnyPort || p > 65535 {
			t.Fatalf("%q: the port is %d", args, p)
		}
	}
}
