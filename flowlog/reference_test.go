package flowlog_test

import (
	"math"
	"net/netip"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"weir/flowlog"
)

// A plain second implementation, written after the documentation and not after
// the package. What the package takes and refuses must be exactly the same.

// goNames are the Record's names of fields that are called otherwise in a format.
var goNames = map[string]string{
	"az-id": "ZoneID", "tgw-src-az-id": "TGWSrcZoneID", "tgw-dst-az-id": "TGWDstZoneID", "next-hop-az-id": "NextHopZoneID",
	"flow-direction": "Direction", "weir-rule-id": "RuleID", "weir-rule": "Rule", "weir-drop-reason": "DropReason",
}

// member finds a field in a record by its name, without the table's help.
func member(r *flowlog.Record, name string) reflect.Value {
	goName, ok := goNames[name]
	if !ok {
		goName = strings.ReplaceAll(name, "-", "")
	}
	return reflect.ValueOf(r).Elem().FieldByNameFunc(func(s string) bool { return strings.EqualFold(s, goName) })
}

// ranges of numbers that are not any number of 63 bits.
var ranges = map[string][2]int64{
	"version": {0, 255}, "srcport": {0, 65535}, "dstport": {0, 65535}, "protocol": {0, 255},
	"tcp-flags": {0, 255}, "encryption-status": {0, 255}, "traffic-path": {1, 255}, "weir-rule-id": {1, math.MaxInt64},
}

func rangeOf(name string) (low, high int64) {
	if r, ok := ranges[name]; ok {
		return r[0], r[1]
	}
	return 0, math.MaxInt64
}

func isNumber(f *flowlog.Field) bool { return f.Type != flowlog.String }

// refLine is ParseText. The texts are the line's.
func refLine(f flowlog.Format, line string) (r flowlog.Record, texts []string, ok bool) {
	for i := range flowlog.Fields() {
		if isNumber(&flowlog.Fields()[i]) {
			r.Missing.Add(i)
		}
	}
	control := func(c rune) bool { return c < 0x20 || c == 0x7f }
	if line == "" || len(line) > flowlog.MaxLine || !utf8.ValidString(line) || strings.ContainsFunc(line, control) {
		return r, nil, false
	}
	texts = strings.Split(line, " ")
	if len(texts) != len(f.Fields()) {
		return r, nil, false
	}
	for i, field := range f.Fields() {
		t, m := texts[i], member(&r, field.Name)
		switch {
		case t == "":
			return r, nil, false
		case t == "-":
		case field.Address():
			a, err := netip.ParseAddr(t)
			if err != nil || a.Zone() != "" {
				return r, nil, false
			}
			m.Set(reflect.ValueOf(a))
		case isNumber(field):
			n, err := strconv.ParseInt(t, 10, 64)
			low, high := rangeOf(field.Name)
			if err != nil || strconv.FormatInt(n, 10) != t || n < low || n > high {
				return r, nil, false
			}
			m.SetInt(n)
			place := field.Place()
			r.Missing[place/64] &^= 1 << (place % 64)
		default:
			m.SetString(t)
		}
	}
	return r, texts, true
}

// row is what a line of a file becomes.
type row struct {
	line   int
	format flowlog.Format
	record flowlog.Record
	text   string
}

// account is what a file becomes.
type account struct {
	rows                      []row
	lines, headers, malformed int
}

