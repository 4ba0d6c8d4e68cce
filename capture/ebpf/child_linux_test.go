package ebpf

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"testing"

	"weir/vpc"
)

// job is what another process does, which is this test program once more: it
// captures until it is killed, or asks what it may do.
type job struct {
	Config     Config
	Interfaces []vpc.Interface
	// Do is what it does on and on: "nothing", "swap" (once, and never
	// release), "loop" (swap and release), or "unprivileged".
	Do string
}

// handed is a line that the other process prints: a swap that it holds.
type handed struct {
	Epoch  uint64
	Totals totals
}

const jobEnv = "WEIR_CAPTURE_JOB"

func TestMain(m *testing.M) {
	if text := os.Getenv(jobEnv); text != "" {
		var j job
		err := json.Unmarshal([]byte(text), &j)
		if err == nil {
			err = j.run()
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func (j job) run() error {
	if j.Do == "unprivileged" {
		return unprivileged(j.Config)
	}
	go func() { // nobody is left who would kill us
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(2)
	}()
	c, err := Open(j.Config)
	if err != nil {
		return err
	}
	if err := c.Watch(j.Interfaces); err != nil {
		return err
	}
	out := json.NewEncoder(os.Stdout)
	if err := out.Encode(handed{}); err != nil { // ready
		return err
	}
	for ; j.Do != "nothing"; j.Do = map[string]string{"swap": "nothing", "loop": "loop"}[j.Do] {
		s, err := c.Swap()
		if err != nil {
			return err
		}
		got := totals{}
		got.add(s)
		// The line is the journal: what is in it is safe.
		if err := out.Encode(handed{s.Epoch, got}); err != nil {
			return err
		}
		if j.Do == "loop" {
			if err := c.Release(); err != nil {
				return err
			}
		}
	}
	select {}
}

// child is a process that does a job.
type child struct {
	t     testing.TB
	cmd   *exec.Cmd
	lines *bufio.Scanner
}

// start starts the job and waits until it captures.
func (j job) start(t testing.TB) *child {
	t.Helper()
	if j.Config.MaxFlows == 0 {
		j.Config.MaxFlows = 1 << 12
	}
	text, err := json.Marshal(j)
	must(t, err)
	c := &child{t: t, cmd: exec.Command("/proc/self/exe")}
	c.cmd.Env = append(os.Environ(), jobEnv+"="+string(text))
	c.cmd.Stderr = os.Stderr
	_, err = c.cmd.StdinPipe() // closed when this process ends, however it ends
	must(t, err)
	out, err := c.cmd.StdoutPipe()
	must(t, err)
	must(t, c.cmd.Start())
	c.lines = bufio.NewScanner(out)
	t.Cleanup(c.kill)
	c.next()
	return c
}

// next waits for a swap.
func (c *child) next() handed {
	c.t.Helper()
	var h handed
	if !c.lines.Scan() {
		c.t.Fatalf("the other process ended: %v", c.cmd.Wait())
	}
	must(c.t, json.Unmarshal(c.lines.Bytes(), &h))
	return h
}

// rest is what it printed before it was killed; half a line is nothing.
func (c *child) rest() (list []handed) {
	for c.lines.Scan() {
		var h handed
		if json.Unmarshal(c.lines.Bytes(), &h) == nil {
			list = append(list, h)
		}
	}
	return list
}

// kill kills it with SIGKILL; a second time does nothing.
func (c *child) kill() {
	if c.cmd.ProcessState == nil {
		_ = c.cmd.Process.Kill()
		_ = c.cmd.Wait()
	}
}
