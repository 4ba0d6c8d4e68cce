package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"weir/flowlog"
	"weir/lake"
	"weir/policy"
	"weir/policy/book"
	"weir/question"
	"weir/vpc"
	"weir/vpc/declare"
)

// explainFlags are the flags of weir explain.
type explainFlags struct {
	bucket   string
	from, to string
	format   string
	topology string
	problems bool
}

func newExplain(a *app) *cobra.Command {
	var f explainFlags
	cmd := &cobra.Command{
		Use:   "explain RECORD | SRC DST PORT [PROTO]",
		Short: "Say what became of some traffic: which rule, how far, and why",
		Long: `Explain says what flow logs know about some traffic: what was seen at which
interface, which rule decided (of that time), what would have to change, and what
the data does not decide. Traffic that never arrived or is never recorded is
explained, too.

RECORD is a line of a flow log, in one argument or as its words, or "-" for
standard input; its own time is asked about. A record in another than the default
format needs --format, or its header on the line before.

SRC and DST are addresses, or names or ids of interfaces or instances of the
topology. PORT is the destination's, - for any. PROTO is tcp, udp, icmp or a
number; a protocol without ports takes the place of PORT. The last hour is asked
about, unless --from or --to say otherwise.

The rules and routes are those that weir policy applied, of the time of the
traffic, or those of --topology, which may describe somebody else's network: the
interfaces need the ids that are in the records.`,
		Example: `  weir explain web db 5432
  weir explain 203.0.113.9 10.0.1.10 22 --from 2h --bucket ./AWSLogs --topology vpc.yaml
  weir explain app db icmp
  weir explain '2 123456789012 eni-1 10.0.3.10 10.0.1.10 5432 40000 6 3 180 1709208011 1709208016 REJECT OK'`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			var format flowlog.Format
			if cmd.Flags().Changed("format") {
				var err error
				if format, err = namedFormat(f.format); err != nil {
					return &usageError{err: err, command: cmd.CommandPath()}
				}
			}
			return a.explain(cmd.Context(), args, format, f, cmd.CommandPath())
		},
	}
	cmd.Flags().StringVar(&f.bucket, "bucket", defaultBucket, "name of a local bucket, or a path to a directory or object")
	cmd.Flags().StringVar(&f.from, "from", "", "ask about records that ended at this time or later: 2h (ago), 2024-02-29, 2024-02-29T12:00, Unix seconds; UTC")
	cmd.Flags().StringVar(&f.to, "to", "", "ask about records that ended before this time")
	cmd.Flags().StringVar(&f.format, "format", "", "fields of RECORD: '${version} ${srcaddr} …', the header of an object, or default")
	cmd.Flags().StringVar(&f.topology, "topology", "", "a topology's file (YAML), instead of what weir policy applied")
	cmd.Flags().BoolVar(&f.problems, "problems", false, "list the lines and objects that could not be read")
	return cmd
}

func (a *app) explain(ctx context.Context, args []string, format flowlog.Format, f explainFlags, command string) error {
	now := time.Now().UTC()
	window, err := parseWindow(f.from, f.to, now)
	if err != nil {
		return &usageError{err: err, command: command}
	}
	past, err := a.past(f.topology)
	if err != nil {
		return err
	}
	if len(args) == 1 && args[0] == "-" {
		text, err := io.ReadAll(io.LimitReader(a.in, 2*flowlog.MaxLine))
		if err != nil {
			return fmt.Errorf("read the record from standard input: %w", err)
		}
		args = []string{string(text)}
	}
	q, err := question.Parse(args, question.Options{Format: format, Window: window, Now: now, Past: past})
	if err != nil {
		if past.Err() != nil {
			return past.Err()
		}
		return &usageError{err: err, command: command}
	}
	var evidence question.Evidence
	if q.Asks() {
		if evidence, err = a.gather(ctx, q, f); err != nil {
			return err
		}
	}
	answer := question.Explain(q, evidence, past)
	if err := past.Err(); err != nil {
		return err // the rules of that time cannot be read: a half answer would mislead
	}
	if a.json {
		enc := json.NewEncoder(a.out)
		enc.SetEscapeHTML(false)
		return enc.Encode(answer)
	}
	return answer.WriteText(a.out)
}

// gather asks the bucket, and notes of which time it has objects at all.
func (a *app) gather(ctx context.Context, q *question.Question, f explainFlags) (e question.Evidence, err error) {
	path, window := a.bucketPath(f.bucket), q.Window()
	objects, err := lake.List(path, window.From, window.To)
	if err != nil {
		return e, listError(path, err)
	}
	all, err := lake.List(path, time.Time{}, time.Time{})
	if err != nil {
		return e, listError(path, err)
	}
	engine, err := openEngine(ctx)
	if err != nil {
		return e, err
	}
	defer func() { err = errors.Join(err, engine.Close()) }()
	scan := lake.NewScan(objects)
	if err := engine.FlowLogs(ctx, scan, window); err != nil {
		return e, err
	}
	e, err = question.Gather(ctx, engine, q)
	a.warnProblems(scan.Report(), queryFlags{problems: f.problems})
	slots := make([]time.Time, len(all))
	for i := range all {
		slots[i] = all[i].Slot
	}
	e.Bucket = question.BucketOf(len(objects), slots)
	return e, err
}

// past is what explanations ask about former times: a given topology, or the
// policies that were applied on this host.
func (a *app) past(topology string) (*pastPolicies, error) {
	if topology == "" {
		return &pastPolicies{book: book.Open(filepath.Join(a.dataDir, "policy"))}, nil
	}
	text, err := os.ReadFile(topology)
	if err != nil {
		return nil, withHint(err, "a topology's file is YAML: docs/topology.md")
	}
	t, problems := declare.Parse(text, declare.Options{AccountID: defaultAccountID, Region: defaultRegion})
	if err := problems.Err(); err != nil {
		return nil, fmt.Errorf("%s:%w", topology, err)
	}
	given, err := question.NewGiven(t)
	return &pastPolicies{given: given}, err
}

// pastPolicies is a question.Past over the book, which can fail where the
// question has no place for it: see Err.
type pastPolicies struct {
	given *question.Given // instead of the book
	book  *book.Book
	err   error
}

var _ question.Past = (*pastPolicies)(nil)

func (p *pastPolicies) At(t time.Time) (*vpc.Topology, *policy.Policy, time.Time, bool) {
	if p.given != nil {
		return p.given.At(t)
	}
	in, err := p.book.At(t)
	if err != nil {
		p.err = errors.Join(p.err, fmt.Errorf("the policy of %s: %w", t.Format(time.RFC3339), err))
	}
	if in == nil || err != nil {
		return nil, nil, time.Time{}, false
	}
	return in.Topology, in.Policy, in.Entry.Time, true
}

func (p *pastPolicies) Rule(id uint32) (string, bool) {
	if p.given != nil {
		return p.given.Rule(id)
	}
	field, ok := p.book.Rule(id) // as a record has it
	if !ok {
		return "", false
	}
	words, err := policy.UnescapeWords(field)
	return words, err == nil
}

// Err is why something could not be looked up, nil when everything could.
func (p *pastPolicies) Err() error { return p.err }
