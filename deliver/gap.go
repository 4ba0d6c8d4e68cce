package deliver

import "slices"

// joinGaps is one gap that spans both. What was delivered between them is in it
// too: SKIPDATA says that records are missing, not that all of them are.
func joinGaps(a, b *gap) *gap {
	if a == nil {
		return b
	}
	ids := append(slices.Clone(a.IDs), b.IDs...)
	slices.Sort(ids)
	return &gap{
		Start: min(a.Start, b.Start), End: max(a.End, b.End),
		Topology: b.Topology, IDs: slices.Compact(ids),
	}
}
