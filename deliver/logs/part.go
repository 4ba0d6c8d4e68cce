package logs

import (
	"context"
	"encoding/binary"
	"fmt"
	"hash/crc32"

	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"

	"weir/deliver"
	"weir/deliver/internal/lines"
)

// part is the events of one call.
type part struct {
	d      *Destination
	text   *lines.Buffer
	stream string
	events []event // in order, never none
	size   int64   // as the service counts it
}

// Note implements [deliver.Part]. The hash tells apart what is cut differently:
// the stream, and the time of the first and the last event.
func (p *part) Note() deliver.Note {
	b := []byte(p.stream)
	b = binary.BigEndian.AppendUint64(b, uint64(p.events[0].start))
	b = binary.BigEndian.AppendUint64(b, uint64(p.events[len(p.events)-1].start))
	return deliver.Note{Records: int64(len(p.events)), Hash: crc32.ChecksumIEEE(b)}
}

// Send implements [deliver.Part].
func (p *part) Send(ctx context.Context) (deliver.Receipt, error) {
	receipt := deliver.Receipt{Name: p.stream, Bytes: p.size}
	if p.size > maxBytes { // one event; see fit
		receipt.Bytes, receipt.Refused = 0, 1
		receipt.Why = fmt.Sprintf("a record of %d bytes: a log event holds %d", p.size-perEvent, maxMessage)
		return receipt, nil
	}
	rejected, err := p.d.put(ctx, p.stream, p.logEvents())
	if err != nil {
		return deliver.Receipt{}, err
	}
	receipt.Refused, receipt.Why = refused(rejected, len(p.events))
	return receipt, nil
}

// logEvents is the events as the SDK takes them: three allocations, whatever
// their number; the messages are those of the batch's text.
func (p *part) logEvents() []types.InputLogEvent {
	n := len(p.events)
	events := make([]types.InputLogEvent, n)
	messages := make([]string, n)
	times := make([]int64, n)
	for i, e := range p.events {
		messages[i] = p.text.Text(e.ref)
		times[i] = e.start * 1000 // flow logs have the start as the event's time, in milliseconds
		events[i] = types.InputLogEvent{Message: &messages[i], Timestamp: &times[i]}
	}
	return events
}
