// Command testreport reads the output of "go test -json", shows what a person
// wants of it (each package, the output of what failed) and lists at the end
// which tests were skipped and why.
//
// It fails when a test failed, when there was none at all, and with -no-skip
// when one was skipped.
package main

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strings"
)

// event is a line of "go test -json"; see "go doc test2json" and, for build
// output, "go help buildjson".
type event struct {
	Action  string
	Package string
	Test    string
	Output  string
	Elapsed float64 // seconds
}

// report collects the output of each running test until its fate is known.
type report struct {
	out     io.Writer
	output  map[string][]string // by package and test
	skipped map[string][]string // tests by reason
	reasons []string            // the keys of skipped, in order of appearance
	passed  int                 // tests, subtests included
	bad     int                 // tests that failed, likewise
	failed  int                 // packages
}

func main() {
	noSkip := flag.Bool("no-skip", false, "fail when a test was skipped")
	flag.Parse()
	r := &report{out: os.Stdout, output: map[string][]string{}, skipped: map[string][]string{}}
	if err := r.read(os.Stdin); err != nil {
		fmt.Fprintln(os.Stderr, "error: read test output:", err)
		os.Exit(1)
	}
	r.summary()
	none := r.passed == 0 && len(r.skipped) == 0
	if r.failed > 0 || none || *noSkip && len(r.skipped) > 0 {
		os.Exit(1)
	}
}

func (r *report) read(in io.Reader) error {
	lines := bufio.NewReader(in)
	for {
		line, err := lines.ReadBytes('\n')
		if len(line) > 0 {
			var e event
			if json.Unmarshal(line, &e) != nil || e.Action == "" {
				fmt.Fprintf(r.out, "%s", line) // not of the test: the go command itself
			} else {
				r.add(&e)
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func (r *report) add(e *event) {
	key := e.Package + " " + e.Test
	switch e.Action {
	case "build-output":
		fmt.Fprint(r.out, e.Output)
	case "output":
		r.output[key] = append(r.output[key], e.Output)
	case "pass", "skip", "fail":
		if e.Test == "" {
			r.packageDone(e)
		} else {
			r.testDone(e, key)
		}
		delete(r.output, key)
	}
}

func (r *report) testDone(e *event, key string) {
	switch e.Action {
	case "pass":
		r.passed++
	case "fail":
		r.bad++
		fmt.Fprint(r.out, strings.Join(r.output[key], ""))
	case "skip":
		why := reason(r.output[key])
		if _, ok := r.skipped[why]; !ok {
			r.reasons = append(r.reasons, why)
		}
		r.skipped[why] = append(r.skipped[why], strings.TrimPrefix(e.Package, "weir/")+" "+e.Test)
	}
}

func (r *report) packageDone(e *event) {
	switch e.Action {
	case "pass":
		fmt.Fprintf(r.out, "ok    %-28s %6.1f s\n", e.Package, e.Elapsed)
	case "fail":
		r.failed++
		// A test that never ended (panic, time-out) has no result of its own.
		for key, lines := range r.output {
			if strings.HasPrefix(key, e.Package+" ") {
				lines = slices.DeleteFunc(lines, func(line string) bool { return strings.HasPrefix(line, "FAIL") })
				fmt.Fprint(r.out, strings.Join(lines, ""))
				delete(r.output, key)
			}
		}
		fmt.Fprintf(r.out, "FAIL  %-28s %6.1f s\n", e.Package, e.Elapsed)
	}
}

var where = regexp.MustCompile(`^\s*[\w./-]+\.go:\d+: `)

// reason is what a skipped test said last, without the place in the code.
func reason(output []string) string {
	for _, line := range slices.Backward(output) {
		if why := strings.TrimSpace(where.ReplaceAllString(line, "")); why != "" && where.MatchString(line) {
			return why
		}
	}
	return "no reason given"
}

func (r *report) summary() {
	skips := 0
	for _, why := range r.reasons {
		fmt.Fprintf(r.out, "skipped: %s\n", why)
		for _, test := range r.skipped[why] {
			fmt.Fprintf(r.out, "    %s\n", test)
		}
		skips += len(r.skipped[why])
	}
	if r.failed > 0 {
		fmt.Fprintf(r.out, "%d packages failed\n", r.failed)
	}
	// A package may fail without a test that does: it did not compile.
	fmt.Fprintf(r.out, "tests: %d passed, %d failed, %d skipped\n", r.passed, max(r.bad, min(r.failed, 1)), skips)
}
