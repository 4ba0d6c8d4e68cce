package journal

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// peer is a place where a journal can lie.
type peer struct {
	cfg Config
	// restart ends the server and starts it again on the same files; nil when it
	// is inside.
	restart func()
	stop    func()
	store   string // the server's directory
	start   func()
}

// peers are the kinds of them; each test of the journal runs against all.
var peers = []struct {
	name string
	make func(t testing.TB) *peer
}{
	{"inside", func(t testing.TB) *peer { return &peer{cfg: Config{Dir: t.TempDir()}} }},
	{"by URL", func(t testing.TB) *peer { return byURL(t, &server.Options{}) }},
	{"by URL with TLS and a user", func(t testing.TB) *peer {
		files := certificates(t)
		tlsConfig, err := server.GenTLSConfig(&server.TLSConfigOpts{
			CertFile: files.serverCert, KeyFile: files.serverKey, CaFile: files.authority, Verify: true, Timeout: 5,
		})
		if err != nil {
			t.Fatal(err)
		}
		p := byURL(t, &server.Options{TLS: true, TLSConfig: tlsConfig, TLSTimeout: 5, Users: []*server.User{{
			Username: "weir", Password: "water",
			// As docs/journal.md says.
			Permissions: &server.Permissions{
				Publish:   &server.SubjectPermission{Allow: []string{"weir.>", "$KV.weir-catalogue.>", "$JS.API.>", "$JS.FC.>"}},
				Subscribe: &server.SubjectPermission{Allow: []string{"weir.news", "_INBOX.>"}},
			},
		}}})
		p.cfg.User, p.cfg.Password = "weir", "water"
		p.cfg.CAFile, p.cfg.CertFile, p.cfg.KeyFile = files.authority, files.clientCert, files.clientKey
		return p
	}},
}

// byURL starts a server on the loopback, which ends with the test.
func byURL(t testing.TB, o *server.Options) *peer {
	t.Helper()
	o.Host, o.Port, o.NoSigs, o.NoLog = "127.0.0.1", server.RANDOM_PORT, true, true
	o.JetStream, o.StoreDir, o.NoSystemAccount = true, t.TempDir(), true
	p := &peer{store: o.StoreDir}
	var srv *server.Server
	p.start = func() {
		var err error
		if srv, err = server.NewServer(o.Clone()); err != nil {
			t.Fatal(err)
		}
		srv.Start()
		if !srv.ReadyForConnections(10 * time.Second) {
			t.Fatal("the NATS server does not come up")
		}
		o.Port = srv.Addr().(*net.TCPAddr).Port
	}
	p.stop = func() {
		srv.Shutdown()
		srv.WaitForShutdown()
	}
	p.restart = func() {
		p.stop()
		p.start()
	}
	p.start()
	t.Cleanup(p.stop)
	p.cfg.URL = srv.ClientURL()
	return p
}

// forEachPeer runs a test against every peer.
func forEachPeer(t *testing.T, f func(t *testing.T, p *peer)) {
	for _, kind := range peers {
		t.Run(kind.name, func(t *testing.T) {
			t.Parallel()
			f(t, kind.make(t))
		})
	}
}

type certFiles struct{ authority, serverCert, serverKey, clientCert, clientKey string }

// certificates makes an authority, and a server and a client that it vouches for.
func certificates(t testing.TB) certFiles {
	t.Helper()
	dir := t.TempDir()
	ca := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "authority"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageCertSign,
	}
	caKey, caDER := sign(t, ca, nil, nil)
	parent, err := x509.ParseCertificate(caDER)
	if err != nil {
		t.Fatal(err)
	}
	files := certFiles{authority: filepath.Join(dir, "ca.pem")}
	writePEM(t, files.authority, "CERTIFICATE", caDER)
	issue := func(name string, usage x509.ExtKeyUsage) (cert, key string) {
		k, der := sign(t, &x509.Certificate{
			SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: name}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
			NotBefore: ca.NotBefore, NotAfter: ca.NotAfter, KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{usage},
		}, parent, caKey)
		keyDER, err := x509.MarshalECPrivateKey(k)
		if err != nil {
			t.Fatal(err)
		}
		cert, key = filepath.Join(dir, name+".pem"), filepath.Join(dir, name+"-key.pem")
		writePEM(t, cert, "CERTIFICATE", der)
		writePEM(t, key, "EC PRIVATE KEY", keyDER)
		if _, err := tls.LoadX509KeyPair(cert, key); err != nil {
			t.Fatal(err)
		}
		return cert, key
	}
	files.serverCert, files.serverKey = issue("server", x509.ExtKeyUsageServerAuth)
	files.clientCert, files.clientKey = issue("client", x509.ExtKeyUsageClientAuth)
	return files
}

func sign(t testing.TB, c, parent *x509.Certificate, by *ecdsa.PrivateKey) (*ecdsa.PrivateKey, []byte) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if parent == nil {
		parent, by = c, key
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, &key.PublicKey, by)
	if err != nil {
		t.Fatal(err)
	}
	return key, der
}

func writePEM(t testing.TB, path, kind string, der []byte) {
	t.Helper()
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
}
