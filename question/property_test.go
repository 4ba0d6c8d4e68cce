package question_test

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"weir/flowlog"
	"weir/policy"
	"weir/question"
	"weir/vpc"
)

var addressesInUse = []netip.Addr{
	netip.MustParseAddr("10.0.1.10"), netip.MustParseAddr("10.0.1.11"), netip.MustParseAddr("10.0.2.10"),
	netip.MustParseAddr("10.0.3.10"), netip.MustParseAddr("198.51.100.9"), netip.MustParseAddr("169.254.169.254"),
	{},
}

func pick[T any](r *rand.Rand, of ...T) T { return of[r.IntN(len(of))] }

// randomEvidence is anything that records may say, and some of what they may not.
func randomEvidence(r *rand.Rand) question.Evidence {
	at := func() time.Time { return noon.Add(time.Duration(r.IntN(3600)) * time.Second) }
	var e question.Evidence
	for range r.IntN(12) {
		f := question.Flow{
			Way:         pick(r, question.Request, question.Reply, question.Request, question.Reply, question.Beyond, question.BeyondReply),
			InterfaceID: pick(r, "", "eni-web", "eni-app", "eni-db", "eni-x"),
			Direction:   pick(r, "", flowlog.Ingress, flowlog.Egress), Action: pick(r, "", flowlog.Accept, flowlog.Accept, flowlog.Reject),
			Src: pick(r, addressesInUse...), Dst: pick(r, addressesInUse...), PktSrc: pick(r, addressesInUse...), PktDst: pick(r, addressesInUse...),
			Records: 1, Packets: r.Int64N(9), Bytes: r.Int64N(900), First: at(), Port: r.IntN(65536), Ports: 1,
			HasFlags: r.IntN(2) == 0, Flags: r.Int64N(32), RuleID: pick(r, int64(0), 0, 0, 7, 1<<40), Rule: pick(r, "", "", "network%20ACL%20x", "%"),
			Names: r.IntN(2) == 0, RejectReason: pick(r, "", "", "", "BPA", "EC", "?"), DropReason: pick(r, "", "NETFILTER_DROP"),
			SynAcks: r.Int64N(2), Resets: r.Int64N(2), Closed: r.Int64N(2),
		}
		f.Last = f.First.Add(time.Duration(r.IntN(60)) * time.Second)
		e.Flows = append(e.Flows, f)
	}
	for _, id := range []string{"eni-web", "eni-app", "eni-db", "eni-x"} {
		if r.IntN(3) > 0 {
			s := question.Sighting{InterfaceID: id, Records: r.Int64N(5), SkipData: r.Int64N(2), Accepted: r.Int64N(2), Rejected: r.Int64N(2), First: at(), OwnsSrc: r.IntN(4) == 0, OwnsDst: r.IntN(4) == 0}
			s.Last = s.First.Add(time.Hour)
			e.Sightings = append(e.Sightings, s)
			e.Total.Records += s.Records
		}
	}
	e.Total.Has = map[string]bool{"weir-rule-id": r.IntN(2) == 0, "tcp-flags": r.IntN(2) == 0}
	e.Bucket = question.Bucket{All: r.IntN(2), Newest: pick(r, time.Time{}, noon, noon.Add(time.Hour))}
	return e
}

// patchy is a past in which something was in force for some time only.
type patchy struct {
	*question.Given
	since, until time.Time
}

func (p *patchy) At(t time.Time) (*vpc.Topology, *policy.Policy, time.Time, bool) {
	topology, compiled, _, _ := p.Given.At(t)
	return topology, compiled, p.since, !t.Before(p.since) && t.Before(p.until)
}

func (p *patchy) Rule(id uint32) (string, bool) { return "security group of old", id == 7 }

var noon = time.Date(2024, 2, 29, 12, 0, 0, 0, time.UTC)

var asks = []string{
	"web app 8080", "app web 443", "web db 5432", "db web icmp", "10.0.1.10 10.0.2.10 - 47", "198.51.100.9 app 514 udp", "app 169.254.169.254 80",
	"web app - tcp", "10.0.9.9 10.0.9.8 1", "2001:db8:10:1::10 app 8080",
	"2 123456789012 eni-web 10.0.1.10 10.0.2.10 40000 8080 6 3 180 1709208010 1709208015 REJECT OK",
	"2 123456789012 eni-x 10.0.2.10 10.0.1.10 8080 40000 6 3 180 1709208010 1709208015 REJECT OK",
	"2 123456789012 eni-web - - - - - - - 1709208010 1709208015 - SKIPDATA",
}

