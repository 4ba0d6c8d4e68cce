package delivertest

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/google/go-cmp/cmp"

	"weir/deliver"
	"weir/deliver/s3"
	"weir/flowlog"
	"weir/internal/faults"
)

const bucketName = "flow-bucket"

func credentials(key, secret string) aws.CredentialsProvider {
	return aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		return aws.Credentials{AccessKeyID: key, SecretAccessKey: secret}, nil
	})
}

// client is root's, of the SDK itself.
func (s *S3Server) client() *sdk.Client {
	return sdk.New(sdk.Options{BaseEndpoint: &s.URL, UsePathStyle: true, Region: "us-east-1", Credentials: credentials(RootKey, RootSecret)})
}

func (s *S3Server) makeBucket(t testing.TB) {
	t.Helper()
	if _, err := s.client().CreateBucket(t.Context(), &sdk.CreateBucketInput{Bucket: aws.String(bucketName)}); err != nil {
		t.Fatal(err)
	}
}

// objects are all of the bucket.
func (s *S3Server) objects(t testing.TB) map[string][]byte {
	t.Helper()
	all := map[string][]byte{}
	pages := sdk.NewListObjectsV2Paginator(s.client(), &sdk.ListObjectsV2Input{Bucket: aws.String(bucketName)})
	for pages.HasMorePages() {
		page, err := pages.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range page.Contents {
			got, err := s.client().GetObject(t.Context(), &sdk.GetObjectInput{Bucket: aws.String(bucketName), Key: o.Key})
			if err != nil {
				t.Fatal(err)
			}
			b, err := io.ReadAll(got.Body)
			if err := errors.Join(err, got.Body.Close()); err != nil {
				t.Fatal(err)
			}
			all[*o.Key] = b
		}
	}
	return all
}

// as opens the bucket by a URL for a user.
func as(t testing.TB, url, key, secret string, limits s3.Timeouts) s3.Bucket {
	t.Helper()
	e, err := s3.OpenEndpoint(t.Context(), s3.EndpointConfig{URL: url, Credentials: credentials(key, secret), Timeouts: limits})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	return e.Bucket(bucketName)
}

