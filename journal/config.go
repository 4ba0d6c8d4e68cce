package journal

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"time"
)

// DefaultMaxBytes is what a journal may hold when nothing else is said.
const DefaultMaxBytes = 4 << 30

// Config says where the journal is. Dir or URL must be set, and not both.
type Config struct {
	// Dir is the directory of the embedded server. It is made when it is not there.
	Dir string
	// URL names servers to use instead: "nats://host:4222" or "tls://…", several
	// separated by commas.
	URL string

	// For a server by URL, at most one of: a file of credentials (JWT and seed), a
	// user with a password, a token, a file with an nkey's seed.
	CredentialsFile string
	User, Password  string
	Token           string
	NKeyFile        string
	// For TLS: PEM files of the authorities to trust instead of the system's, and
	// of a certificate to show with its key.
	CAFile            string
	CertFile, KeyFile string

	// Name is the beginning of every stream, bucket and subject: "weir" when it is
	// empty. Letters, digits, '-' and '_'.
	Name string
	// Host is who counts: swaps of one host stand in a line. It must not change
	// from run to run, and no two hosts may share one. The machine's name when it
	// is empty.
	Host string
	// MaxBytes is how much the counts may take on disk; [DefaultMaxBytes] when it
	// is 0. The journal itself forgets nothing: whoever delivers gives up the
	// oldest when Bounds reaches it. An eighth more, 64 MiB at least, is refused.
	MaxBytes int64

	Log *slog.Logger     // nil: nowhere
	Now func() time.Time // nil: the machine's clock
}

var word = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)

// check fills in what is not set.
func (c *Config) check() error {
	ways := 0
	for _, set := range []bool{c.CredentialsFile != "", c.User != "" || c.Password != "", c.Token != "", c.NKeyFile != ""} {
		if set {
			ways++
		}
	}
	tls := c.CAFile != "" || c.CertFile != "" || c.KeyFile != ""
	switch {
	case c.Dir == "" && c.URL == "":
		return errors.New("neither a directory nor the URL of a NATS server is given")
	case c.Dir != "" && c.URL != "":
		return fmt.Errorf("both a directory (%s) and a NATS server (%s) are given", c.Dir, c.URL)
	case c.URL == "" && (ways > 0 || tls):
		return errors.New("credentials and TLS are for a NATS server by URL; the one inside needs none")
	case ways > 1:
		return errors.New("more than one of credentials file, user, token and nkey file is given")
	case (c.CertFile == "") != (c.KeyFile == ""):
		return errors.New("a certificate needs its key, and a key its certificate")
	case c.MaxBytes < 0:
		return fmt.Errorf("the journal's size is %d bytes, it cannot be less than none", c.MaxBytes)
	}
	if c.Name == "" {
		c.Name = "weir"
	}
	if !word.MatchString(c.Name) {
		return fmt.Errorf("the name %q may have letters, digits, '-' and '_' only", c.Name)
	}
	if c.MaxBytes == 0 {
		c.MaxBytes = DefaultMaxBytes
	}
	if c.Host == "" {
		name, err := os.Hostname()
		if err != nil {
			return fmt.Errorf("this machine has no name: %w", err)
		}
		c.Host = name
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Dir != "" {
		dir, err := filepath.Abs(c.Dir)
		if err != nil {
			return err
		}
		c.Dir = dir
	}
	return nil
}

// hardLimit is where the stream itself refuses.
func (c *Config) hardLimit() int64 { return c.MaxBytes + max(c.MaxBytes/8, 64<<20) }
