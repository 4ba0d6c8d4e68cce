package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"weir/flowlog"
)

// What the commands make of the field table; internal/derive has the rest.

func output(t *testing.T, args ...string) string {
	t.Helper()
	var out bytes.Buffer
	if err := run(t.Context(), args, strings.NewReader(""), &out, new(bytes.Buffer)); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func fieldNames(in func(*flowlog.Field) bool) (names []string) {
	for i := range flowlog.Fields() {
		if f := &flowlog.Fields()[i]; in(f) {
			names = append(names, f.Name)
		}
	}
	return names
}

func anyField(*flowlog.Field) bool { return true }

func TestFieldsPrintsEveryField(t *testing.T) {
	var got []string
	for line := range strings.Lines(output(t, "fields", "--json")) {
		var f fieldJSON
		if err := json.Unmarshal([]byte(line), &f); err != nil {
			t.Fatal(err)
		}
		got = append(got, f.Name)
		field, ok := flowlog.FieldByName(f.Name)
		if !ok || f.Type != field.Type.String() || f.Version != field.Version || f.Column != field.Column() || f.Insights != field.Insights() {
			t.Errorf("%s is not what the table says: %+v", f.Name, f)
		}
	}
	if diff := cmp.Diff(fieldNames(anyField), got); diff != "" {
		t.Errorf("weir fields --json (-want +got):\n%s", diff)
	}
	table, _, _ := strings.Cut(output(t, "fields"), "\n\n")
	got = nil
	for _, line := range strings.Split(table, "\n")[1:] {
		got = append(got, strings.Fields(line)[0])
	}
	if diff := cmp.Diff(fieldNames(anyField), got); diff != "" {
		t.Errorf("weir fields (-want +got):\n%s", diff)
	}
}

func TestCompletionsHaveEveryField(t *testing.T) {
	for _, tt := range []struct {
		args []string
		want []string
	}{
		{[]string{"fields", ""}, fieldNames(anyField)},
		{[]string{"ddl", "--format", "$"}, fieldNames(anyField)},
		{[]string{"ddl", "--format", "${interface-id} "}, fieldNames(func(f *flowlog.Field) bool {
			return f.Family&flowlog.VPC != 0 && f.Name != "interface-id"
		})},
		{[]string{"ddl", "--format", "${tgw-id} "}, fieldNames(func(f *flowlog.Field) bool {
			return f.Family&flowlog.TransitGateway != 0 && f.Name != "tgw-id"
		})},
	} {
		var got []string
		for line := range strings.Lines(output(t, append([]string{"__complete"}, tt.args...)...)) {
			completion, _, ok := strings.Cut(line, "\t")
			if !ok {
				continue // the directive
			}
			last := completion[strings.LastIndexByte(completion, ' ')+1:]
			got = append(got, strings.TrimSuffix(strings.TrimPrefix(last, "${"), "}"))
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("completions of %q (-want +got):\n%s", tt.args, diff)
		}
	}
}

func TestWrap(t *testing.T) {
	for _, tt := range []struct {
		in    string
		width int
		want  []string
	}{
		{"", 10, []string{""}},
		{"one two three", 7, []string{"one two", "three"}},
		{"one two three", 100, []string{"one two three"}},
		{"a-word-that-is-long b", 5, []string{"a-word-that-is-long", "b"}},
	} {
		if diff := cmp.Diff(tt.want, wrap(tt.in, tt.width)); diff != "" {
			t.Errorf("wrap(%q, %d) (-want +got):\n%s", tt.in, tt.width, diff)
		}
	}
}
