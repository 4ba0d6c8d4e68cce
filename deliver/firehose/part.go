package firehose

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/firehose"
	"github.com/aws/aws-sdk-go-v2/service/firehose/types"

	"weir/deliver"
	awsclient "weir/deliver/internal/aws"
	"weir/deliver/internal/lines"
)

// part is the records of one call, which stand one behind the other in the
// batch's text.
type part struct {
	d       *Destination
	text    *lines.Buffer
	first   lines.Ref
	records int
	size    int64  // of the records, before base64
	tooLong bool   // one record that the service does not take
	hash    uint32 // of the marks of the first and the last record
	// left is what the service has not taken yet, by number, in order; nil until
	// it took a part of it.
	left []int
}

// Note implements [deliver.Part]. The hash tells apart what is cut differently:
// interface and time of the first and the last record.
func (p *part) Note() deliver.Note {
	return deliver.Note{Records: int64(p.records), Hash: p.hash}
}

// Send implements [deliver.Part]. After an error it sends what the service has
// not taken, record by record.
func (p *part) Send(ctx context.Context) (deliver.Receipt, error) {
	receipt := deliver.Receipt{Name: p.d.stream, Bytes: p.size}
	if p.tooLong {
		receipt.Bytes, receipt.Refused = 0, 1
		receipt.Why = fmt.Sprintf("a record of %d bytes: a Firehose record holds %d", p.size, maxRecord)
		return receipt, nil
	}
	out, err := p.d.endpoint.client.PutRecordBatch(ctx, &firehose.PutRecordBatchInput{
		DeliveryStreamName: &p.d.stream,
		Records:            p.waiting(),
	})
	if err != nil {
		return deliver.Receipt{}, awsclient.Error(ctx, "put records", p.d.String(), err)
	}
	if err := p.settle(out); err != nil {
		return deliver.Receipt{}, err
	}
	return receipt, nil
}

// waiting is what the service has not taken.
func (p *part) waiting() []types.Record {
	all := make([]types.Record, p.records)
	ref := p.first
	for i := range all {
		if i > 0 {
			ref = p.text.Next(ref)
		}
		all[i].Data = p.text.Bytes(ref)
	}
	if p.left == nil {
		return all
	}
	some := all[:0]
	for _, i := range p.left {
		some = append(some, all[i])
	}
	return some
}

// settle notes what the service took of a call that it answered.
func (p *part) settle(out *firehose.PutRecordBatchOutput) error {
	if aws.ToInt32(out.FailedPutCount) == 0 {
		return nil
	}
	sent := p.left
	if sent == nil {
		sent = make([]int, p.records)
		for i := range sent {
			sent[i] = i
		}
	}
	failure := &deliver.Error{Op: "put records", Target: p.d.String()}
	if len(out.RequestResponses) != len(sent) {
		failure.Doubtful = true
		failure.Err = fmt.Errorf("%d of %d records failed, and the answer tells of %d", *out.FailedPutCount, len(sent), len(out.RequestResponses))
		return failure
	}
	var left []int
	var why string // of the first that failed
	for i, r := range out.RequestResponses {
		if r.ErrorCode == nil {
			continue
		}
		left = append(left, sent[i])
		code := aws.ToString(r.ErrorCode)
		if why == "" {
			why = code + ": " + aws.ToString(r.ErrorMessage)
			failure.Kind = awsclient.KindOf(code)
		}
		// A record with InternalFailure "might have failed processing" (API
		// reference, PutRecordBatch): it may be there all the same.
		failure.Doubtful = failure.Doubtful || awsclient.KindOf(code) == deliver.Unknown
	}
	if left == nil {
		return nil // it counts wrongly: every record has its id
	}
	p.left = left
	failure.Err = fmt.Errorf("%d of %d records failed: %s", len(left), len(sent), why)
	return failure
}