// refFile reads a file that is not packed.
func refFile(text string, given flowlog.Format) account {
	var a account
	text = strings.TrimPrefix(text, "\ufeff")
	if text == "" {
		return a
	}
	lines := strings.Split(text, "\n")
	if lines[len(lines)-1] == "" {
		lines = lines[:len(lines)-1]
	}
	a.lines = len(lines)
	var columns []string // of the header; names that are no fields among them
	format, header, broken := given, "", false
	for i, line := range lines {
		line = strings.TrimSuffix(line, "\r")
		if (header != "" && line == header) || refIsHeader(line, i == 0) {
			header, columns = line, strings.Split(line, " ")
			var err error
			format, err = flowlog.FormatOf(slices.DeleteFunc(slices.Clone(columns), notField)...)
			if broken = err != nil; broken {
				a.malformed++
			} else {
				a.headers++
			}
			continue
		}
		if header == "" && format.IsZero() {
			format = refRecognise(line)
		}
		known, ok := line, !format.IsZero() && !broken && len(line) <= flowlog.MaxLine
		if ok && columns != nil {
			known, ok = refDrop(line, columns)
		}
		var r flowlog.Record
		if ok {
			r, _, ok = refLine(format, known)
		}
		if !ok {
			a.malformed++
			continue
		}
		a.rows = append(a.rows, row{i + 1, format, r, known})
	}
	return a
}

func notField(name string) bool {
	_, ok := flowlog.FieldByName(name)
	return !ok
}

func refIsHeader(line string, first bool) bool {
	names := strings.Split(line, " ")
	known := 0
	for _, n := range names {
		if n == "" || n[0] < 'a' || n[0] > 'z' || strings.Trim(n, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
			return false
		}
		if !notField(n) {
			known++
		}
	}
	return len(line) <= flowlog.MaxLine && (known == len(names) || first && known > 0)
}

func refRecognise(line string) flowlog.Format {
	status := func(s string) bool { return s == "OK" || s == "NODATA" || s == "SKIPDATA" }
	switch fs := strings.Fields(line); {
	case len(fs) == 14 && status(fs[13]) && len(fs[0]) == 1:
		return flowlog.DefaultFormat()
	case len(fs) == 36 && status(fs[25]) && strings.HasPrefix(fs[1], "TransitGateway"):
		return flowlog.GatewayFormat()
	}
	return flowlog.Format{}
}

// refDrop leaves the columns out that are no fields.
func refDrop(line string, columns []string) (string, bool) {
	texts := strings.Split(line, " ")
	control := func(c rune) bool { return c < 0x20 || c == 0x7f }
	if len(texts) != len(columns) || slices.Contains(texts, "") || !utf8.ValidString(line) || strings.ContainsFunc(line, control) {
		return "", false
	}
	var kept []string
	for i, t := range texts {
		if !notField(columns[i]) {
			kept = append(kept, t)
		}
	}
	return strings.Join(kept, " "), true
}

// Every field has a place of its own in a record, which nobody else writes to.
func TestFieldsStandInTheRecord(t *testing.T) {
	for i := range flowlog.Fields() {
		f := &flowlog.Fields()[i]
		var r flowlog.Record
		if r.Has(f.Name) != isNumber(f) && f.Name != "traffic-path" && f.Name != "weir-rule-id" {
			t.Errorf("%s: Has is %v for the zero record", f.Name, r.Has(f.Name))
		}
		m := member(&r, f.Name)
		if !m.IsValid() {
			t.Errorf("no %s in Record", f.Name)
			continue
		}
		want := "7"
		switch {
		case f.Address():
			want = "10.0.0.7"
			m.Set(reflect.ValueOf(netip.MustParseAddr(want)))
		case isNumber(f):
			m.SetInt(7)
		default:
			m.SetString(want)
		}
		if got := string(formatOf(t, f.Name).AppendText(nil, &r)); got != want || !r.Has(f.Name) {
			t.Errorf("%s is written as %q, want %q; Has %v", f.Name, got, want, r.Has(f.Name))
		}
		var back flowlog.Record
		if err := formatOf(t, f.Name).ParseText(&back, want); err != nil {
			t.Fatal(err)
		}
		// Has says which other fields the line gave it.
		for j := range flowlog.Fields() {
			if g := &flowlog.Fields()[j]; back.Has(g.Name) != (i == j) {
				t.Errorf("%s alone was read, and %s is there: %v", f.Name, g.Name, back.Has(g.Name))
			}
		}
	}
}
