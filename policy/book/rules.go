package book

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"weir/policy"
	"weir/vpc"
)

// Rule is a refusing rule that has an id.
type Rule struct {
	ID    uint32    `json:"id"`
	Key   string    `json:"key"` // of policy.Rule
	Words string    `json:"words"`
	Time  time.Time `json:"time"` // when it got the id, or these words
}

// ruleList is the file of rules as far as it has been read. The same id may
// stand there again with other words: its group was given another name.
type ruleList struct {
	lines
	byKey map[string]uint32
	byID  map[uint32]Rule
	top   uint32
	// escaped are the words as records have them, of rules that refused.
	escaped map[uint32]string
}

func newRuleList(path string) ruleList {
	return ruleList{
		lines: lines{path: path},
		byKey: map[string]uint32{}, byID: map[uint32]Rule{}, escaped: map[uint32]string{},
	}
}

func (l *ruleList) refresh() error { return l.read(l.take) }

// take takes one line in.
func (l *ruleList) take(line []byte) error {
	var r Rule
	if err := json.Unmarshal(line, &r); err != nil {
		return fmt.Errorf("not a rule: %w", err)
	}
	id, known := l.byKey[r.Key]
	was, given := l.byID[r.ID]
	switch {
	case r.ID == 0 || r.ID > policy.MarkRuleMask:
		return fmt.Errorf("not a rule: the id %d is not in 1 to %d", r.ID, policy.MarkRuleMask)
	case r.Key == "" || r.Words == "" || r.Time.IsZero():
		return errors.New("not a rule: its key, words or time are missing")
	case known && id != r.ID:
		return fmt.Errorf("rule %d has the key of rule %d", r.ID, id)
	case given && was.Key != r.Key:
		return fmt.Errorf("rule %d is there already, with another key", r.ID)
	}
	r.Time = r.Time.UTC()
	l.byKey[r.Key] = r.ID
	l.byID[r.ID] = r
	l.top = max(l.top, r.ID)
	delete(l.escaped, r.ID)
	return nil
}

// Rule returns the words of a rule as a record has them, without spaces. An id
// that is new to the book is looked for in the file: another process may have
// given it. It fulfils aggregate.Rules, which has no place for an error: that is
// kept for [Book.Err].
func (b *Book) Rule(id uint32) (words string, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if words, ok = b.rules.escaped[id]; ok {
		return words, true
	}
	r, ok := b.rules.byID[id]
	if !ok {
		if b.err = b.rules.refresh(); b.err != nil {
			return "", false
		}
		if r, ok = b.rules.byID[id]; !ok {
			return "", false
		}
	}
	words = policy.EscapeWords(r.Words)
	b.rules.escaped[id] = words
	return words, true
}

// Err is why the last rule that was looked for could not be found, nil when the
// book could be read.
func (b *Book) Err() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.err
}

// Preview compiles a topology that is not to be applied. Rules that the book
// does not know have the ids that they would get now; nothing is written.
func (b *Book) Preview(t *vpc.Topology) (*policy.Policy, error) {
	p, _, err := b.compile(t)
	return p, err
}

// Compile compiles a topology that is to be applied. Its rules' ids are in the
// book, and on the disk, when it returns.
func (w *Writer) Compile(t *vpc.Topology) (*policy.Policy, error) {
	b := w.book
	p, fresh, err := b.compile(t)
	if err != nil {
		return nil, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	now := b.now().UTC()
	var text []byte
	for _, r := range p.Rules() {
		if _, isNew := fresh.ids[r.Key]; !isNew && b.rules.byID[r.ID].Words == r.Words {
			continue
		}
		line, err := json.Marshal(Rule{r.ID, r.Key, r.Words, now})
		if err != nil {
			return nil, err
		}
		if len(line) >= maxLine {
			return nil, fmt.Errorf("rule %.60s… takes %d bytes, more than the bound of %d", r.Words, len(line), maxLine)
		}
		text = append(append(text, line...), '\n')
	}
	if text == nil {
		return p, nil
	}
	if err := b.rules.write(text); err != nil {
		return nil, fmt.Errorf("keep the rules' ids: %w", err)
	}
	return p, b.rules.refresh()
}

func (b *Book) compile(t *vpc.Topology) (*policy.Policy, *allocation, error) {
	b.mu.Lock()
	err := b.rules.refresh()
	ids := &allocation{book: b, ids: map[string]uint32{}, top: b.rules.top}
	b.mu.Unlock()
	if err != nil {
		return nil, nil, err
	}
	p, err := policy.Compile(t, ids)
	return p, ids, err
}

// allocation gives the keys that the book does not know the next ids.
type allocation struct {
	book *Book
	ids  map[string]uint32
	top  uint32
}

var _ policy.RuleIDs = (*allocation)(nil)

func (a *allocation) ID(key string) (uint32, error) {
	if id, ok := a.book.id(key); ok {
		return id, nil
	}
	if id, ok := a.ids[key]; ok {
		return id, nil
	}
	if a.top == policy.MarkRuleMask {
		return 0, errors.New("no rule id is left: begin another data directory")
	}
	a.top++
	a.ids[key] = a.top
	return a.top, nil
}

// given has only the ids that the book knows: what was in force had its ids.
type given struct{ book *Book }

var _ policy.RuleIDs = given{}

func (g given) ID(key string) (uint32, error) {
	if id, ok := g.book.id(key); ok {
		return id, nil
	}
	return 0, fmt.Errorf("%s has no rule with the key %q", g.book.rules.path, key)
}

func (b *Book) id(key string) (uint32, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	id, ok := b.rules.byKey[key]
	return id, ok
}
