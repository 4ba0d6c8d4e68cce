//go:build cgo && !noduckdb

package duckdb

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"unicode"

	driver "github.com/duckdb/duckdb-go/v2"

	"weir/flowlog"
	"weir/query"
)

// queryError turns DuckDB's message into an error with a place. DuckDB tells
// the place only in the message, as an excerpt with a caret:
//
//	Binder Error: Referenced column "srcadr" not found in FROM clause!
//	Candidate bindings: "srcaddr", "dstaddr"
//
//	LINE 1: select srcadr from flow_logs
//	               ^
func queryError(ctx context.Context, sqlText string, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	d, ok := errors.AsType[*driver.Error](err)
	if !ok {
		return fmt.Errorf("query: %w", err)
	}
	message, pos := place(sqlText, d.Msg)
	msg, help := explain(message)
	if h := fieldHint(sqlText, pos); h != "" {
		help = h
	}
	return query.NewError(sqlText, pos, msg, help)
}

var lineMark = regexp.MustCompile(`(?m)^LINE (\d+): `)

// place splits DuckDB's message from the excerpt below it and finds the byte
// that the caret points at; -1 when there is none.
func place(sqlText, text string) (message string, pos int) {
	at := lineMark.FindStringSubmatchIndex(text)
	if at == nil {
		return strings.TrimSpace(text), -1
	}
	message = strings.TrimSpace(text[:at[0]])
	excerpt, rest, _ := strings.Cut(text[at[1]:], "\n")
	caret := strings.IndexByte(rest, '^') - (at[1] - at[0])
	if caret < 0 {
		return message, -1
	}
	// Of a long line DuckDB shows a part, between dots.
	shown := excerpt
	if s, ok := strings.CutPrefix(shown, "..."); ok {
		shown, caret = s, caret-len("...")
	}
	shown = strings.TrimSuffix(shown, "...")
	offset := byteOffset(shown, caret)
	if offset < 0 {
		return message, -1
	}
	begin := 0
	for n := text[at[2]:at[3]]; n != fmt.Sprint(strings.Count(sqlText[:begin], "\n")+1); {
		next := strings.IndexByte(sqlText[begin:], '\n')
		if next < 0 {
			return message, -1
		}
		begin += next + 1
	}
	line, _, _ := strings.Cut(sqlText[begin:], "\n")
	in := strings.Index(line, shown)
	if in < 0 {
		return message, -1
	}
	return message, begin + in + offset
}

// byteOffset is where in s the screen column n begins, as DuckDB counts them:
// tabs take none, wide characters take two. -1 when s is shorter.
func byteOffset(s string, n int) int {
	for i, r := range s {
		if n <= 0 && !unicode.IsControl(r) {
			return i
		}
		n -= screenWidth(r)
	}
	if n == 0 {
		return len(s)
	}
	return -1
}

// screenWidth is enough of Unicode's East Asian Width to find a place again.
func screenWidth(r rune) int {
	switch {
	case unicode.IsControl(r), unicode.Is(unicode.Mn, r):
		return 0
	case unicode.In(r, unicode.Han, unicode.Hangul, unicode.Hiragana, unicode.Katakana), r >= 0xFF01 && r <= 0xFF60, r >= 0x1F300 && r <= 0x1FAFF:
		return 2
	}
	return 1
}

var candidates = regexp.MustCompile(`(?s)\n*(?:Candidate bindings|Did you mean|Candidate functions)(.*)$`)

// explain makes one line of the message and a hint of its candidates.
func explain(message string) (msg, help string) {
	kind, rest, ok := strings.Cut(message, " Error: ")
	if !ok {
		kind, rest = "", message
	}
	if m := candidates.FindStringSubmatchIndex(rest); m != nil {
		if found := strings.TrimSpace(rest[m[2]:m[3]]); found != "" && !strings.Contains(found, "\n") {
			help = "did you mean " + strings.TrimSuffix(strings.TrimPrefix(found, ": "), "?") + "?"
		}
		rest = rest[:m[0]]
	}
	msg = strings.TrimRight(strings.Join(strings.Fields(rest), " "), "!. ")
	switch kind {
	case "Permission":
		msg = "queries read the view " + query.View + " only: " + msg
	case "Catalog":
		if strings.HasPrefix(msg, "Table with name") {
			help = "flow log records are in the view " + query.View
		}
	case "Out of Memory":
		help = "ask for a shorter time with --from and --to, or for fewer columns"
	}
	return msg, help
}

// fieldHint helps with the two ways in which the fields' names trip people:
// "interface-id" is a subtraction in SQL, and "end" is a keyword.
func fieldHint(sqlText string, pos int) string {
	if pos < 0 || pos > len(sqlText) {
		return ""
	}
	word := sqlText[pos:]
	for i := range flowlog.Fields() {
		f := &flowlog.Fields()[i]
		if strings.Contains(f.Name, "-") && strings.HasPrefix(strings.ToLower(word), f.Name) {
			return fmt.Sprintf("columns have underscores: %s", f.Column())
		}
	}
	if endKeyword.MatchString(word) || endKeyword.MatchString(strings.TrimRight(sqlText[:pos], " \t\r\n,")) {
		return `"end" is a keyword of SQL: write the column in double quotes, "end"`
	}
	return ""
}

var endKeyword = regexp.MustCompile(`(?i)^end\b|\bend$`)
