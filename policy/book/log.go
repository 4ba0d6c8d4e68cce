package book

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"
)

// What happened to a policy.
const (
	Applying = "applying" // about to be put into force: what follows says how it went
	Applied  = "applied"  // in force from here on
	Failed   = "failed"   // could not be put into force; the former one is
	Removed  = "removed"  // none is in force from here on
)

// Entry is one line of the log.
type Entry struct {
	Time    time.Time `json:"time"` // UTC; later than all entries before
	Event   string    `json:"event"`
	Version string    `json:"version,omitempty"` // its name; empty when removed
	File    string    `json:"file,omitempty"`    // where the topology came from
	// Seals are the digests of the rulesets by the path of their network
	// namespace, "" being the one that Weir ran in.
	Seals map[string]string `json:"seals,omitempty"`
	Cause string            `json:"cause,omitempty"` // of a failure
}

// entryList is the log as far as it has been read.
type entryList struct {
	lines
	all []Entry
}

func (l *entryList) refresh() error { return l.read(l.take) }

func (l *entryList) take(line []byte) error {
	var e Entry
	if err := json.Unmarshal(line, &e); err != nil {
		return fmt.Errorf("not an entry: %w", err)
	}
	e.Time = e.Time.UTC()
	switch e.Event {
	case Applying, Applied, Failed:
		if _, err := parseVersion(e.Version); err != nil {
			return fmt.Errorf("not an entry: %w", err)
		}
	case Removed:
		if e.Version != "" {
			return errors.New("not an entry: a removal has no version")
		}
	default:
		return fmt.Errorf("not an entry: %.20q is no event", e.Event)
	}
	if e.Time.IsZero() {
		return errors.New("not an entry: the time is missing")
	}
	if n := len(l.all); n > 0 && !e.Time.After(l.all[n-1].Time) {
		return fmt.Errorf("%s is not later than the entry before", e.Time.Format(time.RFC3339Nano))
	}
	l.all = append(l.all, e)
	return nil
}

// decisive reports whether something else is in force after the entry.
func (e *Entry) decisive() bool { return e.Event == Applied || e.Event == Removed }

// Log is all entries, by time.
func (b *Book) Log() ([]Entry, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := b.log.refresh(); err != nil {
		return nil, err
	}
	return slices.Clip(b.log.all), nil
}

// Latest is the entry of what is in force, nil when nothing is. Unfinished is an
// apply of which nobody knows how it ended, because its process was killed.
func (b *Book) Latest() (latest, unfinished *Entry, err error) {
	all, err := b.Log()
	if err != nil {
		return nil, nil, err
	}
	if n := len(all); n > 0 && all[n-1].Event == Applying {
		unfinished = &all[n-1]
	}
	for _, e := range slices.Backward(all) {
		if e.decisive() {
			if e.Event == Applied {
				latest = &e
			}
			break
		}
	}
	return latest, unfinished, nil
}

// at is the entry that was in force at a time, nil when none was.
func at(all []Entry, t time.Time) *Entry {
	for _, e := range slices.Backward(all) {
		if e.decisive() && !e.Time.After(t) {
			if e.Event == Removed {
				return nil
			}
			return &e
		}
	}
	return nil
}

// Record adds an entry to the log; its time is set here. It is on the disk when
// Record returns.
func (w *Writer) Record(e Entry) (Entry, error) {
	b := w.book
	b.mu.Lock()
	defer b.mu.Unlock()
	e.Time = b.now().UTC()
	if n := len(b.log.all); n > 0 {
		if last := b.log.all[n-1].Time; !e.Time.After(last) { // the clock was set back
			e.Time = last.Add(time.Nanosecond)
		}
	}
	line, err := json.Marshal(e)
	if err != nil {
		return e, err
	}
	if err := b.log.write(append(line, '\n')); err != nil {
		return e, fmt.Errorf("keep the policy's log: %w", err)
	}
	return e, b.log.refresh()
}
