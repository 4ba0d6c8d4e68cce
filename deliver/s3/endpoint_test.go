package s3_test

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"encoding/pem"
	"errors"
	"hash/crc32"
	"io"
	"log"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"weir/deliver"
	"weir/deliver/internal/awstest"
	"weir/deliver/s3"
	"weir/flowlog"
)

// fixed are credentials without a chain.
var fixed = aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
	return aws.Credentials{AccessKeyID: "AKIDEXAMPLE", SecretAccessKey: "secret"}, nil
})

// recorder is a service that takes everything, or answers what it is told.
type recorder struct {
	*httptest.Server
	answer http.HandlerFunc // nil is 200

	mu   sync.Mutex
	seen []*http.Request
	body []byte // of the last
}

func record(t *testing.T, answer http.HandlerFunc) *recorder {
	r := &recorder{answer: answer}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		body, _ := io.ReadAll(q.Body)
		r.mu.Lock()
		r.seen, r.body = append(r.seen, q), body
		r.mu.Unlock()
		if r.answer != nil {
			r.answer(w, q)
		}
	}))
	t.Cleanup(r.Close)
	return r
}

func (r *recorder) requests() []*http.Request {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.seen
}

// alone keeps the SDK's chain away from the machine it runs on, and leaves it
// without credentials and region.
func alone(t *testing.T) {
	t.Helper()
	awstest.Env(t)
	awstest.NoCredentials(t)
	t.Setenv("AWS_REGION", "")
}

