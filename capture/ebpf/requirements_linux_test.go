package ebpf

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// refusal is what another process without privilege was told.
type refusal struct {
	Requirements []Requirement
	Require      string
	RequireHint  string
	Known        bool // Require is ErrRequirements
	Open         string
	OpenHint     string
}

// unprivileged asks and prints what it was told.
func unprivileged(cfg Config) error {
	out := refusal{Requirements: Requirements()}
	err := Require()
	if err == nil {
		return errors.New("everything is there")
	}
	out.Require, out.Known = err.Error(), errors.Is(err, ErrRequirements)
	var e *Error
	if errors.As(err, &e) {
		out.RequireHint = e.Hint()
	}
	c, err := Open(cfg)
	if err == nil {
		return errors.Join(errors.New("it was opened"), c.Close(false))
	}
	out.Open = err.Error()
	if errors.As(err, &e) {
		out.OpenHint = e.Hint()
	}
	return json.NewEncoder(os.Stdout).Encode(out)
}

// asNobody asks as the user nobody, or as whoever we are when that is not root.
func asNobody(t *testing.T, cfg Config) refusal {
	t.Helper()
	text, err := json.Marshal(job{Config: cfg, Do: "unprivileged"})
	must(t, err)
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), jobEnv+"="+string(text))
	cmd.Dir = "/"
	var stderr strings.Builder
	cmd.Stderr = &stderr
	if os.Getuid() == 0 {
		const nobody = 65534
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	}
	raw, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, stderr.String())
	}
	var out refusal
	must(t, json.Unmarshal(raw, &out))
	return out
}

func TestRequirementsWithoutPrivilege(t *testing.T) {
	dir := t.TempDir()
	must(t, os.Chmod(dir, 0o777))
	for at := filepath.Dir(dir); at != os.TempDir() && at != "/"; at = filepath.Dir(at) {
		must(t, os.Chmod(at, 0o755))
	}
	got := asNobody(t, Config{RunDir: filepath.Join(dir, "run")})
	if !got.Known {
		t.Errorf("Require: %q is not ErrRequirements", got.Require)
	}
	for _, name := range []string{"CAP_NET_ADMIN", "CAP_SYS_ADMIN", "CAP_BPF", "CAP_PERFMON"} {
		if !strings.Contains(got.Require, name) {
			t.Errorf("Require: %q does not name %s", got.Require, name)
		}
	}
	if !strings.Contains(got.RequireHint, "root") || !strings.Contains(got.RequireHint, "weir check") {
		t.Errorf("Require: hint %q", got.RequireHint)
	}
	for _, r := range got.Requirements {
		if !r.Met && (r.Detail == "" || r.Next == "") {
			t.Errorf("%+v does not say what was found, or what to do", r)
		}
	}
	// What the kernel can do does not depend on who asks.
	for _, r := range got.Requirements {
		if strings.HasPrefix(r.Name, "kernel ") || r.Name == "bpf file system" {
			if !r.Met {
				t.Errorf("%+v, without privilege too", r)
			}
		}
	}
	if !strings.Contains(got.Open, "CAP_BPF") || !strings.Contains(got.OpenHint, "root") {
		t.Errorf("Open: %q, hint %q: want what is missing, and what to do", got.Open, got.OpenHint)
	}
	t.Logf("Require: %s\nhint: %s\nOpen: %s\nhint: %s", got.Require, got.RequireHint, got.Open, got.OpenHint)
}

func TestOpenWhereNothingCanBeWritten(t *testing.T) {
	needRoot(t) // without, that is what Open says first
	_, err := Open(Config{RunDir: "/proc/weir"})
	var e *Error
	if !errors.As(err, &e) || !strings.Contains(err.Error(), "/proc/weir") || e.Hint() == "" {
		t.Errorf("Open: %v, want the directory's name, and what to do", err)
	}
}

func TestRequirementsAsRoot(t *testing.T) {
	needRoot(t)
	if err := Require(); err != nil {
		t.Error(err)
	}
	for _, r := range Requirements() {
		if !r.Met || r.Detail == "" {
			t.Errorf("%+v", r)
		}
	}
}

func TestErrors(t *testing.T) {
	cause := errors.New("cause")
	for _, tt := range []struct {
		err  *Error
		want string
	}{
		{&Error{"attach to", "eth0", cause, ""}, "capture: attach to eth0: cause"},
		{&Error{"swap", "", cause, ""}, "capture: swap: cause"},
	} {
		if got := tt.err.Error(); got != tt.want || !errors.Is(fmt.Errorf("up: %w", tt.err), cause) {
			t.Errorf("want %q, got %q", tt.want, got)
		}
	}
}
