package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"weir/convert"
	"weir/flowlog"
	"weir/flowlog/parquet"
)

// convertFlags are the flags of weir convert.
type convertFlags struct {
	format, given     string
	as, codec         string
	sort, bloom, gzip bool
	bare              bool
	force, problems   bool
	malformed         string
}

func newConvert(a *app) *cobra.Command {
	var f convertFlags
	cmd := &cobra.Command{
		Use:   "convert IN... OUT",
		Short: "Convert flow logs: text to Parquet and back, any format to any format",
		Long: `Convert reads flow logs, text (gzip or not) or Parquet, told apart by content, and
writes them in another encoding or with other fields. IN is a file, a directory
that is searched for files of flow logs (*.log, *.txt, *.gz, *.parquet; no names
that begin with a dot), or "-" for standard input. Several INs become one OUT, in
their order; if OUT is a directory, or ends in "/", each becomes a file in it,
under the folders that it had. "-" is standard output.

The encoding is that of OUT's name (.parquet, .log.gz, .log, .txt), or --as. Text
in a directory is gzip unless --gzip=false.

The fields are those of the input, which must be the same in all that becomes one
file, or --format. Fields that an input does not have are "-" then, which is
warned about, and the version is the format's. VPC and transit gateway flow logs
can be made of each other as far as they have fields in common.

Lines that are no records are left out, counted and listed; --malformed keeps
all of them in a file. Records that AWS would not write are kept and counted.

OUT appears when it is whole, and replaces a file only with --force; what is
killed before leaves a file .weir-convert-…, which may go. The exit status is 1
when an input cannot be read to its end (OUT holds what is whole), or when no line
of the inputs is a record (there is no OUT), and 0 when malformed lines were left
out.`,
		Example: `  weir convert 123456789012_vpcflowlogs_us-east-1_fl-1_20240229T1200Z_1a2b3c4d.log.gz out.parquet
  weir convert ./AWSLogs day.parquet --codec zstd --sort
  weir convert ./AWSLogs ./parquet/ --as parquet
  weir convert old.log.gz new.log.gz --format default
  zcat x.log.gz | weir convert - - --format '${srcaddr} ${dstaddr} ${bytes}'`,
		Args: cobra.MinimumNArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			err := a.convert(cmd.Context(), &f, cmd.Flags(), args[:len(args)-1], args[len(args)-1])
			if usage, ok := errors.AsType[*usageError](err); ok {
				usage.command = cmd.CommandPath()
			}
			return err
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&f.format, "format", "", "fields of the output: '${version} ${srcaddr} …', the header of an object, default or tgw (default: those of the input)")
	flags.StringVar(&f.given, "input-format", "", "fields of text that no header stands before (default: the default formats are recognised)")
	flags.StringVar(&f.as, "as", "", "encoding of the output: text or parquet (default: by its name)")
	flags.StringVar(&f.codec, "codec", "gzip", "compression of Parquet: gzip, zstd, snappy or uncompressed")
	flags.BoolVar(&f.sort, "sort", false, "sort the rows of each row group of Parquet by interface-id and start")
	flags.BoolVar(&f.bloom, "bloom", false, "write Bloom filters for the addresses to Parquet")
	flags.BoolVar(&f.gzip, "gzip", false, "compress text (default: by OUT's name, and in a directory)")
	flags.BoolVar(&f.bare, "no-header", false, "write text without its header, as in CloudWatch Logs")
	flags.BoolVar(&f.force, "force", false, "replace files that exist")
	flags.BoolVar(&f.problems, "problems", false, "list the lines that are no records, and doubtful records, up to 1000")
	flags.StringVar(&f.malformed, "malformed", "", "write every line that is no record to this file, with its place and the reason before it")
	return cmd
}

