package nft

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os/exec"
	"strings"

	"weir/netns"
)

// nftPath is where nft is. Debian keeps it out of people's way.
func nftPath() (string, error) {
	path, err := exec.LookPath("nft")
	if err != nil {
		path, err = exec.LookPath("/usr/sbin/nft")
	}
	if err != nil {
		return "", &missingError{err}
	}
	return path, nil
}

// load runs a script in the ruleset's namespace.
func (r *Ruleset) load(ctx context.Context, script string) error {
	_, err := r.run(ctx, script, "-f", "-")
	return err
}

// list runs nft's list command and reads the JSON that it prints. The error is
// fs.ErrNotExist when there is no such thing.
func (r *Ruleset) list(ctx context.Context, out any, what ...string) error {
	text, err := r.run(ctx, "", append([]string{"-j", "list"}, what...)...)
	if err != nil {
		return err
	}
	return json.Unmarshal(text, out)
}

func (r *Ruleset) run(ctx context.Context, stdin string, args ...string) ([]byte, error) {
	path := r.nft
	if path == "" {
		var err error
		if path, err = nftPath(); err != nil {
			return nil, err
		}
	}
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &stdout, &stderr
	if err := r.inside(cmd.Run); err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if stderr.Len() == 0 && errors.Is(err, fs.ErrNotExist) { // the program itself
			return nil, &missingError{err}
		}
		return nil, complaint(stderr.String(), err)
	}
	return stdout.Bytes(), nil
}

// inside calls f on a thread in the ruleset's namespace.
func (r *Ruleset) inside(f func() error) error {
	if r.Namespace == "" {
		return f()
	}
	ns, err := netns.Open(r.Namespace)
	if err != nil {
		return err
	}
	return errors.Join(ns.Do(f), ns.Close())
}

// missingError is a host without nft.
type missingError struct{ error }

func (e *missingError) Unwrap() error { return e.error }

// complaint is what nft complained about first, with the line that it means.
func complaint(stderr string, err error) error {
	lines := strings.Split(strings.TrimSpace(stderr), "\n")
	if lines[0] == "" {
		return fmt.Errorf("nft: %w", err)
	}
	text := strings.TrimPrefix(lines[0], "/dev/stdin:")
	if len(lines) > 1 && !strings.HasPrefix(lines[1], "/dev/stdin:") {
		text += ", at: " + strings.TrimSpace(lines[1])
	}
	if strings.Contains(lines[0], "No such file or directory") {
		return fmt.Errorf("nft: %s (%w)", text, fs.ErrNotExist)
	}
	return fmt.Errorf("nft: %s", text)
}

func nextOf(err error) string {
	if _, ok := errors.AsType[*missingError](err); ok {
		return "install nft (Debian: apt install nftables)"
	}
	switch text := err.Error(); {
	case strings.Contains(text, "Operation not permitted"):
		return "run weir as root"
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return "the former rules are in force"
	case strings.Contains(text, "syntax error"), strings.Contains(text, "Error: "):
		return "the former rules are in force; this is a fault of Weir's or of an nft older than 1.0: please report what weir policy render prints"
	}
	return ""
}
