package policy

import "fmt"

// RuleIDs gives refusing rules their ids: the same key has the same id for ever,
// and an id, once given, belongs to no other key while a record may name it.
// The ids lie in 1..MarkRuleMask.
type RuleIDs interface {
	ID(key string) (uint32, error)
}

// MemoryIDs are RuleIDs that forget when the process ends: for tests and for
// looking at a policy that is not applied. The zero value is ready for use; not
// safe for concurrent use.
type MemoryIDs struct {
	ids map[string]uint32
}

var _ RuleIDs = (*MemoryIDs)(nil)

// ID is the key's id, the next free one for a new key.
func (m *MemoryIDs) ID(key string) (uint32, error) {
	if id, ok := m.ids[key]; ok {
		return id, nil
	}
	if len(m.ids) == MarkRuleMask {
		return 0, fmt.Errorf("no rule id is left: %d are in use", len(m.ids))
	}
	if m.ids == nil {
		m.ids = map[string]uint32{}
	}
	id := uint32(len(m.ids) + 1)
	m.ids[key] = id
	return id, nil
}
