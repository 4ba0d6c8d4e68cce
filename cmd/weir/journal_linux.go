package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"weir/deliver"
	"weir/journal"
	"weir/vpc/declare"
)

// openJournal opens the journal that the settings name: the one in the data
// directory, or a NATS server.
func openJournal(ctx context.Context, cfg *stationConfig) (*journal.Journal, error) {
	s := cfg.Settings.Journal
	c := journal.Config{MaxBytes: s.MaxBytes, Name: s.Name, Log: cfg.Log}
	if len(s.URLs) == 0 {
		c.Dir = journalDir(cfg.Data)
		// One data directory, one host: also when the machine is renamed.
		c.Host = "local"
		return journal.Open(ctx, c)
	}
	c.URL = strings.Join(s.URLs, ",")
	c.CredentialsFile, c.User, c.NKeyFile = s.Credentials, s.User, s.NKey
	c.CAFile, c.CertFile, c.KeyFile = s.TLS.CA, s.TLS.Cert, s.TLS.Key
	var err error
	if c.Password, err = secretIn(s.PasswordFile); err != nil {
		return nil, err
	}
	if c.Token, err = secretIn(s.TokenFile); err != nil {
		return nil, err
	}
	return journal.Open(ctx, c)
}

// journalDir is where the embedded server has its files.
func journalDir(data string) string { return filepath.Join(data, "journal") }

// placeOfJournal names it for people.
func placeOfJournal(cfg *stationConfig) string {
	if urls := cfg.Settings.Journal.URLs; len(urls) > 0 {
		return strings.Join(urls, ",")
	}
	return journalDir(cfg.Data)
}

// maxJournal is what the journal may take on disk.
func maxJournal(s declare.Journal) int64 { return cmp.Or(s.MaxBytes, journal.DefaultMaxBytes) }

// secretIn is the content of a file without the line's end; empty when no file is
// named.
func secretIn(path string) (string, error) {
	if path == "" {
		return "", nil
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("the journal's server: %w", err)
	}
	return strings.TrimRight(string(b), "\r\n"), nil
}

// journalIDKey holds what tells journals apart: the names of objects derive from
// it.
const journalIDKey = "journal.id"

// idOfJournal is the journal's id, which is made with the journal.
func idOfJournal(ctx context.Context, c deliver.Catalogue) (string, error) {
	id, err := c.Get(ctx, journalIDKey)
	if err != nil || id != nil {
		return string(id), err
	}
	var random [8]byte
	_, _ = rand.Read(random[:]) // never fails
	made := hex.EncodeToString(random[:])
	return made, c.Put(ctx, journalIDKey, []byte(made))
}
