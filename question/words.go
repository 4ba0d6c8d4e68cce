package question

import (
	"fmt"
	"strings"
	"time"

	"weir/flowlog"
)

const stampLayout = "2006-01-02 15:04:05"

func stamp(t time.Time) string { return t.UTC().Format(stampLayout) }

// span is "2024-02-29 12:00:00 to 12:10:00": the day is said once.
func span(from, to time.Time) string {
	if from.UTC().Format(time.DateOnly) == to.UTC().Format(time.DateOnly) {
		return stamp(from) + " to " + to.UTC().Format(time.TimeOnly)
	}
	return stamp(from) + " to " + stamp(to)
}

// during is a span of the day of another time: "12:00:10 to 12:00:15".
func during(day, from, to time.Time) string {
	date := day.UTC().Format(time.DateOnly) + " "
	s := strings.ReplaceAll(span(from, to), date, "")
	if from.Equal(to) {
		return strings.ReplaceAll(stamp(from), date, "")
	}
	return s
}

// count is "1 packet", "3 packets".
func count(n int64, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// The bits of tcp-flags. Source: Amazon VPC User Guide, "Flow log records".
const (
	flagFIN    = 1
	flagSYN    = 2
	flagRST    = 4
	flagSynAck = 16 // beside flagSYN only
)

// flagWords is "SYN", "SYN-ACK FIN"; "none" for records that saw none.
func flagWords(f *Flow) string {
	if !f.HasFlags {
		return ""
	}
	var out []string
	switch {
	case f.Flags&flagSynAck != 0:
		out = append(out, "SYN-ACK")
	case f.Flags&flagSYN != 0:
		out = append(out, "SYN")
	}
	if f.Flags&flagFIN != 0 {
		out = append(out, "FIN")
	}
	if f.Flags&flagRST != 0 {
		out = append(out, "RST")
	}
	if len(out) == 0 {
		return "no flags"
	}
	return strings.Join(out, " ")
}

// label names an interface: "db (eni-1)".
func (c *inquiry) label(id string) string {
	if id == "" {
		return "an interface that the records do not name"
	}
	if n := c.nameOf(id); n != "" {
		return n + " (" + id + ")"
	}
	return id
}

func (c *inquiry) nameOf(id string) string {
	for _, v := range []*version{c.then, c.now} {
		if v == nil {
			continue
		}
		if in := v.index.Interface(id); in != nil && in.Name != id {
			return in.Name
		}
	}
	return ""
}

// place is "at db (eni-1), ingress".
func (c *inquiry) place(f *Flow) string {
	s := "at " + c.label(f.InterfaceID)
	if d := c.direction(f); d != "" {
		s += ", " + d
	}
	return s
}

// direction is the flow's at its interface: by its record, else by the end that
// the interface is; "" when neither tells.
func (c *inquiry) direction(f *Flow) string {
	if f.Direction != "" {
		return f.Direction
	}
	out := f.Way == Request || f.Way == Beyond
	switch c.role(f) {
	case Sender:
		return map[bool]string{true: flowlog.Egress, false: flowlog.Ingress}[out]
	case Receiver:
		return map[bool]string{true: flowlog.Ingress, false: flowlog.Egress}[out]
	}
	return ""
}
