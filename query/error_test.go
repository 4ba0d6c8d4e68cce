package query_test

import (
	"testing"

	"weir/query"
)

func TestErrorPoints(t *testing.T) {
	for _, tt := range []struct {
		name, query string
		pos         int
		want        string // Error, then Detail
	}{
		{"first line", "select srcadr from flow_logs", 7, "line 1, column 8: m\nselect srcadr from flow_logs\n       ^^^^^^"},
		{"third line", "select\n1,\n  foo\nfrom x", 12, "line 3, column 3: m\n  foo\n  ^^^"},
		{"after a tab", "select\n\tfoo", 8, "line 2, column 2: m\n\tfoo\n\t^^^"},
		{"after other letters", "select 'äö', x", 15, "line 1, column 14: m\nselect 'äö', x\n             ^"},
		{"operator", "select 1 + + from", 11, "line 1, column 12: m\nselect 1 + + from\n           ^"},
		{"at the end", "select", 6, "line 1, column 7: m\nselect\n      ^"},
		{"windows line", "select\r\nfoo\r\n", 8, "line 2, column 1: m\nfoo\n^^^"},
		{"no place", "select", -1, "m\n"},
		{"beyond", "select", 7, "m\n"},
	} {
		e := query.NewError(tt.query, tt.pos, "m", "")
		if got := e.Error() + "\n" + e.Detail(); got != tt.want {
			t.Errorf("%s:\n%s\nwant\n%s", tt.name, got, tt.want)
		}
	}
}