func (a *app) convert(ctx context.Context, f *convertFlags, flags *pflag.FlagSet, ins []string, out string) (err error) {
	cfg, err := f.config(flags, out)
	if err != nil {
		return &usageError{err: err}
	}
	if out == "-" && isTerminal(a.out) && (cfg.Parquet || cfg.Gzip) {
		return &usageError{err: withHint(errors.New("the output is not for a terminal"), "redirect standard output, or name a file")}
	}
	inputs, err := a.inputs(ins)
	if err != nil {
		return err
	}
	problems, err := newProblemList(f, out)
	if err != nil {
		return err
	}
	cfg.Problem = problems.add
	cfg.Progress = new(atomic.Int64)
	began := time.Now()
	stop := progress(a.err, "converting", cfg.Progress, inputs.size)
	var r convert.Report
	switch {
	case out == "-":
		r, err = convert.Convert(ctx, inputs.found, a.out, cfg)
	case isDirectory(out):
		r, err = convert.ToDirectory(ctx, inputs.found, out, f.force, cfg)
	default:
		r, err = convert.ToFile(ctx, inputs.found, out, f.force, cfg)
	}
	stop()
	if closeErr := problems.close(); err == nil {
		err = closeErr
	}
	if err != nil && !errors.Is(err, convert.ErrNoRecords) {
		if r.Files > 0 && isDirectory(out) {
			fmt.Fprintf(a.err, "warning: %d of %d outputs are whole and stay\n", r.Files, len(inputs.found))
		}
		return err // the rest of the report is of what is not there
	}
	if err == nil {
		a.printConverted(&r, inputs, out, time.Since(began))
	}
	a.warnConverted(&r, inputs, problems)
	switch {
	case err == nil:
		return damagedInputs(&r)
	case r.Malformed > 0 && r.Headers == 0:
		return withHint(err, "text in a custom format without its header needs --input-format")
	}
	return err
}

// config reads the flags.
func (f *convertFlags) config(flags *pflag.FlagSet, out string) (cfg convert.Config, err error) {
	if cfg.Format, err = optionalFormat("--format", f.format, flags); err != nil {
		return cfg, err
	}
	if cfg.Given, err = optionalFormat("--input-format", f.given, flags); err != nil {
		return cfg, err
	}
	if cfg.Options.Codec, err = parquet.ParseCodec(f.codec); err != nil {
		return cfg, withHint(fmt.Errorf("--codec %q is not a compression of Parquet", f.codec), "there are gzip, zstd, snappy and uncompressed")
	}
	if cfg.Parquet, err = f.parquet(out); err != nil {
		return cfg, err
	}
	cfg.Options.Sort, cfg.Options.Bloom, cfg.Bare = f.sort, f.bloom, f.bare
	cfg.Gzip = !cfg.Parquet && (strings.HasSuffix(out, ".gz") || isDirectory(out))
	if flags.Changed("gzip") {
		cfg.Gzip = f.gzip
	}
	other, useless := "Parquet", []string{"gzip", "no-header"}
	if !cfg.Parquet {
		other, useless = "text", []string{"codec", "sort", "bloom"}
	}
	for _, name := range useless {
		if flags.Changed(name) {
			return cfg, withHint(fmt.Errorf("--%s has no meaning for %s, which the output is", name, other), "choose the encoding with --as, or by the output's name")
		}
	}
	return cfg, nil
}

// parquet reports whether the output is Parquet.
func (f *convertFlags) parquet(out string) (bool, error) {
	switch f.as {
	case "parquet":
		return true, nil
	case "text":
		return false, nil
	case "":
	default:
		return false, withHint(fmt.Errorf("--as %q is not an encoding", f.as), "there are text and parquet")
	}
	if isDirectory(out) {
		return false, withHint(fmt.Errorf("%s is a directory, which does not tell the encoding", out), "say --as text or --as parquet")
	}
	if strings.HasSuffix(out, ".parquet") {
		return true, nil
	}
	for _, suffix := range []string{".log", ".txt", ".gz"} {
		if out == "-" || strings.HasSuffix(out, suffix) {
			return false, nil
		}
	}
	return false, withHint(fmt.Errorf("the name %s does not tell the encoding", out), "say --as text or --as parquet")
}

func optionalFormat(flag, s string, flags *pflag.FlagSet) (flowlog.Format, error) {
	if !flags.Changed(flag[2:]) {
		return flowlog.Format{}, nil
	}
	format, err := namedFormat(s)
	if err != nil {
		err = withHint(fmt.Errorf("%s: %s", flag, strings.TrimPrefix(err.Error(), "--format: ")), "weir fields lists the fields")
	}
	return format, err
}