// Whatever the records say, there is an answer, it rests on something, and it
// does not depend on the order of the records.
func TestExplainAlwaysSaysSomething(t *testing.T) {
	given, err := question.NewGiven(readTopology(t, "shop.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	const rounds = 4000
	kinds := map[question.Kind]int{}
	for seed := range uint64(rounds) {
		r := rand.New(rand.NewPCG(seed, 1))
		ask := pick(r, asks...)
		q, err := question.Parse(strings.Fields(ask), question.Options{Now: noon.Add(2 * time.Hour), Past: given})
		if err != nil {
			t.Fatalf("%s: %v", ask, err)
		}
		past := pick[question.Past](r, nil, given, &patchy{given, noon.Add(time.Duration(r.IntN(3600)) * time.Second), noon.Add(time.Duration(r.IntN(3600)) * time.Second)})
		e := randomEvidence(r)
		before := question.Evidence{Flows: slices.Clone(e.Flows), Sightings: slices.Clone(e.Sightings)}
		x := question.Explain(q, e, past)
		kinds[x.Conclusion.Kind]++
		complain := func(format string, args ...any) {
			t.Helper()
			t.Errorf("seed %d, %q: "+format, append([]any{seed, ask}, args...)...)
		}
		checkFinding(complain, x.Conclusion)
		if !slices.Equal(before.Flows, e.Flows) || !slices.Equal(before.Sightings, e.Sightings) {
			complain("the evidence was changed")
		}
		var text bytes.Buffer
		if err := x.WriteText(&text); err != nil || bytes.Count(text.Bytes(), []byte("\n")) < 4 {
			complain("%v: %s", err, text.String())
		}
		if _, err := json.Marshal(x); err != nil {
			complain("%v", err)
		}
		r.Shuffle(len(e.Flows), func(i, j int) { e.Flows[i], e.Flows[j] = e.Flows[j], e.Flows[i] })
		r.Shuffle(len(e.Sightings), func(i, j int) { e.Sightings[i], e.Sightings[j] = e.Sightings[j], e.Sightings[i] })
		if diff := cmp.Diff(x, question.Explain(q, e, past)); diff != "" {
			complain("in another order (-first +second)\n%s", diff)
		}
		if t.Failed() {
			return
		}
	}
	t.Logf("%d rounds: %v", rounds, kinds)
}

func checkFinding(complain func(string, ...any), f question.Finding) {
	switch {
	case f.Words == "", strings.Contains(f.Words, "%!"), strings.Contains(f.Basis, "%!"), strings.Contains(f.Words, "  "):
		complain("the words are %q, the basis %q", f.Words, f.Basis)
	case f.Basis == "":
		complain("%q rests on nothing", f.Words)
	case f.Kind == "" || f.Confidence == "":
		complain("%q has no kind or confidence", f.Words)
	}
	for _, b := range f.Because {
		checkFinding(complain, b)
	}
}

// A refusal is never explained away, and none is made up.
func TestExplainKeepsToTheRecords(t *testing.T) {
	q, err := question.Parse(strings.Fields("10.0.1.10 10.0.2.10 8080"), question.Options{Now: noon.Add(2 * time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	refusals := []question.Kind{
		question.RefusedByGroup, question.RefusedByACL, question.ReplyRefusedByACL, question.RefusedByFirewall, question.RefusedByAWS, question.Refused, question.ReplyRefused,
	}
	for seed := range uint64(2000) {
		e := randomEvidence(rand.New(rand.NewPCG(seed, 2)))
		accepted, refused := 0, 0
		for _, f := range e.Flows {
			switch f.Action {
			case flowlog.Accept:
				accepted++
			case flowlog.Reject:
				refused++
			}
		}
		x := question.Explain(q, e, nil)
		says := slices.Contains(refusals, x.Conclusion.Kind)
		if says && refused == 0 || !says && refused > 0 && accepted == 0 {
			t.Fatalf("seed %d: %d ACCEPT, %d REJECT: %s", seed, accepted, refused, x.Conclusion.Words)
		}
	}
}
