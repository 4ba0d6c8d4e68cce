package convert

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"golang.org/x/sync/errgroup"
)

// ToDirectory converts each input into a file of its own below dir, some side
// by side. It fails before anything is written when two would have one name or
// one exists and force is false. The first failure stops all; what is whole by
// then stays, and is in the report.
func ToDirectory(ctx context.Context, inputs []Input, dir string, force bool, cfg Config) (Report, error) {
	outputs, err := outputsOf(inputs, dir, force, cfg)
	if err != nil {
		return Report{}, err
	}
	cores := cfg.workers()
	cfg.Workers = max(1, cores/max(1, len(inputs)))
	cfg.Problem = oneByOne(cfg.Problem)

	reports := make([]Report, len(inputs))
	group, inner := errgroup.WithContext(ctx)
	group.SetLimit(cores)
	for i, in := range inputs {
		if inner.Err() != nil {
			break
		}
		group.Go(func() error {
			to := outputs[i]
			if err := os.MkdirAll(filepath.Dir(to.path), 0o777); err != nil {
				return fmt.Errorf("make the output's directory: %w", err)
			}
			r, err := toFile(inner, []Input{in}, to.path, to.mode, cfg)
			switch {
			case errors.Is(err, ErrNoRecords):
				if len(r.Damaged) == 0 {
					r.Empty = []string{in.Path}
				}
			case err != nil:
				return fmt.Errorf("convert %s: %w", in.Path, err)
			}
			reports[i] = r
			return nil
		})
	}
	if err = group.Wait(); err == nil {
		err = ctx.Err()
	}
	var sum Report
	for i := range reports {
		sum.Add(&reports[i])
	}
	return sum, err
}

// outputFile is where an input goes.
type outputFile struct {
	path string
	mode fs.FileMode // of the file that is there, or 0
}

func outputsOf(inputs []Input, dir string, force bool, cfg Config) ([]outputFile, error) {
	allowed := newTargets(inputs, force)
	outputs := make([]outputFile, len(inputs))
	from := map[string]string{}
	for i, in := range inputs {
		name := filepath.Join(dir, OutputName(in, cfg))
		if other, ok := from[name]; ok {
			return nil, &ClashError{other, in.Path, name}
		}
		from[name] = in.Path
		var err error
		if outputs[i].path, outputs[i].mode, err = allowed.check(name); err != nil {
			return nil, err
		}
	}
	return outputs, nil
}

// ClashError is two inputs whose outputs would have one name.
type ClashError struct{ One, Other, Output string }

func (e *ClashError) Error() string {
	return fmt.Sprintf("%s and %s would both become %s", e.One, e.Other, e.Output)
}

// Hint is the next step.
func (e *ClashError) Hint() string {
	return "convert one of them by itself, or give a file as output to put them together"
}

// oneByOne makes calls of f wait for each other.
func oneByOne(f func(Problem)) func(Problem) {
	if f == nil {
		return nil
	}
	var mu sync.Mutex
	return func(p Problem) {
		mu.Lock()
		defer mu.Unlock()
		f(p)
	}
}
