package question

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"unicode"
)

// maxSeen and maxBecause are how many lines people get; JSON has all.
const (
	maxSeen    = 8
	maxBecause = 6
	maxChanges = 4
)

// WriteText writes the explanation for people: the conclusion and what it rests
// on, what was seen, what would change it, what the records do not say.
func (x *Explanation) WriteText(w io.Writer) error {
	var b strings.Builder
	b.WriteString(x.Conclusion.Words + "\n")
	fmt.Fprintf(&b, "  %s: %s\n", x.Conclusion.Confidence.words(), x.Conclusion.Basis)
	for i, f := range x.Conclusion.Because {
		if i == maxBecause {
			fmt.Fprintf(&b, "  … and %s\n", count(int64(len(x.Conclusion.Because)-i), "more finding"))
			break
		}
		fmt.Fprintf(&b, "  %s (%s: %s)\n", f.Words, f.Confidence, f.Basis)
	}
	fmt.Fprintf(&b, "asked: %s, %s UTC\n", x.Question, span(x.From, x.To))
	x.writeSeen(&b)
	writeList(&b, "would change it:", x.Changes)
	writeList(&b, "not in the data:", x.Unsaid)
	_, err := io.WriteString(w, printable(b.String()))
	return err
}

func (c Confidence) words() string {
	switch c {
	case ByRecord:
		return "decided by the records"
	case ByPolicy:
		return "decided by records and policy"
	case Consistent:
		return "consistent with the records"
	}
	return "not decided by the data"
}

func (x *Explanation) writeSeen(b *strings.Builder) {
	if len(x.Seen) == 0 {
		b.WriteString("seen: nothing\n")
		return
	}
	b.WriteString("seen:\n")
	t := tabwriter.NewWriter(b, 0, 0, 2, ' ', tabwriter.StripEscape)
	for i := range x.Seen {
		if i == maxSeen {
			fmt.Fprintf(t, "  … and %s\n", count(int64(len(x.Seen)-i), "more line"))
			break
		}
		s := &x.Seen[i]
		at := s.InterfaceID
		if s.Name != "" {
			at = s.Name + " (" + at + ")"
		}
		extra := []string{s.Flags}
		if s.RuleID > 0 {
			extra = append(extra, fmt.Sprintf("rule %d", s.RuleID))
		}
		extra = append(extra, s.Addresses)
		fmt.Fprintf(t, "  %s\t%s\t%s\t%s\t%s\t%s\t%s\n", s.Way, dash(at), dash(s.Direction), dash(s.Action),
			count(s.Packets, "packet"), during(x.From, s.First, s.Last), strings.Join(nonEmpty(extra), ", "))
	}
	_ = t.Flush() // a strings.Builder takes everything
	text := b.String()
	b.Reset()
	for line := range strings.Lines(text) {
		b.WriteString(strings.TrimRight(line, " \n") + "\n")
	}
}

func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

func nonEmpty(in []string) (out []string) {
	for _, s := range in {
		if s != "" {
			out = append(out, s)
		}
	}
	return out
}

func writeList(b *strings.Builder, title string, lines []string) {
	if len(lines) == 0 {
		return
	}
	b.WriteString(title + "\n")
	for i, line := range lines {
		if i == maxChanges {
			fmt.Fprintf(b, "  … and %d more\n", len(lines)-i)
			return
		}
		b.WriteString("  " + line + "\n")
	}
}

// printable keeps what came from records from steering a terminal.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r != '\n' && !unicode.IsPrint(r) {
			return unicode.ReplacementChar
		}
		return r
	}, s)
}
