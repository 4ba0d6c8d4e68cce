package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"weir/control"
	"weir/lab"
	"weir/lake"
	"weir/query"
	"weir/vpc"
)

// section is one part of the lab's summary: a heading and what it asks.
type section struct{ title, sql string }

// The view named(interface_id, name) holds the lab's interfaces, mistakes what is
// wrong in its policy on purpose. A rule's words lose the ids that stand behind
// names; a rule that nobody knows, and a firewall of others, have none.
var sections = []section{
	{"Records per network interface", `
select n.name, interface_id, count(*) filter (action = 'ACCEPT') as accept, count(*) filter (action = 'REJECT') as reject,
       count(*) filter (log_status = 'NODATA') as nodata, count(*) filter (log_status = 'SKIPDATA') as skipdata,
       sum(packets)::bigint as packets, sum(bytes)::bigint as bytes
from flow_logs join named n using (interface_id) group by all order by n.name`},
	// Traffic between two instances is recorded at both: the larger sum is it.
	{"Top talkers", `
select srcaddr, dstaddr, max(packets)::bigint as packets, max(bytes)::bigint as bytes
from (select interface_id, srcaddr, dstaddr, sum(packets) as packets, sum(bytes) as bytes
      from flow_logs where action = 'ACCEPT' group by all)
group by all order by bytes desc limit 8`},
	// Replies go to ports that clients chose: together they are one line.
	{"Refused traffic, and the rule that refused it", `
select n.name as "at", case count(distinct srcaddr) when 1 then min(srcaddr) else count(distinct srcaddr) || ' sources' end as source,
       dstaddr, case when dstport < 32768 then dstport::varchar else 'replies' end as port, protocol,
       sum(packets)::bigint as packets, coalesce(words(weir_rule), '-') as refused_by
from flow_logs join named n using (interface_id)
where action = 'REJECT' and srcaddr not in (select srcaddr from scans) group by all order by packets desc limit 12`},
	{"Two rules are wrong on purpose: this is how it shows", `
select name as who, coalesce(max(action) filter (not reply), 'not seen') as request, coalesce(sum(packets) filter (not reply), 0)::bigint as packets,
       coalesce(max(action) filter (reply), 'none') as reply, coalesce(sum(packets) filter (reply), 0)::bigint as reply_packets,
       coalesce(max(words(weir_rule)), '-') as refused_by
from (select m.name, f.*, f.srcaddr = m.dst as reply from mistakes m left join flow_logs f on f.interface_id = m.interface_id and
      (f.srcaddr = m.src and f.dstaddr = m.dst and f.dstport = m.port or f.srcaddr = m.dst and f.dstaddr = m.src and f.srcport = m.port))
group by name order by name`},
	{"Port scans: sources refused at more than 100 ports of one address", `
select srcaddr, dstaddr, ports, packets from scans order by ports desc`},
	{"A few records: the default format, direction, TCP flags and the refusing rule's id", `
select concat_ws(' ', version, account_id, interface_id, srcaddr, dstaddr, srcport, dstport, protocol, packets, bytes, start, "end", action, log_status,
       coalesce(flow_direction, '-'), coalesce(tcp_flags::varchar, '-'), coalesce(weir_rule_id::varchar, '-')) as record
from (select *, row_number() over (partition by interface_id, action order by bytes desc, start) as nth from flow_logs where log_status = 'OK')
where nth = 1 order by interface_id, action limit 8`},
}

const scans = `
create or replace temp view scans as
select srcaddr, dstaddr, count(distinct dstport) as ports, sum(packets)::bigint as packets
from flow_logs where action = 'REJECT' group by all having ports > 100`

const words = `
create or replace temp macro words(rule) as regexp_replace(url_decode(rule), ' \((sg|acl)-[0-9a-z-]+\)', '', 'g')`

// summary asks the lab's flow log what happened and prints it.
func (a *app) summary(ctx context.Context, s *station, l *lab.Lab, bucket string) (err error) {
	st := s.status()
	engine, err := openEngine(ctx)
	if err != nil {
		return errors.Join(a.printStatus(&st), err)
	}
	defer func() { err = errors.Join(err, engine.Close()) }()

	window := query.Window{From: s.started}
	objects, err := lake.List(bucket, window.From, window.To)
	if err != nil {
		return err
	}
	began := time.Now()
	scan := lake.NewScan(objects)
	if err := engine.FlowLogs(ctx, scan, window); err != nil {
		return err
	}
	for _, sql := range []string{namedView(l.Topology().Interfaces), mistakesView(l.Mistakes()), words, scans} {
		if err := a.statement(ctx, engine, sql); err != nil {
			return err
		}
	}
	if a.json {
		return a.summaryJSON(ctx, engine, s.status())
	}
	for _, sec := range sections {
		fmt.Fprintf(a.out, "\n%s\n", sec.title)
		rows, err := engine.Query(ctx, strings.TrimSpace(sec.sql))
		if err != nil {
			return fmt.Errorf("%s: %w", sec.title, err)
		}
		_, err = printTable(a.out, rows)
		if err := errors.Join(err, rows.Close()); err != nil {
			return err
		}
	}
	a.warnProblems(scan.Report(), queryFlags{})
	return a.printFigures(s, l.Mistakes(), bucket, len(objects), scan.Report().Records, time.Since(began))
}

