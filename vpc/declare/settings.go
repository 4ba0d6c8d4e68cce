package declare

import (
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"time"
	"unicode"
)

// Settings are what a file says about destinations and the journal. What it does
// not say is zero: defaults are those of who uses them.
type Settings struct {
	S3       S3
	Logs     Service
	Firehose Service
	Journal  Journal
}

// AWS stands in Endpoint for the endpoint that AWS's SDK chooses for the region.
const AWS = "aws"

// Service says how a service is reached. Credentials are those that AWS's SDK
// finds: environment, profile, web identity, container, instance.
type Service struct {
	Endpoint string // a URL, or AWS; empty: not said
	Region   string
	Profile  string // of ~/.aws
}

// S3 says where buckets are. Without an Endpoint they are directories on this
// host, and of the rest only PublishEvery and MaxObject are set.
type S3 struct {
	Service
	VirtualHost  bool          // "path-style: false": the bucket stands in the host's name
	NoACL        bool          // "acl: none": no header x-amz-acl
	SSE          string        // x-amz-server-side-encryption; empty: the bucket's default
	KMSKeyID     string        // with SSE aws:kms or aws:kms:dsse
	StorageClass string        // x-amz-storage-class; empty: STANDARD
	PublishEvery time.Duration // how often objects are published; 0: not said
	MaxObject    int64         // compressed bytes after which an object ends; 0: not said
}

// Remote reports whether buckets are behind an endpoint.
func (s *S3) Remote() bool { return s.Endpoint != "" }

// Journal says where counts are kept until they are delivered.
type Journal struct {
	URLs []string // of NATS servers; none: the one that is built in
	Name string   // what streams, buckets and subjects begin with

	// At most one way to log in is set: Credentials; User with PasswordFile;
	// TokenFile; NKey. All but User are paths of files, absolute.
	Credentials  string // JWT and seed
	User         string
	PasswordFile string
	TokenFile    string
	NKey         string // seed of an nkey
	TLS          TLS

	MaxBytes int64         // 0: not said
	MaxAge   time.Duration // counts that wait longer are given up; 0: never
}

// TLS is paths of PEM files, absolute; empty ones are not said.
type TLS struct {
	CA        string // of authorities to trust instead of the system's
	Cert, Key string // to show to the server; both or none
}

// Bounds of what a file may set.
const (
	minPublish, maxPublish = time.Second, 24 * time.Hour
	// An object travels in one call, which S3 takes up to 5 GB of.
	minObject, maxObject = int64(64 << 10), int64(5e9)
	minJournal           = int64(64 << 20)
	maxJournal           = int64(1 << 50)
	minAge, maxAge       = time.Minute, 3650 * 24 * time.Hour
)

func (d *decoder) settings(f *File, n *node) {
	f.MostSpecific = d.choice(n, "precedence", "all", "most-specific") == "most-specific"
	if v := n.get("destinations"); v != nil && d.object(v, "destinations", "s3", "logs", "firehose") {
		if s := v.get("s3"); s != nil {
			f.Settings.S3 = d.s3(s)
		}
		f.Settings.Logs = d.service(v, "logs")
		f.Settings.Firehose = d.service(v, "firehose")
	}
	if v := n.get("journal"); v != nil {
		f.Settings.Journal = d.journal(v)
	}
}

func (d *decoder) service(n *node, key string) Service {
	v := n.get(key)
	if v == nil || !d.object(v, key, "endpoint", "region", "profile") {
		return Service{}
	}
	return d.reached(v)
}

// reached reads how a service is reached.
func (d *decoder) reached(n *node) Service {
	s := Service{Region: d.name(n, "region"), Profile: d.text(n, "profile")}
	v := n.get("endpoint")
	if v == nil {
		return s
	}
	if s.Endpoint = d.word(v); s.Endpoint != AWS && s.Endpoint != "" {
		u, ok := d.url(v, "write http://host:port, https://host, or "+AWS+" for AWS itself", "http", "https")
		if !ok || u.RawQuery != "" || u.Fragment != "" {
			if ok {
				d.add(v, "", "the endpoint has more than a host and a path")
			}
			s.Endpoint = ""
		}
	}
	return s
}

// name is the key's word: letters, digits, hyphens and underscores.
func (d *decoder) name(n *node, key string) string {
	s := d.text(n, key)
	if strings.ContainsFunc(s, func(r rune) bool { return r != '-' && r != '_' && !unicode.IsLetter(r) && !unicode.IsDigit(r) }) {
		d.add(n.get(key), "", "%q is not a name: letters, digits, - and _", shorten(s))
		return ""
	}
	return s
}

// url is a URL of some schemes, with a host, and without a secret: a file is read
// by many.
func (d *decoder) url(v *node, hint string, schemes ...string) (*url.URL, bool) {
	s := d.word(v)
	if s == "" {
		return nil, false
	}
	u, err := url.Parse(s)
	switch {
	case err != nil || u.Host == "" || u.Hostname() == "" || !slices.Contains(schemes, u.Scheme):
		if strings.ContainsRune(s, '@') {
			s = s[strings.LastIndexByte(s, '@'):] // a secret may stand before it
		}
		d.add(v, hint, "%q is not such a URL", shorten(s))
	case u.User != nil:
		d.add(v, "name a file that holds it", "the URL has a user or a secret in it")
	default:
		return u, true
	}
	return nil, false
}