func open(t *testing.T, cfg s3.EndpointConfig) *s3.Endpoint {
	t.Helper()
	e, err := s3.OpenEndpoint(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	return e
}

// put sends one small object.
func put(t *testing.T, b s3.Bucket, encoding flowlog.Encoding) (string, error) {
	t.Helper()
	o := options(b)
	o.Encoding = encoding
	r, err := encode(t, destination(t, o), deliver.Begin{}, ended(1, noon))[0].Send(t.Context())
	return r.Name, err
}

func TestPutObject(t *testing.T) {
	alone(t)
	service := record(t, nil)
	key, err := put(t, open(t, s3.EndpointConfig{URL: service.URL, Credentials: fixed}).Bucket("my-bucket"), flowlog.Text)
	if err != nil {
		t.Fatal(err)
	}
	if len(service.requests()) != 1 {
		t.Fatalf("%d requests, want 1", len(service.requests()))
	}
	r := service.requests()[0]
	if r.Method != http.MethodPut || r.URL.Path != "/my-bucket/"+key || "http://"+r.Host != service.URL {
		t.Errorf("%s %s%s", r.Method, r.Host, r.URL)
	}
	sum := base64.StdEncoding.EncodeToString(binary.BigEndian.AppendUint32(nil, crc32.ChecksumIEEE(service.body)))
	for name, want := range map[string]string{
		"X-Amz-Acl": "bucket-owner-full-control", "Content-Type": "application/gzip", "X-Amz-Checksum-Crc32": sum,
		"Content-Length":   strconv.Itoa(len(service.body)),
		"Content-Encoding": "", "X-Amz-Trailer": "", "X-Amz-Server-Side-Encryption": "", "X-Amz-Storage-Class": "",
	} {
		if got := r.Header.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if ua := r.UserAgent(); !strings.Contains(ua, " weir") {
		t.Errorf("user agent %q", ua)
	}
	if a := r.Header.Get("Authorization"); !strings.Contains(a, "/us-east-1/s3/aws4_request") {
		t.Errorf("authorization %q", a)
	}
	if lines := inflate(t, service.body); len(lines) != 2 {
		t.Errorf("%d lines", len(lines))
	}
}

func TestPutObjectOptions(t *testing.T) {
	alone(t)
	service := record(t, nil)
	e := open(t, s3.EndpointConfig{
		URL: service.URL, Region: "eu-central-1", Credentials: fixed, NoACL: true,
		Encryption: "aws:kms", KMSKeyID: "arn:aws:kms:eu-central-1:123456789012:key/1", BucketKey: true, StorageClass: "STANDARD_IA",
	})
	if _, err := put(t, e.Bucket("b"), flowlog.Parquet); err != nil {
		t.Fatal(err)
	}
	r := service.requests()[0]
	for name, want := range map[string]string{
		"X-Amz-Acl": "", "Content-Type": "application/vnd.apache.parquet", "X-Amz-Server-Side-Encryption": "aws:kms",
		"X-Amz-Server-Side-Encryption-Aws-Kms-Key-Id":     "arn:aws:kms:eu-central-1:123456789012:key/1",
		"X-Amz-Server-Side-Encryption-Bucket-Key-Enabled": "true", "X-Amz-Storage-Class": "STANDARD_IA",
	} {
		if got := r.Header.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if a := r.Header.Get("Authorization"); !strings.Contains(a, "/eu-central-1/s3/") {
		t.Errorf("authorization %q", a)
	}
}

// The bucket's name stands before the host of AWS, and of others on request.
func TestVirtualHost(t *testing.T) {
	alone(t)
	service := record(t, nil)
	for want, cfg := range map[string]s3.EndpointConfig{
		"my-bucket.s3.example.net:8080":            {URL: "http://s3.example.net:8080", VirtualHost: true, Credentials: fixed},
		"my-bucket.s3.eu-west-1.amazonaws.com":     {Region: "eu-west-1", Credentials: fixed},
		"my-bucket.s3.us-east-1.amazonaws.com":     {Region: "us-east-1", Credentials: fixed},
		"my-bucket.s3.cn-north-1.amazonaws.com.cn": {Region: "cn-north-1", Credentials: fixed},
	} {
		e := open(t, cfg)
		e.DialTo(strings.TrimPrefix(service.URL, "http://"))
		key, err := put(t, e.Bucket("my-bucket"), flowlog.Text)
		if err != nil {
			t.Fatal(err)
		}
		all := service.requests()
		if r := all[len(all)-1]; r.Host != want || r.URL.Path != "/"+key {
			t.Errorf("%s %s, want %s", r.Host, r.URL.Path, want)
		}
	}
}

func TestProfile(t *testing.T) {
	alone(t)
	service := record(t, nil)
	file := t.TempDir() + "/config"
	write(t, file, "[profile flow]\nregion = ap-south-1\naws_access_key_id = AKIDPROFILE\naws_secret_access_key = s\n")
	t.Setenv("AWS_CONFIG_FILE", file)
	if _, err := put(t, open(t, s3.EndpointConfig{URL: service.URL, Profile: "flow"}).Bucket("b"), flowlog.Text); err != nil {
		t.Fatal(err)
	}
	if a := service.requests()[0].Header.Get("Authorization"); !strings.Contains(a, "AKIDPROFILE/") || !strings.Contains(a, "/ap-south-1/") {
		t.Errorf("authorization %q", a)
	}
	if _, err := s3.OpenEndpoint(t.Context(), s3.EndpointConfig{Profile: "nobody"}); err == nil || !strings.Contains(err.Error(), "nobody") {
		t.Errorf("error %v", err)
	}
}

func TestAnswers(t *testing.T) {
	alone(t)
	xml := func(code, message string) string {
		return "<Error><Code>" + code + "</Code><Message>" + message + "</Message><RequestId>4442587FB7D0A2F9</RequestId></Error>"
	}
	for name, c := range map[string]struct {
		status int
		header http.Header
		body   string
		kind   deliver.Kind
		err    string
		hint   string
		calls  int
	}{
		"denied":      {403, nil, xml("AccessDenied", "Access Denied"), deliver.Access, "AccessDenied: Access Denied (request 4442587FB7D0A2F9)", "allow s3:PutObject", 1},
		"key":         {403, nil, xml("InvalidAccessKeyId", "It does not exist."), deliver.Access, "InvalidAccessKeyId: It does not exist (", "access key", 1},
		"secret":      {403, nil, xml("SignatureDoesNotMatch", "No."), deliver.Access, "SignatureDoesNotMatch: No (", "secret", 1},
		"bucket":      {404, nil, xml("NoSuchBucket", "The specified bucket does not exist"), deliver.Access, "NoSuchBucket: The specified", "make the bucket b", 1},
		"expired":     {400, nil, xml("ExpiredToken", "x"), deliver.Access, "ExpiredToken: x (", "renew", 1},
		"slow":        {503, http.Header{"Retry-After": {"7"}}, xml("SlowDown", "Please reduce your request rate."), deliver.Rate, "SlowDown: Please reduce your request rate (", "again", 1},
		"too many":    {429, nil, "", deliver.Rate, "HTTP status 429 Too Many Requests", "again", 1},
		"throttled":   {400, nil, xml("ThrottlingException", "x"), deliver.Rate, "ThrottlingException", "", 1},
		"unavailable": {503, nil, "<html>no</html>", deliver.Rate, "HTTP status 503 Service Unavailable", "", 1},
		"internal":    {500, nil, xml("InternalError", "We encountered an internal error."), deliver.Unknown, "InternalError: We encountered an internal error (", "", 1},
		"skew":        {403, nil, xml("RequestTimeTooSkewed", "x"), deliver.Access, "RequestTimeTooSkewed: x", "clock", 2},
		"region":      {301, http.Header{"X-Amz-Bucket-Region": {"eu-west-1"}}, xml("PermanentRedirect", "x"), deliver.Unknown, "PermanentRedirect: x", "eu-west-1", 1},
		"acl":         {400, nil, xml("AccessControlListNotSupported", "The bucket does not allow ACLs"), deliver.Access, "AccessControl", "x-amz-acl", 1},
		"kms":         {400, nil, xml("KMS.DisabledException", "x"), deliver.Access, "KMS.", "KMS key", 1},
		"full":        {507, nil, "", deliver.Unknown, "HTTP status 507 Insufficient Storage", "no room", 1},
	} {
		t.Run(name, func(t *testing.T) {
			service := record(t, func(w http.ResponseWriter, _ *http.Request) {
				maps.Copy(w.Header(), c.header)
				w.WriteHeader(c.status)
				_, _ = io.WriteString(w, c.body)
			})
			_, err := put(t, open(t, s3.EndpointConfig{URL: service.URL, Credentials: fixed}).Bucket("b"), flowlog.Text)
			e, ok := errors.AsType[*deliver.Error](err)
			if !ok || !strings.HasPrefix(e.Err.Error(), c.err) || e.Kind != c.kind || !strings.Contains(e.Hint(), c.hint) {
				t.Fatalf("error %v (%+v)", err, e)
			}
			if !strings.HasPrefix(e.Target, "s3://b/AWSLogs/") || e.Op != "put an object" || strings.Contains(err.Error(), "https response") {
				t.Errorf("error %v", err)
			}
			if want := map[string]time.Duration{"slow": 7 * time.Second}[name]; e.After != want {
				t.Errorf("after %s, want %s", e.After, want)
			}
			if got := len(service.requests()); got != c.calls {
				t.Errorf("%d calls, want %d", got, c.calls)
			}
		})
	}
}

func TestProbe(t *testing.T) {
	alone(t)
	for status, want := range map[int]string{
		200: "",
		403: "Access Denied for LogDestination: b. Please check LogDestination permission",
		404: "LogDestination: b does not exist",
	} {
		service := record(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) })
		err := destination(t, options(open(t, s3.EndpointConfig{URL: service.URL, Credentials: fixed}).Bucket("b"))).Probe(t.Context())
		e, ok := errors.AsType[*deliver.Error](err)
		if ok != (want != "") || ok && (e.Err.Error() != want || e.Kind != deliver.Access || e.Hint() == "") {
			t.Errorf("%d: %v", status, err)
		}
		if r := service.requests()[0]; r.Method != http.MethodHead || r.URL.Path != "/b" {
			t.Errorf("%s %s", r.Method, r.URL)
		}
	}
}

func TestNoCredentials(t *testing.T) {
	alone(t)
	_, err := put(t, open(t, s3.EndpointConfig{URL: "http://127.0.0.1:1"}).Bucket("b"), flowlog.Text)
	e, ok := errors.AsType[*deliver.Error](err)
	if !ok || e.Kind != deliver.Access || !strings.HasPrefix(e.Err.Error(), "no credentials: ") || !strings.Contains(e.Hint(), "AWS_ACCESS_KEY_ID") {
		t.Errorf("error %v", err)
	}
}

func TestUnreachable(t *testing.T) {
	alone(t)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	url := "http://" + listener.Addr().String()
	listener.Close()
	_, err = put(t, open(t, s3.EndpointConfig{URL: url, Credentials: fixed}).Bucket("b"), flowlog.Text)
	e, ok := errors.AsType[*deliver.Error](err)
	if !ok || e.Kind != deliver.Unknown || !strings.HasSuffix(err.Error(), "connect: connection refused") || !strings.Contains(e.Hint(), url) {
		t.Errorf("error %v, hint %q", err, e.Hint())
	}
	if len(err.Error()) > 300 {
		t.Errorf("error of %d bytes: %v", len(err.Error()), err)
	}
}

// Over TLS, too, the body goes as it is: not in chunks with a checksum behind
// them, which the SDK would like and not every service takes.
func TestTLS(t *testing.T) {
	alone(t)
	service := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Content-Encoding") != "" || r.Header.Get("X-Amz-Checksum-Crc32") == "" || r.ContentLength <= 0 {
			w.WriteHeader(http.StatusBadRequest)
		}
	}))
	defer service.Close()
	service.Config.ErrorLog = log.New(io.Discard, "", 0)
	_, err := put(t, open(t, s3.EndpointConfig{URL: service.URL, Credentials: fixed}).Bucket("b"), flowlog.Text)
	if e, ok := errors.AsType[*deliver.Error](err); !ok || !strings.Contains(err.Error(), "unknown authority") || !strings.Contains(e.Hint(), "AWS_CA_BUNDLE") {
		t.Errorf("error %v", err)
	}
	file := t.TempDir() + "/ca.pem"
	write(t, file, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: service.Certificate().Raw})))
	t.Setenv("AWS_CA_BUNDLE", file)
	if _, err := put(t, open(t, s3.EndpointConfig{URL: service.URL, Credentials: fixed}).Bucket("b"), flowlog.Text); err != nil {
		t.Error(err)
	}
}

