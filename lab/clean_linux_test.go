package lab

import (
	"bufio"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
)

// startHeld starts another process with a lab and waits until that stands and
// all its agents run.
func startHeld(t *testing.T, prefix string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(os.Args[0], holdCommand, prefix)
	cmd.Stderr = t.Output()
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	if line, err := bufio.NewReader(stdout).ReadString('\n'); err != nil || line != "up\n" {
		t.Fatalf("the lab says %q: %v", line, err)
	}
	want := len(testPlan(t, Config{}).roles(testConfig(t)))
	eventually(t, "all agents run", func() bool { return len(agents(t, prefix)) == want })
	return cmd
}

func TestCleanAfterKill(t *testing.T) {
	prefix := newPrefix(t)
	cmd := startHeld(t, prefix)
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	eventually(t, "the agents end with their lab", func() bool { return len(agents(t, prefix)) == 0 })

	if _, err := Up(t.Context(), Config{Prefix: prefix}); !errors.Is(err, fs.ErrExist) || !strings.Contains(err.Error(), "weir lab --clean") {
		t.Errorf("a lab on top of what is left: %v", err)
	}
	if left := leftovers(t, prefix); len(left) != len(places) {
		t.Errorf("that has removed what it had not made; left: %v", left)
	}
	if err := Clean(prefix); err != nil {
		t.Fatal(err)
	}
	if left := leftovers(t, prefix); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	if err := Clean(prefix); err != nil {
		t.Errorf("cleaning what is clean: %v", err)
	}
	l, err := Up(t.Context(), Config{Prefix: prefix})
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
}

// Clean ends agents that hang on, and nothing else.
func TestCleanEndsAgentsOnly(t *testing.T) {
	l := up(t, Config{})
	prefix := l.config.Prefix
	start := func(place string, args ...string) *exec.Cmd {
		t.Helper()
		cmd := exec.Command(os.Args[0], args...)
		if len(args) == 1 {
			cmd = exec.Command("sleep", args[0])
		}
		stdin, err := cmd.StdinPipe() // stays open: the agent waits for its role
		if err != nil {
			t.Fatal(err)
		}
		if err := l.Namespace(place).Start(cmd); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			_ = stdin.Close()
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
		})
		return cmd
	}
	agent := start(webPlace, AgentCommand, prefix, webPlace)
	stranger := start(dbPlace, "60")
	// The lab is dead as far as others can see.
	if err := l.lock.release(); err != nil {
		t.Fatal(err)
	}
	l.lock = nil

	ended := make(chan error, 1)
	go func() { ended <- agent.Wait() }()
	err := Clean(prefix)
	if want := "process " + strconv.Itoa(stranger.Process.Pid) + " (sleep 60) is in network namespace " + prefix + "-db"; err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v, want %q in it", err, want)
	}
	if strings.Contains(err.Error(), AgentCommand) {
		t.Errorf("an agent in the error: %v", err)
	}
	<-ended
	if _, err := os.Stat("/proc/" + strconv.Itoa(stranger.Process.Pid)); err != nil {
		t.Errorf("the stranger was ended: %v", err)
	}
}
