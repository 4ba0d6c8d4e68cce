package main

import (
	"context"
	"fmt"
	"maps"
	"sync"
	"time"

	"weir/aggregate"
	"weir/deliver"
	"weir/policy/book"
)

// policies are the versions of the policy in the catalogue, beside those of the
// topology: the journal's counts hold ids of rules, and whoever makes records of
// them, whenever and wherever that is, has their words.
//
// The book stays the place where policies are applied and remembered (0010): it
// must work while no Weir runs.
type policies struct {
	catalogue deliver.Catalogue
	book      aggregate.Rules

	mu     sync.Mutex        // guards what follows
	kept   string            // version that the catalogue has
	others map[uint32]string // rules of the catalogue's versions; nil until they are read
}

const policyKey = "policy."

// keptPolicy is a version in the catalogue.
type keptPolicy struct {
	Version string            `json:"version"`
	File    string            `json:"file"`
	Applied time.Time         `json:"applied"`
	Rules   map[uint32]string `json:"rules"` // words by id
}

// keep makes the policy in force durable, if it is another one than before.
func (p *policies) keep(ctx context.Context, inForce *book.InForce) error {
	if inForce == nil {
		return nil
	}
	name := inForce.Entry.Version
	p.mu.Lock()
	same := p.kept == name
	p.mu.Unlock()
	if same {
		return nil
	}
	v := keptPolicy{Version: name, File: inForce.Entry.File, Applied: inForce.Entry.Time, Rules: map[uint32]string{}}
	for _, r := range inForce.Policy.Rules() {
		if words, ok := p.book.Rule(r.ID); ok {
			v.Rules[r.ID] = words
		}
	}
	if err := deliver.Store(ctx, p.catalogue, policyKey+name, &v); err != nil {
		return fmt.Errorf("keep the policy: %w", err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.kept, p.others = name, nil
	return nil
}

// Rule implements aggregate.Rules: the book's, or else the catalogue's.
func (p *policies) Rule(id uint32) (string, bool) {
	if words, ok := p.book.Rule(id); ok {
		return words, true
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.others == nil {
		p.others = p.read()
	}
	words, ok := p.others[id]
	return words, ok
}

// read reads the rules of all versions. What cannot be read has no words.
func (p *policies) read() map[uint32]string {
	all := map[uint32]string{}
	ctx := context.Background()
	keys, err := p.catalogue.Keys(ctx, policyKey)
	if err != nil {
		return all
	}
	for _, key := range keys {
		var v keptPolicy
		if _, err := deliver.Load(ctx, p.catalogue, key, &v); err == nil {
			maps.Copy(all, v.Rules)
		}
	}
	return all
}
