package main

import (
	"compress/gzip"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	if program := otherProgram(); program != nil {
		program()
		return
	}
	testscript.Main(m, map[string]func(){"weir": main})
}

// TestScripts runs testdata/script: each file is one story. Beside testscript's
// own commands there are
//
//	zip FROM TO      gzip a file
//	cut FILE BYTES   shorten a file, as a broken transfer does
//	status N weir …  run, and want the exit status N
//
// and the condition [duckdb]: this build can answer SQL.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"zip": zipFile, "cut": cutFile, "status": wantStatus,
		},
		Condition: func(name string) (bool, error) {
			if name == "duckdb" {
				return hasDuckDB, nil
			}
			return false, fmt.Errorf("unknown condition %q", name)
		},
		Setup: func(e *testscript.Env) error {
			e.Setenv("WEIR_DATA", e.WorkDir+"/data")
			e.Setenv("SSH_CONNECTION", "") // whoever runs the tests may come by SSH
			return nil
		},
	})
}

func zipFile(ts *testscript.TestScript, _ bool, args []string) {
	text, err := os.ReadFile(ts.MkAbs(args[0]))
	ts.Check(err)
	f, err := os.Create(ts.MkAbs(args[1]))
	ts.Check(err)
	w := gzip.NewWriter(f)
	_, err = w.Write(text)
	ts.Check(errors.Join(err, w.Close(), f.Close()))
}

func cutFile(ts *testscript.TestScript, _ bool, args []string) {
	n, err := strconv.ParseInt(args[1], 10, 64)
	ts.Check(err)
	ts.Check(os.Truncate(ts.MkAbs(args[0]), n))
}

func wantStatus(ts *testscript.TestScript, _ bool, args []string) {
	err := ts.Exec(args[1], args[2:]...)
	got := 0
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		got = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if strconv.Itoa(got) != args[0] {
		ts.Fatalf("exit status %d, want %s", got, args[0])
	}
}
