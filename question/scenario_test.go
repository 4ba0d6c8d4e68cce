package question_test

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/rogpeppe/go-internal/txtar"

	"weir/flowlog"
	"weir/lake"
	"weir/policy"
	"weir/query"
	"weir/query/duckdb"
	"weir/question"
	"weir/vpc"
	"weir/vpc/declare"
)

var update = flag.Bool("update", false, "write the explanations into testdata/explain")

// scenario is a file of testdata/explain: a question, records, and the
// explanation. Its first lines say what it is about.
type scenario struct {
	archive *txtar.Archive
	options map[string]string
	q       *question.Question
	past    question.Past
	bucket  question.Bucket
}

func (s *scenario) file(name string) string {
	for _, f := range s.archive.Files {
		if f.Name == name {
			return string(f.Data)
		}
	}
	return ""
}

func (s *scenario) time(t testing.TB, name string) time.Time {
	t.Helper()
	if s.options[name] == "" {
		return time.Time{}
	}
	at, err := time.Parse(time.RFC3339, s.options[name])
	if err != nil {
		t.Fatal(err)
	}
	return at
}

// history is topologies one after the other; the first alone, without a time,
// is a given one.
type history struct {
	versions []versionOf
	rules    map[uint32]string
}

type versionOf struct {
	since    time.Time
	topology *vpc.Topology
	policy   *policy.Policy
}

func (h *history) At(t time.Time) (*vpc.Topology, *policy.Policy, time.Time, bool) {
	for _, v := range slices.Backward(h.versions) {
		if !t.Before(v.since) {
			return v.topology, v.policy, v.since, true
		}
	}
	return nil, nil, time.Time{}, false
}

func (h *history) Rule(id uint32) (string, bool) {
	words, ok := h.rules[id]
	return words, ok
}

func readTopology(t testing.TB, name string) *vpc.Topology {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "topology", name))
	if err != nil {
		t.Fatal(err)
	}
	topology, problems := declare.Parse(text, declare.Options{})
	if err := problems.Err(); err != nil {
		t.Fatal(err)
	}
	return topology
}

func readScenario(t testing.TB, path string) *scenario {
	t.Helper()
	archive, err := txtar.ParseFile(path)
	if err != nil {
		t.Fatal(err)
	}
	s := &scenario{archive: archive, options: map[string]string{}}
	for line := range strings.Lines(s.file("question")) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
		s.options[name] = value
	}
	h := &history{rules: map[uint32]string{}}
	for line := range strings.Lines(s.file("rules")) {
		id, words, _ := strings.Cut(strings.TrimSpace(line), " ")
		n, err := strconv.ParseUint(id, 10, 32)
		if err != nil {
			t.Fatal(err)
		}
		h.rules[uint32(n)] = words
	}
	for part := range strings.SplitSeq(s.options["topology"], ", ") {
		since, name, dated := strings.Cut(part, " ")
		switch {
		case part == "":
		case !dated:
			given, err := question.NewGiven(readTopology(t, part))
			if err != nil {
				t.Fatal(err)
			}
			s.past = given
		default:
			at, err := time.Parse(time.RFC3339, since)
			if err != nil {
				t.Fatal(err)
			}
			v := versionOf{since: at, topology: readTopology(t, name)}
			if v.policy, err = policy.Compile(v.topology, new(policy.MemoryIDs)); err != nil {
				t.Fatal(err)
			}
			h.versions = append(h.versions, v)
			s.past = h
		}
	}
	var format flowlog.Format
	if f := s.options["format"]; f != "" {
		if format, err = flowlog.FormatFromHeader(f); err != nil {
			t.Fatal(err)
		}
	}
	s.q, err = question.Parse(strings.Fields(s.options["ask"]), question.Options{
		Format: format, Window: query.Window{From: s.time(t, "from"), To: s.time(t, "to")}, Now: s.time(t, "now"), Past: s.past,
	})
	if err != nil {
		t.Fatal(err)
	}
	s.bucket = question.Bucket{Objects: 1, All: 1, Oldest: s.time(t, "oldest"), Newest: s.time(t, "newest")}
	return s
}