func s3Destination(t testing.TB, b s3.Bucket, change func(*s3.Options)) *s3.Destination {
	t.Helper()
	o := s3.Options{
		AccountID: "123456789012", Region: "us-east-1", FlowLogID: "fl-0123456789abcdef0", JournalID: "journal-1",
		Format: flowlog.DefaultFormat(), Bucket: b,
	}
	if change != nil {
		change(&o)
	}
	d, err := s3.NewDestination(o)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

var noon = time.Date(2024, 2, 29, 12, 0, 0, 0, time.UTC)

// ended is a record that differs from all others of another number.
func ended(n int, end time.Time) *flowlog.Record {
	return &flowlog.Record{
		Version: 2, AccountID: "123456789012", InterfaceID: "eni-0a1b2c3d4e5f60718",
		SrcAddr: netip.AddrFrom4([4]byte{10, byte(n >> 16), byte(n >> 8), byte(n)}), DstAddr: netip.AddrFrom4([4]byte{203, 0, 113, byte(n * 7)}),
		SrcPort: int64(uint16(1024 + n*40503)), DstPort: 443, Protocol: 6, Packets: int64(n%50 + 1), Bytes: int64(n) * 2654435761 % 100_000,
		Start: end.Unix() - 30, End: end.Unix(), Action: flowlog.Accept, LogStatus: flowlog.OK,
	}
}

// batch makes the parts of n records over two slots.
func batch(t testing.TB, d deliver.Destination, n int) []deliver.Part {
	t.Helper()
	e := d.Begin(deliver.Begin{})
	for i := range n {
		e.Add(ended(i, noon.Add(time.Duration(i%2)*flowlog.SlotLength)))
	}
	parts, err := e.Finish()
	if err != nil {
		t.Fatal(err)
	}
	return parts
}

// lines counts the records of text objects, none twice.
func lines(t testing.TB, objects map[string][]byte) (n int) {
	t.Helper()
	seen := map[string]bool{}
	for key, b := range objects {
		zip, err := gzip.NewReader(bytes.NewReader(b))
		if err != nil {
			t.Fatalf("%s: %v", key, err)
		}
		text, err := io.ReadAll(zip)
		if err != nil {
			t.Fatalf("%s: %v", key, err)
		}
		for line := range strings.Lines(string(text)) {
			if line == flowlog.DefaultFormat().Header()+"\n" {
				continue
			}
			if seen[line] {
				t.Errorf("%s has a record twice: %s", key, line)
			}
			seen[line] = true
		}
	}
	return len(seen)
}

// sendAll sends parts, each until it is taken.
func sendAll(t testing.TB, parts []deliver.Part) {
	t.Helper()
	for _, p := range parts {
		r, err := p.Send(t.Context())
		for tries := 0; err != nil; tries++ {
			if tries > 100 {
				t.Fatal(err)
			}
			r, err = p.Send(t.Context())
		}
		if r.Bytes == 0 {
			t.Errorf("receipt %+v", r)
		}
	}
}

// refused is the error of sending a part.
func refused(t testing.TB, p deliver.Part) *deliver.Error {
	t.Helper()
	_, err := p.Send(t.Context())
	e, ok := errors.AsType[*deliver.Error](err)
	if !ok {
		t.Fatalf("error %v, want one of delivery", err)
	}
	return e
}

func TestS3Layouts(t *testing.T) {
	server := StartS3(t)
	server.makeBucket(t)
	b := as(t, server.URL, RootKey, RootSecret, s3.Timeouts{})
	want := map[string]int64{}
	for _, encoding := range []flowlog.Encoding{flowlog.Text, flowlog.Parquet} {
		for _, layout := range []flowlog.KeyLayout{flowlog.PlainDaily, flowlog.PlainHourly, flowlog.HiveDaily, flowlog.HiveHourly} {
			d := s3Destination(t, b, func(o *s3.Options) { o.Encoding, o.Layout, o.Prefix = encoding, layout, "my logs+ü/" })
			if err := d.Probe(t.Context()); err != nil {
				t.Fatal(err)
			}
			for _, p := range batch(t, d, 100) {
				r, err := p.Send(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				want[r.Name] = r.Bytes
			}
		}
	}
	got := map[string]int64{}
	for key, b := range server.objects(t) {
		got[key] = int64(len(b))
		k, err := flowlog.ParseObjectKey(key)
		if err != nil || k.Layout == flowlog.NoLayout {
			t.Errorf("key %s: %v", key, err)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" || len(want) != 16 {
		t.Errorf("objects (-want +got):\n%s", diff)
	}
}

func TestS3Refusals(t *testing.T) {
	server := StartS3(t)
	root := as(t, server.URL, RootKey, RootSecret, s3.Timeouts{})
	parts := batch(t, s3Destination(t, root, nil), 10)

	check := func(name string, e *deliver.Error, kind deliver.Kind, code, hint string) {
		t.Helper()
		if e.Kind != kind || !strings.Contains(e.Error(), code) || !strings.Contains(e.Hint(), hint) || strings.Contains(e.Error(), "operation error") {
			t.Errorf("%s: %v (%s), hint %q", name, e, e.Kind, e.Hint())
		}
	}
	check("no bucket", refused(t, parts[0]), deliver.Access, "NoSuchBucket", "make the bucket")
	if _, ok := errors.AsType[*s3.MissingError](root.Probe(t.Context())); !ok {
		t.Errorf("probe: %v", root.Probe(t.Context()))
	}
	server.makeBucket(t)
	if err := root.Probe(t.Context()); err != nil {
		t.Error(err)
	}
	if _, err := parts[0].Send(t.Context()); err != nil {
		t.Errorf("with the bucket: %v", err)
	}

	for name, c := range map[string]struct{ key, secret, code, hint string }{
		"wrong key":    {"AKIDNOBODY", RootSecret, "InvalidAccessKeyId", "access key"},
		"wrong secret": {RootKey, "wrong", "SignatureDoesNotMatch", "secret"},
	} {
		b := as(t, server.URL, c.key, c.secret, s3.Timeouts{})
		check(name, refused(t, batch(t, s3Destination(t, b, nil), 1)[0]), deliver.Access, c.code, c.hint)
		if _, ok := errors.AsType[*s3.DeniedError](b.Probe(t.Context())); !ok {
			t.Errorf("%s: probe: %v", name, b.Probe(t.Context()))
		}
	}

	// A user without rights, and what a policy gives.
	server.AddUser(t, "AKIDUSER", "usersecret")
	user := as(t, server.URL, "AKIDUSER", "usersecret", s3.Timeouts{})
	userParts := batch(t, s3Destination(t, user, func(o *s3.Options) { o.FlowLogID = "fl-user" }), 10)
	check("no policy", refused(t, userParts[0]), deliver.Access, "AccessDenied", "allow s3:PutObject")
	policy := func(effect string) {
		t.Helper()
		document := fmt.Sprintf(`{"Version":"2012-10-17","Statement":[
			{"Effect":"Allow","Principal":{"AWS":["AKIDUSER"]},"Action":["s3:PutObject","s3:PutObjectAcl"],"Resource":"arn:aws:s3:::%[1]s/*"},
			{"Effect":"Allow","Principal":{"AWS":["AKIDUSER"]},"Action":"s3:ListBucket","Resource":"arn:aws:s3:::%[1]s"},
			{"Effect":%[2]q,"Principal":{"AWS":["AKIDUSER"]},"Action":"s3:PutObject","Resource":"arn:aws:s3:::%[1]s/AWSLogs/*"}]}`, bucketName, effect)
		if _, err := server.client().PutBucketPolicy(t.Context(), &sdk.PutBucketPolicyInput{Bucket: aws.String(bucketName), Policy: &document}); err != nil {
			t.Fatal(err)
		}
	}
	policy("Deny")
	check("denied by policy", refused(t, userParts[0]), deliver.Access, "AccessDenied", "allow s3:PutObject")
	policy("Allow")
	if err := user.Probe(t.Context()); err != nil {
		t.Errorf("allowed by policy: %v", err)
	}
	sendAll(t, userParts)

	// The bucket goes in the middle, and comes back.
	for key := range server.objects(t) {
		if _, err := server.client().DeleteObject(t.Context(), &sdk.DeleteObjectInput{Bucket: aws.String(bucketName), Key: &key}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := server.client().DeleteBucket(t.Context(), &sdk.DeleteBucketInput{Bucket: aws.String(bucketName)}); err != nil {
		t.Fatal(err)
	}
	check("bucket removed", refused(t, parts[1]), deliver.Access, "NoSuchBucket", "make the bucket")
	server.makeBucket(t)
	sendAll(t, parts)
	if n := lines(t, server.objects(t)); n != 5 {
		t.Errorf("%d records, want the 5 of the second object", n)
	}
}

// A server that dies loses nothing: what was under way is sent again, under the
// same name.
func TestS3Restart(t *testing.T) {
	server := StartS3(t)
	server.makeBucket(t)
	d := s3Destination(t, as(t, server.URL, RootKey, RootSecret, s3.Timeouts{}), func(o *s3.Options) { o.MaxObject = 8_000 })
	const n = 6_000
	parts := batch(t, d, n)
	if len(parts) < 10 {
		t.Fatalf("%d parts", len(parts))
	}
	var wg sync.WaitGroup
	for i, p := range parts {
		if i == 3 {
			wg.Go(server.Kill) // while others are sent
		}
		if _, err := p.Send(t.Context()); err != nil && i < 3 {
			t.Error(err)
		} else if err != nil {
			break
		}
	}
	wg.Wait()
	e := refused(t, batch(t, d, 10)[0])
	if !strings.Contains(e.Error(), "connection refused") || !strings.Contains(e.Hint(), "is up") || e.Kind != deliver.Unknown {
		t.Errorf("error %v, hint %q", e, e.Hint())
	}
	server.Start(t)
	for _, p := range batch(t, d, n) { // made again, as after a crash of ours: nothing is known to be there
		if _, err := p.Send(t.Context()); err != nil {
			t.Error(err)
		}
	}
	objects := server.objects(t)
	if got := lines(t, objects); got != n || len(objects) != len(parts) {
		t.Errorf("%d records in %d objects, want %d in %d", got, len(objects), n, len(parts))
	}
}

func TestS3Faults(t *testing.T) {
	server := StartS3(t)
	server.makeBucket(t)
	proxy, err := faults.Listen("127.0.0.1:0", server.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer proxy.Close()
	limits := s3.Timeouts{Answer: 200 * time.Millisecond, Call: 400 * time.Millisecond}
	b := as(t, proxy.URL(), RootKey, RootSecret, limits)
	const each = 2_000
	var want int
	for i, c := range []struct {
		mode faults.Mode
		kind deliver.Kind
		err  string
		done bool // the server has the object although the sender does not know
	}{
		{faults.S3Error(503, "SlowDown", "Please reduce your request rate.").RetryAfter(3 * time.Second), deliver.Rate, "SlowDown: Please reduce", false},
		{faults.S3Error(403, "AccessDenied", "Access Denied"), deliver.Access, "AccessDenied: Access Denied", false},
		{faults.Refuse(), deliver.Unknown, "", false},
		{faults.Hang(), deliver.Unknown, "", false},
		{faults.Withhold(), deliver.Unknown, "", true},
		{faults.CutRequest(1000), deliver.Unknown, "", false},
		{faults.CutRequest(1 << 20), deliver.Unknown, "", true},
		{faults.CutResponse(0), deliver.Unknown, "", true},
	} {
		name := c.mode.String()
		d := s3Destination(t, b, func(o *s3.Options) { o.FlowLogID = fmt.Sprintf("fl-%d", i) })
		e := d.Begin(deliver.Begin{})
		for j := range each {
			e.Add(ended(i*each+j, noon))
		}
		parts, err := e.Finish()
		if err != nil || len(parts) != 1 {
			t.Fatal(len(parts), err)
		}
		before := len(server.objects(t))
		proxy.Set(c.mode)
		failure := refused(t, parts[0])
		proxy.Set(faults.Pass())
		if failure.Kind != c.kind || !strings.Contains(failure.Error(), c.err) || strings.Contains(failure.Error(), "StatusCode") || failure.Hint() == "" {
			t.Errorf("%s: %v (%s), hint %q", name, failure, failure.Kind, failure.Hint())
		}
		if (failure.After == 3*time.Second) != (c.kind == deliver.Rate) {
			t.Errorf("%s: after %s", name, failure.After)
		}
		if after := len(server.objects(t)); (after > before) != c.done {
			t.Errorf("%s: %d objects before and %d after", name, before, after)
		}
		sendAll(t, parts)
		want += each
		if got := lines(t, server.objects(t)); got != want {
			t.Errorf("%s: %d records then, want %d", name, got, want)
		}
	}
	if left, err := filepath.Glob(filepath.Join(server.Dir, bucketName, "*.tmp*")); err != nil || len(left) > 0 {
		t.Errorf("the server keeps %v, %v", left, err)
	}
}
