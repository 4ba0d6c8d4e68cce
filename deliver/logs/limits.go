package logs

import (
	"time"

	"weir/deliver/internal/lines"
)

// Limits of PutLogEvents (CloudWatch Logs API reference, PutLogEvents).
const (
	maxEvents = 10_000
	maxBytes  = 1 << 20 // of messages in UTF-8 and perEvent for each
	perEvent  = 26
	maxSpan   = 24 * time.Hour // between the first event and the last

	// maxMessage is the longest message that fits into a call. Services of before
	// 2025 take 256 KiB, those 26 bytes included; a record of every field there is
	// takes less than 64 KiB (flowlog.MaxLine), so that neither matters unless
	// somebody's tags are absurd.
	maxMessage = maxBytes - perEvent
)

// fit is how many events, which are in order, fit into one call, at least one;
// and their size as the service counts it.
func fit(events []event, text *lines.Buffer) (n int, size int64) {
	for n < len(events) && n < maxEvents {
		more := int64(len(text.Bytes(events[n].ref))) + perEvent
		if n > 0 && (size+more > maxBytes || events[n].start-events[0].start > int64(maxSpan/time.Second)) {
			break
		}
		size += more
		n++
	}
	return n, size
}
