package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"weir/lake"
	"weir/query"
	"weir/query/duckdb"
)

// queryFlags are the flags of weir query.
type queryFlags struct {
	bucket   string
	from, to string
	problems bool
}

func newQuery(a *app) *cobra.Command {
	var f queryFlags
	cmd := &cobra.Command{
		Use:   "query SQL|-",
		Short: "Ask SQL of flow logs in a bucket",
		Long: `Query answers SQL over the flow logs of a bucket, in the view flow_logs. Its
columns are the fields of a flow log record with underscores: interface_id,
srcaddr, bytes, ... "end" is a keyword of SQL and needs its double quotes.
Numbers are NULL where the record has "-". The SQL is DuckDB's; "-" reads it
from standard input.`,
		Example: `  weir query "select srcaddr, sum(bytes) b from flow_logs where action='ACCEPT' group by 1 order by b desc limit 10"
  weir query --from 2h "select dstport, count(*) from flow_logs where action='REJECT' group by 1 order by 2 desc"
  weir query --bucket ./AWSLogs "select * from flow_logs limit 5"`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.query(cmd.Context(), args[0], f, cmd.CommandPath())
		},
	}
	cmd.Flags().StringVar(&f.bucket, "bucket", defaultBucket, "name of a local bucket, or a path to a directory or object")
	cmd.Flags().StringVar(&f.from, "from", "", "only records that ended at this time or later: 2h (ago), 2024-02-29, 2024-02-29T12:00, Unix seconds; UTC")
	cmd.Flags().StringVar(&f.to, "to", "", "only records that ended before this time")
	cmd.Flags().BoolVar(&f.problems, "problems", false, "list the lines and objects that could not be read")
	return cmd
}

func (a *app) query(ctx context.Context, sql string, f queryFlags, command string) (err error) {
	began := time.Now()
	window, err := parseWindow(f.from, f.to, began)
	if err != nil {
		return &usageError{err: err, command: command}
	}
	if sql == "-" {
		text, err := io.ReadAll(io.LimitReader(a.in, 1<<20))
		if err != nil {
			return fmt.Errorf("read SQL from standard input: %w", err)
		}
		sql = string(text)
	}
	if strings.TrimSpace(sql) == "" {
		return &usageError{err: errors.New("the SQL is empty"), command: command}
	}
	path := a.bucketPath(f.bucket)
	objects, err := lake.List(path, window.From, window.To)
	if err != nil {
		return listError(path, err)
	}
	if len(objects) == 0 {
		a.warn(f, path)
	}
	scan := lake.NewScan(objects)
	rows, err := a.ask(ctx, scan, window, sql)
	a.warnProblems(scan.Report(), f)
	if err != nil {
		return err
	}
	if isTerminal(a.err) {
		fmt.Fprintf(a.err, "%d %s in %.3f s, from %d records of %d objects\n",
			rows, plural(rows, "row"), time.Since(began).Seconds(), scan.Report().Records, scan.Report().Objects)
	}
	return nil
}

// openEngine opens the embedded engine within its default bounds.
func openEngine(ctx context.Context) (query.Engine, error) {
	return duckdb.Open(ctx, duckdb.Config{
		MemoryLimit: defaultQueryMemory,
		TempDir:     filepath.Join(os.TempDir(), fmt.Sprintf("weir-query-%d", os.Getpid())),
	})
}

// ask prints the answer and returns how many rows it has.
func (a *app) ask(ctx context.Context, src query.Source, w query.Window, sql string) (n int64, err error) {
	engine, err := openEngine(ctx)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, engine.Close()) }()
	if err := engine.FlowLogs(ctx, src, w); err != nil {
		return 0, err
	}
	rows, err := engine.Query(ctx, sql)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	if a.json {
		return printJSON(a.out, rows)
	}
	return printTable(a.out, rows)
}

// listError says what to do about a bucket that cannot be listed.
func listError(path string, err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return withHint(fmt.Errorf("there are no flow logs at %s yet", path),
			"record this host's traffic with weir up, or a demo's with weir lab; flow logs elsewhere are found with --data or --bucket")
	case errors.Is(err, fs.ErrPermission):
		return withHint(err, "run weir as a user who may read the bucket, such as root")
	}
	return err
}

func (a *app) warn(f queryFlags, path string) {
	if f.from != "" || f.to != "" {
		fmt.Fprintf(a.err, "warning: %s holds no flow logs of this time\n", path)
		return
	}
	fmt.Fprintf(a.err, "warning: %s holds no flow logs yet\n", path)
	fmt.Fprintln(a.err, "hint: a running weir publishes every five minutes, and when it stops")
}

// warnProblems says what the answer does not rest on.
func (a *app) warnProblems(r lake.Report, f queryFlags) {
	if r.Damaged > 0 {
		fmt.Fprintf(a.err, "warning: %d %s could not be read to the end; what is whole was used\n", r.Damaged, plural(int64(r.Damaged), "object"))
	}
	if r.Malformed > 0 {
		fmt.Fprintf(a.err, "warning: %d malformed %s left out\n", r.Malformed, plural(r.Malformed, "line"))
	}
	if len(r.UnknownFields) > 0 {
		fmt.Fprintf(a.err, "warning: fields that this weir does not know were passed over: %s\n", strings.Join(r.UnknownFields, ", "))
	}
	if len(r.Problems) == 0 {
		return
	}
	if !f.problems {
		fmt.Fprintf(a.err, "hint: --problems lists them; the first: %s\n", printable(r.Problems[0].String()))
		return
	}
	for _, p := range r.Problems {
		fmt.Fprintln(a.err, printable(p.String()))
	}
	if more := r.Malformed + int64(r.Damaged) - int64(len(r.Problems)); more > 0 {
		fmt.Fprintf(a.err, "… and %d more\n", more)
	}
}

func plural(n int64, noun string) string {
	if n == 1 {
		return noun
	}
	return noun + "s"
}