// summaryJSON prints the summary as one object: the status, and the rows of each
// section by its title.
func (a *app) summaryJSON(ctx context.Context, engine query.Engine, status control.Status) error {
	doc := struct {
		Status   control.Status               `json:"status"`
		Sections map[string][]json.RawMessage `json:"sections"`
	}{status, map[string][]json.RawMessage{}}
	for _, sec := range sections {
		rows, err := engine.Query(ctx, strings.TrimSpace(sec.sql))
		if err != nil {
			return fmt.Errorf("%s: %w", sec.title, err)
		}
		var lines bytes.Buffer
		_, err = printJSON(&lines, rows)
		if err := errors.Join(err, rows.Close()); err != nil {
			return err
		}
		list := []json.RawMessage{}
		for line := range bytes.Lines(lines.Bytes()) {
			list = append(list, json.RawMessage(line))
		}
		doc.Sections[sec.title] = list
	}
	return json.NewEncoder(a.out).Encode(doc)
}

// mistakesView tells what to look for, and where: at the interface that is asked.
// All of it is the lab's own.
func mistakesView(mistakes []lab.Mistake) string {
	var values []string
	for _, m := range mistakes {
		values = append(values, fmt.Sprintf("('%s', '%s', '%s', '%s', %d)", strings.ReplaceAll(m.Name, "'", "''"), m.InterfaceID, m.Src, m.Dst, m.Port))
	}
	return "create or replace temp view mistakes as select * from (values " + strings.Join(values, ", ") + ") t(name, interface_id, src, dst, port)"
}

// statement runs SQL that answers nothing.
func (a *app) statement(ctx context.Context, engine query.Engine, sql string) error {
	rows, err := engine.Query(ctx, sql)
	if err != nil {
		return err
	}
	for rows.Next() {
	}
	return errors.Join(rows.Err(), rows.Close())
}

// namedView gives interface ids their names. Both are the lab's own.
func namedView(interfaces []vpc.Interface) string {
	var values []string
	for _, i := range interfaces {
		values = append(values, fmt.Sprintf("('%s', '%s')", i.ID, i.Name))
	}
	return "create or replace temp view named as select * from (values " + strings.Join(values, ", ") + ") t(interface_id, name)"
}

func (a *app) printFigures(s *station, mistakes []lab.Mistake, bucket string, objects int, records int64, asked time.Duration) error {
	st := s.status()
	var packets, bytes, rejected uint64
	for _, i := range st.Capture.Interfaces {
		packets += i.Ingress.AcceptedPackets + i.Egress.AcceptedPackets
		bytes += i.Ingress.AcceptedBytes + i.Egress.AcceptedBytes
		rejected += i.Ingress.RejectedPackets + i.Egress.RejectedPackets
	}
	var delivered []string
	for _, f := range st.FlowLogs {
		delivered = append(delivered, fmt.Sprintf("%d records in %d %s, %d bytes, to %s", f.Records, f.Parts, partsOf(&f), f.Bytes, f.To))
	}
	_, err := fmt.Fprintf(a.out, `
Figures
counted     %d packets accepted (%d bytes), %d refused, in %d hand-overs of the kernel's tables
delivered   %s
asked       %d records of %d objects in %v
lost        %d packets, %d records

`,
		packets, bytes, rejected, st.Capture.Swaps,
		strings.Join(delivered, "\n            "),
		records, objects, asked.Round(time.Millisecond),
		st.Lost.Packets, st.Lost.Records)
	if err != nil {
		return err
	}
	for _, m := range mistakes {
		fmt.Fprintf(a.out, "Ask why:  %s %v %v %d\n", a.again(bucket, "explain"), m.Src, m.Dst, m.Port)
	}
	_, err = fmt.Fprintf(a.out, "Ask more: %s \"select …\"\n", a.again(bucket, "query"))
	return err
}

// again is the beginning of a command line about what a station has recorded.
func (a *app) again(bucket, command string) string {
	line := os.Args[0] + " " + command + " --data " + a.dataDir
	if bucket != a.bucketPath(defaultBucket) {
		line += " --bucket " + bucket
	}
	return line
}
