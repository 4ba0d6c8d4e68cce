package lab

import (
	"context"
	"encoding/json"
	"io"
	"net/netip"
	"strings"
	"testing"

	"weir/lab/traffic"
)

func TestAgentEndsWithItsInput(t *testing.T) {
	role := traffic.Role{Tasks: []traffic.Task{{Name: "a", Kind: traffic.SSHServer, Addr: netip.MustParseAddrPort("127.0.0.1:0")}}}
	for name, end := range map[string]func(io.Closer, context.CancelFunc){
		"stdin":   func(w io.Closer, _ context.CancelFunc) { _ = w.Close() },
		"context": func(_ io.Closer, cancel context.CancelFunc) { cancel() },
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			r, w := io.Pipe()
			defer w.Close()
			said, stderr := io.Pipe()
			ended := make(chan error, 1)
			go func() {
				ended <- RunAgent(ctx, []string{"p", "web"}, r, stderr)
				stderr.Close()
			}()
			if err := json.NewEncoder(w).Encode(role); err != nil {
				t.Fatal(err)
			}
			reports := json.NewDecoder(said)
			var got report
			if err := reports.Decode(&got); err != nil || len(got.Results) != 1 || got.Results[0].Task != "a" {
				t.Errorf("reported %+v (%v)", got, err)
			}
			end(w, cancel)
			for reports.Decode(&got) == nil { // the last one comes at the end
			}
			if err := <-ended; err != nil {
				t.Fatal(err)
			}
		})
	}
}

func TestAgentEndsBeforeItHasARole(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	r, w := io.Pipe()
	defer w.Close()
	if err := RunAgent(ctx, []string{"p", "web"}, r, io.Discard); err != nil {
		t.Error(err)
	}
}

func TestAgentRefuses(t *testing.T) {
	for name, tt := range map[string]struct {
		args  []string
		stdin string
		want  string
	}{
		"no arguments": {nil, "{}", "want PREFIX and PLACE"},
		"no role":      {[]string{"p", "web"}, "", "read role"},
		"a bad role":   {[]string{"p", "web"}, `{"tasks":[{"kind":"telepathy"}]}`, "telepathy"},
	} {
		t.Run(name, func(t *testing.T) {
			// The input stays open, as the lab keeps it.
			r, w := io.Pipe()
			defer w.Close()
			err := RunAgent(t.Context(), tt.args, io.MultiReader(strings.NewReader(tt.stdin), onlyIf(tt.stdin != "", r)), io.Discard)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %s", err, tt.want)
			}
		})
	}
}

func onlyIf(open bool, r io.Reader) io.Reader {
	if open {
		return r
	}
	return strings.NewReader("")
}
