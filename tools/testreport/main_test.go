package main

import (
	"strings"
	"testing"
)

func TestReport(t *testing.T) {
	in := `{"Action":"build-output","ImportPath":"weir/b","Output":"b.go:1: no\n"}
{"Action":"output","Package":"weir/a","Test":"TestSkip","Output":"=== RUN   TestSkip\n"}
{"Action":"output","Package":"weir/a","Test":"TestSkip","Output":"    a_test.go:3: needs root\n"}
{"Action":"output","Package":"weir/a","Test":"TestSkip","Output":"--- SKIP: TestSkip (0.00s)\n"}
{"Action":"skip","Package":"weir/a","Test":"TestSkip"}
{"Action":"output","Package":"weir/a","Test":"TestOK","Output":"quiet\n"}
{"Action":"pass","Package":"weir/a","Test":"TestOK"}
{"Action":"output","Package":"weir/a","Test":"TestBad","Output":"    a_test.go:9: got 1\n"}
{"Action":"fail","Package":"weir/a","Test":"TestBad"}
{"Action":"output","Package":"weir/a","Output":"FAIL\n"}
{"Action":"fail","Package":"weir/a","Elapsed":1.5}
not json
`
	want := `b.go:1: no
    a_test.go:9: got 1
FAIL  weir/a                          1.5 s
not json
skipped: needs root
    a TestSkip
1 packages failed
tests: 1 passed, 1 failed, 1 skipped
`
	var out strings.Builder
	r := &report{out: &out, output: map[string][]string{}, skipped: map[string][]string{}}
	if err := r.read(strings.NewReader(in)); err != nil {
		t.Fatal(err)
	}
	r.summary()
	if got := out.String(); got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}
