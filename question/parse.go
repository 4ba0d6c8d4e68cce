package question

import (
	"errors"
	"io"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"weir/flowlog"
	"weir/query"
	"weir/vpc"
)

// defaultSpan is how far back a question looks that names no time.
const defaultSpan = time.Hour

// Options are what a question leaves open.
type Options struct {
	// Format is that of a record without a header; zero: the default format.
	Format flowlog.Format
	// Window is the time asked about; open sides are filled. A record has its own.
	Window query.Window
	Now    time.Time
	Past   Past // finds names; may be nil
}

// fewestFields tells the words of a record from those of a question.
const fewestFields = 5

// Parse understands a question: one or more words of a record, perhaps with its
// header on a line before, or SRC DST PORT [PROTO], where a protocol without
// ports takes the place of the port. The error is an [*Error].
func Parse(args []string, o Options) (*Question, error) {
	if len(args) == 1 || len(args) >= fewestFields {
		return parseRecord(strings.Join(args, " "), o)
	}
	return parseWords(args, o)
}

const usage = "write SRC DST PORT [PROTO], as in 10.0.1.10 10.0.2.20 5432, or a whole record"

func parseWords(args []string, o Options) (*Question, error) {
	if len(args) < 3 {
		return nil, mistake(usage, "the question is too short")
	}
	q := &Question{Asked: o.Now, Protocol: vpc.TCP, Port: AnyPort, SrcPort: AnyPort}
	q.From, q.To = fill(o.Window, o.Now)
	if !q.From.Before(q.To) {
		return nil, mistake("", "the time asked about is empty")
	}
	if err := q.traffic(args[2:]); err != nil {
		return nil, err
	}
	return q, q.ends(args[0], args[1], o.Past)
}

// fill closes the open sides of a window.
func fill(w query.Window, now time.Time) (from, to time.Time) {
	from, to = w.From, w.To
	if to.IsZero() {
		to = now
	}
	if from.IsZero() {
		from = to.Add(-defaultSpan)
	}
	return from, to
}

// traffic reads PORT [PROTO]: "443", "53 udp", "icmp", "- 47".
func (q *Question) traffic(words []string) error {
	port, proto := words[0], ""
	if len(words) == 2 {
		proto = words[1]
	} else if _, err := parsePort(port); err != nil && port != "-" {
		port, proto = "-", port
	}
	if proto != "" {
		n, err := vpc.ParseProtocol(strings.ToLower(proto))
		if err != nil || n < 0 {
			return mistake("a port is 0 to 65535; a protocol is tcp, udp, icmp or a number from 0 to 255", "%.40q is neither a port nor a protocol", proto)
		}
		q.Protocol = uint8(n)
	}
	if port == "-" {
		return nil
	}
	n, err := parsePort(port)
	switch {
	case err != nil:
		return mistake("a port is 0 to 65535, - for any", "%.40q is not a port", port)
	case !q.hasPorts():
		return mistake("leave the port out: SRC DST "+proto, "%s has no ports", vpc.ProtocolName(int(q.Protocol)))
	}
	q.Port = n
	return nil
}

func parsePort(s string) (int, error) {
	n, err := strconv.ParseUint(s, 10, 16)
	if err == nil && strconv.FormatUint(n, 10) != s {
		err = strconv.ErrSyntax
	}
	return int(n), err
}

func parseRecord(text string, o Options) (*Question, error) {
	r, err := onlyRecord(text, o.Format)
	if err != nil {
		return nil, err
	}
	q := &Question{Asked: o.Now, Record: r, Port: AnyPort, SrcPort: AnyPort, Protocol: uint8(r.Protocol)}
	q.From, q.To = fill(o.Window, o.Now)
	if r.Has("start") && r.Has("end") {
		q.From, q.To = time.Unix(r.Start, 0).UTC(), time.Unix(r.End, 0).UTC().Add(time.Second)
	}
	if !q.From.Before(q.To) || r.End > maxTime {
		return nil, mistake("", "the record ends before it starts, or beyond all times")
	}
	if r.LogStatus == flowlog.NoData || r.LogStatus == flowlog.SkipData {
		return q, nil // it stands for no flow; Explain says what that means
	}
	src, dst := r.PktSrcAddr, r.PktDstAddr
	if !src.IsValid() {
		src = r.SrcAddr
	}
	if !dst.IsValid() {
		dst = r.DstAddr
	}
	if !src.IsValid() || !dst.IsValid() || !r.Has("protocol") {
		return nil, mistake("ask with SRC DST PORT [PROTO]", "the record does not hold both addresses and the protocol")
	}
	if q.hasPorts() && r.Has("srcport") && r.Has("dstport") {
		q.SrcPort, q.Port = int(r.SrcPort), int(r.DstPort)
	}
	if err := q.ends(src.String(), dst.String(), o.Past); err != nil {
		return nil, err
	}
	// What the record has beside the packet's addresses is its interface's.
	q.Src.also(r.SrcAddr)
	q.Dst.also(r.DstAddr)
	return q, nil
}

// maxTime is the year 9999, in Unix seconds: beyond it times have no text.
const maxTime = 253402300799

// onlyRecord reads the one record of a text.
func onlyRecord(text string, format flowlog.Format) (*flowlog.Record, error) {
	reader := flowlog.NewReader(strings.NewReader(strings.TrimSpace(text)), format)
	var r flowlog.Record
	if err := reader.Read(&r); err != nil {
		reason := "it is no record"
		if p := reader.Report().Problems; len(p) > 0 {
			reason = p[0].Reason
		}
		if !errors.Is(err, io.EOF) {
			reason = err.Error()
		}
		return nil, mistake("a record in another than the default format needs --format, or its header on the line before; or "+usage,
			"the record cannot be read: %s", reason)
	}
	if reader.Format.Family() == flowlog.TransitGateway {
		return nil, mistake("ask about the traffic with SRC DST PORT [PROTO]", "it is the record of a transit gateway, which accepts and refuses nothing")
	}
	var second flowlog.Record
	if reader.Read(&second) == nil {
		return nil, mistake("give one of them", "there is more than one record")
	}
	return &r, nil
}

// also adds an address that stands for the end in records.
func (e *End) also(a netip.Addr) {
	if a.IsValid() && a != e.Addr() && a.Is4() == e.Addr().Is4() {
		e.Stand = append(e.Stand, a)
	}
}
