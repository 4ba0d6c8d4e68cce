package main

import (
	"fmt"
	"strings"
	"testing"
)

func TestTable(t *testing.T) {
	var out strings.Builder
	table := newTable(&out, []string{"name", "bytes", "note"}, []bool{false, true, false})
	for _, row := range [][]string{{"a", "1", ""}, {"longer", "12345678", "two\nlines"}, {"日本", "NULL", "x\x1b[31m"}} {
		if err := table.Row(row); err != nil {
			t.Fatal(err)
		}
	}
	if err := table.Close(); err != nil {
		t.Fatal(err)
	}
	want := "name       bytes  note\n" +
		"a              1\n" +
		"longer  12345678  two\\nlines\n" +
		"日本          NULL  x�[31m\n"
	if out.String() != want {
		t.Errorf("got\n%swant\n%s", out.String(), want)
	}
}

// Rows beyond the lookahead are printed at once and all arrive.
func TestLongTable(t *testing.T) {
	var out strings.Builder
	table := newTable(&out, []string{"n"}, []bool{true})
	for n := range 3 * tableLookahead {
		if err := table.Row([]string{fmt.Sprint(n)}); err != nil {
			t.Fatal(err)
		}
		if len(table.held) >= tableLookahead {
			t.Fatalf("row %d: %d rows held back", n, len(table.held))
		}
	}
	if err := table.Close(); err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(out.String(), "\n"); n != 3*tableLookahead+1 {
		t.Errorf("%d lines, want %d", n, 3*tableLookahead+1)
	}
}
