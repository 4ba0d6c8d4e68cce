package cut

import (
	"fmt"

	"weir/deliver"
)

// Same says how parts differ from the notes; nil when they do not, and when there
// are no notes because no batch was begun.
func Same(notes []deliver.Note, parts []deliver.Part) error {
	if notes == nil {
		return nil
	}
	if len(notes) != len(parts) {
		return fmt.Errorf("the batch makes %d calls, and made %d before the restart", len(parts), len(notes))
	}
	for i, p := range parts {
		if got := p.Note(); got != notes[i] {
			return fmt.Errorf("call %d of the batch is not what it was before the restart: %+v, was %+v", i+1, got, notes[i])
		}
	}
	return nil
}