// storageClasses are S3's (Amazon S3 API Reference, PutObject) that flow logs can
// be written to.
var storageClasses = []string{
	"STANDARD", "STANDARD_IA", "ONEZONE_IA", "INTELLIGENT_TIERING", "REDUCED_REDUNDANCY", "GLACIER_IR", "GLACIER", "DEEP_ARCHIVE", "EXPRESS_ONEZONE",
}

func (d *decoder) s3(n *node) S3 {
	if !d.object(n, "s3", "endpoint", "region", "profile", "path-style", "acl", "sse", "kms-key-id", "storage-class", "publish-every", "max-object") {
		return S3{}
	}
	s := S3{
		Service:      d.reached(n),
		VirtualHost:  n.get("path-style") != nil && !d.flag(n, "path-style"),
		NoACL:        d.choice(n, "acl", "bucket-owner-full-control", "none") == "none",
		SSE:          d.choice(n, "sse", "AES256", "aws:kms", "aws:kms:dsse"),
		KMSKeyID:     d.text(n, "kms-key-id"),
		StorageClass: d.choice(n, "storage-class", storageClasses...),
		PublishEvery: d.duration(n, "publish-every", minPublish, maxPublish),
		MaxObject:    d.size(n, "max-object", minObject, maxObject),
	}
	if n.get("endpoint") == nil {
		for _, key := range []string{"region", "profile", "path-style", "acl", "sse", "kms-key-id", "storage-class"} {
			if v := n.get(key); v != nil {
				d.add(v, "endpoint: a URL, or "+AWS+" for AWS itself; without one, buckets are directories on this host", "%s says nothing without an endpoint", key)
			}
		}
	}
	if v := n.get("path-style"); v != nil && s.Endpoint == AWS && !s.VirtualHost {
		d.add(v, "leave it out", "AWS has the bucket in the host's name")
	}
	if v := n.get("kms-key-id"); v != nil && !strings.HasPrefix(s.SSE, "aws:kms") {
		d.add(v, "sse: aws:kms", "the key is of use with encryption by KMS only")
	}
	return s
}

func (d *decoder) journal(n *node) Journal {
	if !d.object(n, "the journal", "url", "name", "credentials", "user", "password-file", "token-file", "nkey", "tls", "max-bytes", "max-age") {
		return Journal{}
	}
	j := Journal{
		Name:        d.name(n, "name"),
		Credentials: d.path(n, "credentials"), User: d.text(n, "user"), PasswordFile: d.path(n, "password-file"),
		TokenFile: d.path(n, "token-file"), NKey: d.path(n, "nkey"),
		MaxBytes: d.size(n, "max-bytes", minJournal, maxJournal),
		MaxAge:   d.duration(n, "max-age", minAge, maxAge),
	}
	for _, v := range d.list(n, "url") {
		if _, ok := d.url(v, "write nats://host:4222 or tls://host:4222", "nats", "tls", "ws", "wss"); ok {
			j.URLs = append(j.URLs, v.text)
		}
	}
	if v := n.get("tls"); v != nil && d.object(v, "tls", "ca", "cert", "key") {
		j.TLS = TLS{CA: d.path(v, "ca"), Cert: d.path(v, "cert"), Key: d.path(v, "key")}
		if (v.get("cert") == nil) != (v.get("key") == nil) {
			d.add(v, "", "a certificate needs its key, and a key its certificate")
		}
	}
	d.login(n)
	return j
}

// login checks that there is at most one way to log in, to a server by URL.
func (d *decoder) login(n *node) {
	first := ""
	for _, key := range []string{"credentials", "user", "token-file", "nkey"} {
		v := n.get(key)
		switch {
		case v == nil:
		case first != "":
			d.add(v, "", "%s is a second way to log in, beside %s", key, first)
		default:
			first = key
		}
	}
	user, password := n.get("user"), n.get("password-file")
	switch {
	case user != nil && password == nil:
		d.add(user, "password-file: a file that holds the password alone", "the user has no password")
	case user == nil && password != nil:
		d.add(password, "", "the password is nobody's: user is missing")
	}
	if n.get("url") != nil {
		return
	}
	for _, key := range []string{"credentials", "user", "password-file", "token-file", "nkey", "tls"} {
		if v := n.get(key); v != nil {
			d.add(v, "url: nats://host:4222; without one, the server is built in and has no door", "%s says nothing without a url", key)
		}
	}
}

// path is the key's file. It must be absolute: what a running Weir reads must not
// depend on where it was started. A secret itself in its place is told by its
// form, and not repeated.
func (d *decoder) path(n *node, key string) string {
	s := d.text(n, key)
	if s == "" || filepath.IsAbs(s) {
		return s
	}
	if !strings.ContainsRune(s, '/') {
		d.add(n.get(key), "write the path of a file, beginning with /", "the value is not the path of a file")
		return ""
	}
	d.add(n.get(key), "begin it with /", "%q is not an absolute path", shorten(s))
	return ""
}
