package aws

import (
	"encoding/pem"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"weir/deliver/internal/awstest"
)

// A service with a certificate of its own authority is reached once that is
// named, as all of AWS's tools take it.
func TestCABundle(t *testing.T) {
	awstest.Env(t)
	service := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		awstest.JSON(w, struct{}{})
	}))
	service.Config.ErrorLog = log.New(io.Discard, "", 0)
	service.StartTLS()
	defer service.Close()
	file := filepath.Join(t.TempDir(), "ca.pem")
	authority := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: service.Certificate().Raw})
	if err := os.WriteFile(file, authority, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("AWS_CA_BUNDLE", file)
	if err := call(t, EndpointConfig{URL: service.URL}); err != nil {
		t.Error(err)
	}
}
