package delivertest

import (
	"bytes"
	"context"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// The server's first user, whom no policy binds.
const (
	RootKey    = "AKIDROOT"
	RootSecret = "rootsecret"
)

// S3Server is a versitygw that keeps its objects as files.
type S3Server struct {
	// URL is of its service, on the loopback; it stays after a restart.
	URL string
	// Dir has a folder for each bucket, and in it a file for each object under
	// its key.
	Dir string

	binary  string
	iam     string
	address string
	process *exec.Cmd
	said    *bytes.Buffer
}

// StartS3 starts a server of its own for a test, and ends it with the test. The
// test is skipped when bin/versitygw is not built.
func StartS3(t testing.TB) *S3Server {
	t.Helper()
	binary, err := filepath.Abs("../../bin/versitygw")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(binary); err != nil {
		t.Skip("bin/versitygw is not built: run scripts/versitygw")
	}
	s := &S3Server{binary: binary, Dir: t.TempDir(), iam: t.TempDir()}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.address = listener.Addr().String()
	s.URL = "http://" + s.address
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	s.Start(t)
	t.Cleanup(s.Kill)
	return s
}

// Start starts it again after Kill, at the same address, and waits until it
// answers.
func (s *S3Server) Start(t testing.TB) {
	t.Helper()
	s.said = &bytes.Buffer{}
	s.process = exec.Command(s.binary, "--port", s.address, "--access", RootKey, "--secret", RootSecret,
		"--iam-dir", s.iam, "--iam-cache-disable", "--health", "/health", "--quiet", "posix", s.Dir)
	s.process.Stdout, s.process.Stderr = s.said, s.said
	// It must not outlive a test binary that is killed.
	s.process.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := s.process.Start(); err != nil {
		t.Fatalf("start the S3 server: %v", err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	for !s.answers(ctx) {
		select {
		case <-ctx.Done():
			s.Kill()
			t.Fatalf("the S3 server does not answer:\n%s", s.said)
		case <-time.After(10 * time.Millisecond):
		}
	}
}

func (s *S3Server) answers(ctx context.Context) bool {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, s.URL+"/health", nil)
	if err != nil {
		return false
	}
	a, err := http.DefaultClient.Do(r)
	if err != nil {
		return false
	}
	return a.Body.Close() == nil && a.StatusCode == http.StatusOK
}

// Kill ends it at once, as kill -9 does. What it had answered is on its disk.
func (s *S3Server) Kill() {
	if s.process == nil {
		return
	}
	_ = s.process.Process.Kill()
	_ = s.process.Wait() // it was killed, and says so
	s.process = nil
}

// AddUser makes a user who may do what bucket policies allow.
func (s *S3Server) AddUser(t testing.TB, key, secret string) {
	t.Helper()
	said, err := exec.CommandContext(t.Context(), s.binary, "admin", "--access", RootKey, "--secret", RootSecret,
		"--endpoint-url", s.URL, "create-user", "--access", key, "--secret", secret, "--role", "user").CombinedOutput()
	if err != nil {
		t.Fatalf("add a user to the S3 server: %v\n%s", err, said)
	}
}