func isDirectory(path string) bool {
	if path == "-" {
		return false
	}
	info, err := os.Stat(path)
	return strings.HasSuffix(path, "/") || (err == nil && info.IsDir())
}

// convertInputs are the files to convert.
type convertInputs struct {
	found  []convert.Input
	passed []string // files of directories that are no inputs
	size   int64    // bytes; 0 when nobody knows
}

func (a *app) inputs(paths []string) (all convertInputs, err error) {
	stream := false
	for _, path := range paths {
		if path == "-" {
			if stream {
				return all, &usageError{err: errors.New("standard input can be read once: there are two \"-\"")}
			}
			all.found = append(all.found, convert.Input{Path: "standard input", In: a.in, Below: "stdin"})
			stream = true
			continue
		}
		found, passed, err := convert.Inputs(path)
		switch {
		case errors.Is(err, fs.ErrNotExist) && !exists(path):
			return all, withHint(fmt.Errorf("there is no %s", path), "the last argument is the output, all before it are inputs")
		case err != nil:
			return all, fmt.Errorf("look for flow logs in %s: %w", path, err)
		case len(found) == 0:
			return all, withHint(fmt.Errorf("%s holds no files of flow logs", path), "they are named *.log, *.txt, *.gz or *.parquet; a file that is named itself may have any name")
		}
		all.found, all.passed = append(all.found, found...), append(all.passed, passed...)
	}
	for _, in := range all.found {
		if info, err := os.Stat(in.Path); err == nil && in.In == nil {
			all.size += info.Size()
			stream = stream || !info.Mode().IsRegular()
		}
	}
	if stream {
		all.size = 0
	}
	return all, nil
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// problemList keeps the first problems, and writes malformed lines to a file if
// there is one.
type problemList struct {
	most  int
	first []string
	file  *os.File // nil for none
	out   *bufio.Writer
}

func newProblemList(f *convertFlags, out string) (*problemList, error) {
	l := &problemList{most: 1}
	if f.problems {
		l.most = 1000
	}
	if f.malformed == "" {
		return l, nil
	}
	switch info, err := os.Stat(f.malformed); {
	case f.malformed == out:
		return nil, &usageError{err: errors.New("--malformed and the output are one file")}
	case err == nil && info.Mode().IsRegular() && !f.force:
		return nil, withHint(fmt.Errorf("--malformed: %s exists already", f.malformed), "give another file, or --force to replace it")
	}
	file, err := os.Create(f.malformed)
	if err != nil {
		return nil, fmt.Errorf("--malformed: %w", err)
	}
	l.file, l.out = file, bufio.NewWriter(file)
	return l, nil
}

func (l *problemList) add(p convert.Problem) {
	if len(l.first) < l.most {
		s := p.String()
		if p.Doubt {
			s += " (kept)"
		}
		l.first = append(l.first, s)
	}
	if l.out != nil && !p.Doubt {
		fmt.Fprintf(l.out, "%s\t%s\n", p, p.Text) // the error stays for Flush
	}
}

func (l *problemList) close() error {
	if l.file == nil {
		return nil
	}
	if err := errors.Join(l.out.Flush(), l.file.Close()); err != nil {
		return fmt.Errorf("write the malformed lines: %w", err)
	}
	return nil
}

// convertedJSON is the report for machines.
type convertedJSON struct {
	Files     int      `json:"files"`
	Records   int64    `json:"records"`
	Malformed int64    `json:"malformed"`
	Doubtful  int64    `json:"doubtful"`
	BytesIn   int64    `json:"bytes_in"`
	BytesOut  int64    `json:"bytes_out"`
	Seconds   float64  `json:"seconds"`
	Format    string   `json:"format"`
	Unknown   []string `json:"unknown_fields"`
	Absent    []string `json:"absent_fields"`
	Empty     []string `json:"empty"`
	Damaged   []string `json:"damaged"`
	Passed    []string `json:"passed_over"`
}

// printConverted says what was done: on standard output, unless that is the
// output.
func (a *app) printConverted(r *convert.Report, inputs convertInputs, out string, spent time.Duration) {
	w := a.out
	if out == "-" {
		w = a.err
	}
	if a.json {
		printConvertedJSON(w, r, inputs, spent)
		return
	}
	if out == "-" && !isTerminal(a.err) {
		return // nobody looks: a filter is quiet
	}
	rate := ""
	if spent > time.Second {
		rate = fmt.Sprintf(" (%.2f M records/s)", float64(r.Records)/spent.Seconds()/1e6)
	}
	fmt.Fprintf(w, "%d %s of %d %s in %.2f s%s: %s to %s\n",
		r.Records, plural(r.Records, "record"), r.Files, plural(int64(r.Files), "file"), spent.Seconds(), rate,
		byteSize(r.BytesIn), byteSize(r.BytesOut))
}

func printConvertedJSON(w io.Writer, r *convert.Report, inputs convertInputs, spent time.Duration) {
	list := func(s []string) []string { return append([]string{}, s...) } // [], not null
	damaged := []string{}
	for _, d := range r.Damaged {
		damaged = append(damaged, d.Path)
	}
	out := json.NewEncoder(w)
	out.SetEscapeHTML(false)
	_ = out.Encode(convertedJSON{
		Files: r.Files, Records: r.Records, Malformed: r.Malformed, Doubtful: r.Doubtful,
		BytesIn: r.BytesIn, BytesOut: r.BytesOut, Seconds: spent.Seconds(), Format: r.Format.String(),
		Unknown: list(r.Unknown), Absent: list(r.Absent), Empty: list(r.Empty), Damaged: damaged, Passed: list(inputs.passed),
	})
}

// warnConverted says what the output does not hold.
func (a *app) warnConverted(r *convert.Report, inputs convertInputs, l *problemList) {
	warn := func(format string, args ...any) {
		fmt.Fprintln(a.err, printable("warning: "+fmt.Sprintf(format, args...)))
	}
	if n := int64(len(inputs.passed)); n > 0 {
		warn("%d %s passed over, by name or kind no flow log: %s", n, plural(n, "file"), firstOf(inputs.passed))
	}
	if r.Malformed > 0 {
		warn("%d malformed %s left out", r.Malformed, plural(r.Malformed, "line"))
	}
	if r.Doubtful > 0 {
		warn("%d doubtful %s, which AWS would not write; kept", r.Doubtful, plural(r.Doubtful, "record"))
	}
	if len(r.Unknown) > 0 {
		warn("columns that this weir does not know were left out: %s", strings.Join(r.Unknown, ", "))
	}
	if len(r.Absent) > 0 {
		warn(`fields that an input does not have are "-": %s`, strings.Join(r.Absent, ", "))
	}
	if n := int64(len(r.Empty)); n > 0 {
		warn("%d %s without a record, so without an output: %s", n, plural(n, "input"), firstOf(r.Empty))
	}
	for i, d := range r.Damaged {
		if i == l.most+9 {
			warn("%d more inputs could not be read to their end", len(r.Damaged)-i)
			break
		}
		warn("%s", d)
	}
	a.listProblems(r, l)
}

// firstOf is the first of some paths, and a sign that there are more.
func firstOf(paths []string) string {
	if len(paths) > 1 {
		return paths[0] + ", …"
	}
	return paths[0]
}

func (a *app) listProblems(r *convert.Report, l *problemList) {
	if len(l.first) == 0 {
		return
	}
	if l.most == 1 {
		fmt.Fprintf(a.err, "hint: --problems lists them; the first: %s\n", printable(l.first[0]))
		return
	}
	for _, p := range l.first {
		fmt.Fprintln(a.err, printable(p))
	}
	if more := r.Malformed + r.Doubtful - int64(len(l.first)); more > 0 {
		fmt.Fprintf(a.err, "… and %d more\n", more)
	}
}

// damagedInputs fails when something could not be read to its end: the output is
// there, but not all that it should hold.
func damagedInputs(r *convert.Report) error {
	n := len(r.Damaged)
	if n == 0 {
		return nil
	}
	return withHint(fmt.Errorf("%d of %d %s could not be read to the end", n, r.Files, plural(int64(r.Files), "input")),
		"the output holds what is whole; fetch the damaged files again")
}
