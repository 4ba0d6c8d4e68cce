package journal

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nkeys"
)

// A token and an nkey open a server; another of its kind does not. A credentials
// file goes the same way as an nkey, with a JWT beside the seed.
func TestCredentials(t *testing.T) {
	right, wrong := nkey(t), nkey(t)
	for _, tt := range []struct {
		name     string
		server   server.Options
		ok, fail func(c *Config)
	}{
		{
			"token",
			server.Options{Authorization: "water"},
			func(c *Config) { c.Token = "water" }, func(c *Config) { c.Token = "wine" },
		},
		{
			"nkey",
			server.Options{Nkeys: []*server.NkeyUser{{Nkey: right.public}}},
			func(c *Config) { c.NKeyFile = right.file }, func(c *Config) { c.NKeyFile = wrong.file },
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := byURL(t, &tt.server)
			p.cfg.Log = quiet()
			c := p.cfg
			tt.ok(&c)
			mustAppend(t, openJournal(t, c), swapOf("a", 0, 1, 1))
			c = p.cfg
			tt.fail(&c)
			if j, err := Open(t.Context(), c); err == nil {
				_ = j.Close()
				t.Error("the wrong one opens it")
			}
		})
	}
}

type keyFile struct{ public, file string }

func nkey(t *testing.T) keyFile {
	t.Helper()
	pair, err := nkeys.CreateUser()
	if err != nil {
		t.Fatal(err)
	}
	public, err := pair.PublicKey()
	if err != nil {
		t.Fatal(err)
	}
	seed, err := pair.Seed()
	if err != nil {
		t.Fatal(err)
	}
	k := keyFile{public, filepath.Join(t.TempDir(), "seed")}
	if err := os.WriteFile(k.file, seed, 0o600); err != nil {
		t.Fatal(err)
	}
	return k
}
