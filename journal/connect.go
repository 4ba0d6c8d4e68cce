package journal

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
)

// dial connects to the server inside, or to the one by URL. A connection that
// breaks is made again for as long as the journal is open.
func (j *Journal) dial() (*nats.Conn, error) {
	c := &j.cfg
	opts := []nats.Option{
		nats.Name("weir " + c.Host),
		nats.MaxReconnects(-1),
		nats.ReconnectHandler(func(*nats.Conn) {
			j.wake()
			j.reconnected()
		}),
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) {
			j.away()
			if err != nil {
				c.Log.Warn("the connection to the journal's NATS server broke", "err", err)
			}
		}),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) {
			c.Log.Warn("the journal's NATS connection", "err", err)
		}),
		// What is published while there is no connection would be sent later, when
		// nobody waits for it any more.
		nats.ReconnectBufSize(-1),
	}
	if c.URL == "" {
		opts = append(opts, nats.InProcessServer(j.server), nats.ReconnectWait(20*time.Millisecond), nats.ReconnectJitter(0, 0))
		return nats.Connect("", opts...)
	}
	more, err := c.options()
	if err != nil {
		return nil, err
	}
	nc, err := nats.Connect(c.URL, append(opts, more...)...)
	if err != nil {
		return nil, &Error{"connect to NATS", redact(c.URL), err, connectHint(err)}
	}
	return nc, nil
}

// whileConnected returns a context that ends when the connection breaks: an answer
// to what was asked before will not come, and the client would wait for it. The
// cause is errAway then; ended puts it in place of what the client says.
func (j *Journal) whileConnected(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	j.mu.Lock()
	j.asking[&cancel] = true
	j.mu.Unlock()
	if !j.nc.IsConnected() {
		cancel(errAway)
	}
	return ctx, func() {
		j.mu.Lock()
		delete(j.asking, &cancel)
		j.mu.Unlock()
		cancel(nil)
	}
}

// away ends what waits for an answer.
func (j *Journal) away() {
	j.mu.Lock()
	defer j.mu.Unlock()
	for cancel := range j.asking {
		(*cancel)(errAway)
	}
}

// ended is err, or errAway when that is why ctx ended.
func ended(ctx context.Context, err error) error {
	if err != nil && errors.Is(context.Cause(ctx), errAway) {
		return errAway
	}
	return err
}

// options are those of a server by URL.
func (c *Config) options() ([]nats.Option, error) {
	opts := []nats.Option{nats.ReconnectWait(250 * time.Millisecond), nats.Timeout(5 * time.Second)}
	for what, file := range map[string]string{
		"credentials": c.CredentialsFile, "nkey": c.NKeyFile, "authority": c.CAFile, "certificate": c.CertFile, "key": c.KeyFile,
	} {
		if file == "" {
			continue
		}
		if _, err := os.Stat(file); err != nil {
			return nil, fmt.Errorf("the NATS server's %s file: %w", what, err)
		}
	}
	switch {
	case c.CredentialsFile != "":
		opts = append(opts, nats.UserCredentials(c.CredentialsFile))
	case c.User != "" || c.Password != "":
		opts = append(opts, nats.UserInfo(c.User, c.Password))
	case c.Token != "":
		opts = append(opts, nats.Token(c.Token))
	case c.NKeyFile != "":
		opt, err := nats.NkeyOptionFromSeed(c.NKeyFile)
		if err != nil {
			return nil, fmt.Errorf("the NATS server's nkey file %s: %w", c.NKeyFile, err)
		}
		opts = append(opts, opt)
	}
	if c.CAFile != "" {
		opts = append(opts, nats.RootCAs(c.CAFile))
	}
	if c.CertFile != "" {
		opts = append(opts, nats.ClientCert(c.CertFile, c.KeyFile))
	}
	return opts, nil
}

func connectHint(err error) string {
	switch {
	case errors.Is(err, nats.ErrAuthorization), errors.Is(err, nats.ErrAuthExpired):
		return "check the credentials for the NATS server"
	case errors.Is(err, nats.ErrSecureConnRequired), errors.Is(err, nats.ErrSecureConnWanted):
		return "one side wants TLS and the other does not: compare the URL (tls://) with the server"
	case strings.Contains(err.Error(), "x509"), strings.Contains(err.Error(), "tls:"):
		return "check the files of the authority and of the certificate"
	}
	return "is the NATS server running, and can it be reached from here?"
}

// redact leaves the password out of URLs.
func redact(urls string) string {
	list := strings.Split(urls, ",")
	for i, u := range list {
		scheme, rest, ok := strings.Cut(u, "://")
		if !ok {
			scheme, rest = "", u
		} else {
			scheme += "://"
		}
		if at := strings.LastIndex(rest, "@"); at >= 0 {
			rest = "…@" + rest[at+1:]
		}
		list[i] = scheme + rest
	}
	return strings.Join(list, ",")
}
