package peertest

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdkfirehose "github.com/aws/aws-sdk-go-v2/service/firehose"
	"github.com/aws/aws-sdk-go-v2/service/firehose/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"weir/deliver"
	"weir/deliver/firehose"
	"weir/flowlog"
)

func firehoseTo(t *testing.T, url, stream string, f flowlog.Format) *firehose.Destination {
	t.Helper()
	endpoint, err := firehose.OpenEndpoint(t.Context(), firehose.EndpointConfig{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { endpoint.Close() })
	d, err := firehose.New(firehose.Config{Endpoint: endpoint, Stream: stream, Format: f})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// bucketStream makes a stream that writes to a bucket of the same name.
func bucketStream(t *testing.T, cfg aws.Config, name string) *s3.Client {
	t.Helper()
	store := s3.NewFromConfig(cfg, func(o *s3.Options) { o.UsePathStyle = true })
	if _, err := store.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: &name}); err != nil {
		t.Fatal(err)
	}
	_, err := sdkfirehose.NewFromConfig(cfg).CreateDeliveryStream(t.Context(), &sdkfirehose.CreateDeliveryStreamInput{
		DeliveryStreamName: &name,
		DeliveryStreamType: types.DeliveryStreamTypeDirectPut,
		ExtendedS3DestinationConfiguration: &types.ExtendedS3DestinationConfiguration{
			BucketARN: aws.String("arn:aws:s3:::" + name),
			RoleARN:   aws.String("arn:aws:iam::123456789012:role/firehose"),
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return store
}

// objects is the text of a bucket's objects.
func objects(t *testing.T, store *s3.Client, bucket string) [][]byte {
	t.Helper()
	var got [][]byte
	pages := s3.NewListObjectsV2Paginator(store, &s3.ListObjectsV2Input{Bucket: &bucket})
	for pages.HasMorePages() {
		page, err := pages.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range page.Contents {
			object, err := store.GetObject(t.Context(), &s3.GetObjectInput{Bucket: &bucket, Key: o.Key})
			if err != nil {
				t.Fatal(err)
			}
			text, err := io.ReadAll(object.Body)
			object.Body.Close()
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, text)
		}
	}
	return got
}

// A stream that writes to a bucket: its objects are lines of JSON, and hold every
// record once. moto writes an object for each call.
func TestPeersFirehose(t *testing.T) {
	url, cfg := moto(t)
	f := format(t)
	stream := name(t)
	store := bucketStream(t, cfg, stream)
	records := traffic(f, 2, 3, 401)
	receipts := send(t.Context(), t, firehoseTo(t, url, stream, f), records)

	written := objects(t, store, stream)
	if len(written) != len(receipts) || len(receipts) != 4 { // 1,606 records
		t.Errorf("%d objects of %d calls, want 4", len(written), len(receipts))
	}
	var got []string
	for _, text := range written {
		for line := range bytes.Lines(text) {
			var message struct{ Message string }
			if err := json.Unmarshal(line, &message); err != nil {
				t.Fatalf("%q: %v", line, err)
			}
			got = append(got, message.Message)
		}
	}
	want := lines(f, records, func(*flowlog.Record) bool { return true })
	slices.Sort(want) // objects are in no order that can be relied upon
	slices.Sort(got)
	if !slices.Equal(want, got) {
		t.Errorf("%d records in the bucket, want %d", len(got), len(want))
	}
}

func TestPeersFirehoseWithoutStream(t *testing.T) {
	url, _ := moto(t)
	f := format(t)
	d := firehoseTo(t, url, name(t), f)
	e := d.Begin(deliver.Begin{})
	e.Add(&traffic(f, 1, 2, 1)[0])
	parts, err := e.Finish()
	if err != nil {
		t.Fatal(err)
	}
	_, err = parts[0].Send(t.Context())
	var failure *deliver.Error
	if !errors.As(err, &failure) || failure.Kind != deliver.Access || failure.Hint() == "" {
		t.Errorf("%v: want an access error with a hint", err)
	}
}