// Flow logs share an endpoint, and its connections.
func TestShared(t *testing.T) {
	alone(t)
	service := record(t, nil)
	e := open(t, s3.EndpointConfig{URL: service.URL, Credentials: fixed, Connections: 3})
	var wg sync.WaitGroup
	for i := range 30 {
		wg.Go(func() {
			o := options(e.Bucket("b"))
			o.FlowLogID = "fl-" + strconv.Itoa(i)
			parts := encode(t, destination(t, o), deliver.Begin{}, ended(i, noon))
			if _, err := parts[0].Send(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	connections := map[string]bool{}
	for _, r := range service.requests() {
		connections[r.RemoteAddr] = true
	}
	if n := len(service.requests()); n != 30 || len(connections) > 3 {
		t.Errorf("%d requests by %d connections, want 30 by at most 3", n, len(connections))
	}
}

func TestTimeouts(t *testing.T) {
	alone(t)
	hold := make(chan struct{})
	service := record(t, func(http.ResponseWriter, *http.Request) { <-hold })
	defer close(hold)
	for name, c := range map[string]struct {
		limits s3.Timeouts
		want   string
	}{
		"answer": {s3.Timeouts{Answer: 20 * time.Millisecond}, "timeout awaiting response headers"},
		"call":   {s3.Timeouts{Call: 20 * time.Millisecond}, "no answer within 20ms"},
	} {
		before := len(service.requests())
		_, err := put(t, open(t, s3.EndpointConfig{URL: service.URL, Credentials: fixed, Timeouts: c.limits}).Bucket("b"), flowlog.Text)
		if e, ok := errors.AsType[*deliver.Error](err); !ok || !strings.Contains(err.Error(), c.want) || e.Hint() == "" {
			t.Errorf("%s: %v", name, err)
		}
		if n := len(service.requests()) - before; n > 1 {
			t.Errorf("%s: %d calls", name, n)
		}
	}
	// What the caller gives up is the caller's error.
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	parts := encode(t, destination(t, options(open(t, s3.EndpointConfig{URL: service.URL, Credentials: fixed}).Bucket("b"))), deliver.Begin{}, ended(1, noon))
	if _, err := parts[0].Send(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error %v", err)
	} else if _, ok := errors.AsType[*deliver.Error](err); ok {
		t.Errorf("error %v is not the caller's", err)
	}
}

func TestOpenEndpointRefuses(t *testing.T) {
	alone(t)
	for name, c := range map[string]struct {
		cfg  s3.EndpointConfig
		want string
	}{
		"no scheme":          {s3.EndpointConfig{URL: "localhost:9000"}, "want http://host:port"},
		"password":           {s3.EndpointConfig{URL: "http://u:secret@h"}, "u:xxxxx@h"},
		"encryption":         {s3.EndpointConfig{Encryption: "aes"}, "want AES256"},
		"key without kms":    {s3.EndpointConfig{KMSKeyID: "k"}, "aws:kms only"},
		"AWS without region": {s3.EndpointConfig{}, "no region"},
	} {
		if _, err := s3.OpenEndpoint(t.Context(), c.cfg); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