func (s *scenario) records(t testing.TB) (format flowlog.Format, all []flowlog.Record) {
	t.Helper()
	reader := flowlog.NewReader(strings.NewReader(s.file("records.log")), flowlog.Format{})
	for {
		var r flowlog.Record
		err := reader.Read(&r)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, r)
	}
	if p := reader.Report().Problems; len(p) > 0 {
		t.Fatal(p[0])
	}
	return reader.Format, all
}

// plain is the evidence without SQL.
func (s *scenario) plain(t testing.TB) question.Evidence {
	t.Helper()
	format, records := s.records(t)
	e := gatherPlainly(s.q, format, records)
	e.Bucket = s.bucket
	return e
}

// evidence gathers by SQL.
func (s *scenario) evidence(t testing.TB, engine query.Engine) question.Evidence {
	t.Helper()
	path := filepath.Join(t.TempDir(), "records.log")
	if err := os.WriteFile(path, []byte(s.file("records.log")), 0o600); err != nil {
		t.Fatal(err)
	}
	objects, err := lake.List(path, time.Time{}, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	if err := engine.FlowLogs(t.Context(), lake.NewScan(objects), s.q.Window()); err != nil {
		t.Fatal(err)
	}
	e, err := question.Gather(t.Context(), engine, s.q)
	if err != nil {
		t.Fatal(err)
	}
	e.Bucket = s.bucket
	return e
}

// openEngine skips a test of a build without DuckDB.
func openEngine(t *testing.T) query.Engine {
	t.Helper()
	engine, err := duckdb.Open(t.Context(), duckdb.Config{Threads: 2})
	if err != nil {
		t.Skip("nothing to gather with: ", err)
	}
	t.Cleanup(func() {
		if err := engine.Close(); err != nil {
			t.Error(err)
		}
	})
	return engine
}

func scenarios(t testing.TB) []string {
	t.Helper()
	paths, err := filepath.Glob("testdata/explain/*.txtar")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no scenarios: %v", err)
	}
	return paths
}

func nameOf(path string) string { return strings.TrimSuffix(filepath.Base(path), ".txtar") }

// The explanations of the folder, from evidence without SQL.
func TestScenarios(t *testing.T) {
	for _, path := range scenarios(t) {
		t.Run(nameOf(path), func(t *testing.T) {
			s := readScenario(t, path)
			x := question.Explain(s.q, s.plain(t), s.past)
			var got bytes.Buffer
			if err := x.WriteText(&got); err != nil {
				t.Fatal(err)
			}
			if lines := bytes.Count(got.Bytes(), []byte("\n")); lines > 20 {
				t.Errorf("%d lines: nobody reads that at night", lines)
			}
			if *update {
				s.write(t, path, got.Bytes())
				return
			}
			if diff := cmp.Diff(s.file("want"), got.String()); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func (s *scenario) write(t *testing.T, path string, want []byte) {
	t.Helper()
	for i := range s.archive.Files {
		if s.archive.Files[i].Name == "want" {
			s.archive.Files[i].Data = want
		}
	}
	if err := os.WriteFile(path, txtar.Format(s.archive), 0o600); err != nil {
		t.Fatal(err)
	}
}

// SQL finds what reading record by record finds.
func TestGatherFindsWhatIsThere(t *testing.T) {
	engine := openEngine(t)
	for _, path := range scenarios(t) {
		t.Run(nameOf(path), func(t *testing.T) {
			s := readScenario(t, path)
			if !s.q.Asks() {
				t.Skip("the record stands for no flow: nothing is gathered")
			}
			compareEvidence(t, s.plain(t), s.evidence(t, engine))
		})
	}
}

func compareEvidence(t *testing.T, want, got question.Evidence) {
	t.Helper()
	less := cmpopts.SortSlices(func(a, b question.Flow) bool { return flowKey(&a) < flowKey(&b) })
	if diff := cmp.Diff(want, got, less, cmpopts.EquateEmpty(), cmp.Comparer(equalAddr)); diff != "" {
		t.Errorf("(-plainly +by SQL)\n%s", diff)
	}
}

func equalAddr(a, b netip.Addr) bool { return a == b }

func flowKey(f *question.Flow) string {
	return fmt.Sprint(f.Way, f.InterfaceID, f.Direction, f.Action, f.Src, f.Dst, f.PktSrc, f.PktDst, f.RuleID, f.Rule, f.DropReason, f.RejectReason)
}
