package aws

import (
	"context"
	"encoding/pem"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"

	"weir/deliver"
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
	e := classified(t, call(t, EndpointConfig{URL: service.URL}))
	if e.Doubtful || !strings.Contains(e.Err.Error(), "unknown authority") || !strings.Contains(e.Hint(), "AWS_CA_BUNDLE") {
		t.Errorf("without it: %v, doubtful %v, hint %q", e.Err, e.Doubtful, e.Hint())
	}
	t.Setenv("AWS_CA_BUNDLE", file)
	if err := call(t, EndpointConfig{URL: service.URL}); err != nil {
		t.Error(err)
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// Attempts share the time of a call, and what the caller hears is why the last one
// ended.
func TestTimeIsOfTheWholeCall(t *testing.T) {
	awstest.Env(t)
	synctest.Test(t, func(t *testing.T) {
		opened, err := Open(t.Context(), EndpointConfig{URL: "http://service"})
		if err != nil {
			t.Fatal(err)
		}
		attempts := 0
		opened.Client.HTTP.Transport = roundTrip(func(r *http.Request) (*http.Response, error) {
			if attempts++; attempts == 1 {
				time.Sleep(20 * time.Second)
				return nil, io.EOF
			}
			<-r.Context().Done()
			return nil, r.Context().Err()
		})
		client := cloudwatchlogs.NewFromConfig(opened.Config, func(o *cloudwatchlogs.Options) {
			o.BaseEndpoint = opened.URL
			o.Retryer = retry.NewStandard(func(o *retry.StandardOptions) { o.MaxAttempts = 2 })
		})
		began := time.Now()
		_, err = client.DescribeLogGroups(t.Context(), &cloudwatchlogs.DescribeLogGroupsInput{})
		took := time.Since(began)
		if e := classified(t, err); e.Err.Error() != "no answer within 30s" || e.Doubtful || took != 30*time.Second || attempts != 2 {
			t.Errorf("%v, doubtful %v, %d attempts in %v", e.Err, e.Doubtful, attempts, took)
		}
	})
}

// A source of credentials that hangs does not hold a flow log for ever.
func TestTheSearchForCredentialsIsBounded(t *testing.T) {
	awstest.Env(t)
	synctest.Test(t, func(t *testing.T) {
		over := make(chan struct{})
		defer close(over)
		opened, err := Open(t.Context(), EndpointConfig{
			Timeouts: Timeouts{Call: time.Minute},
			Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
				<-over
				return aws.Credentials{}, nil
			}),
		})
		if err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		e := classified(t, opened.Probe(t.Context()))
		if took := time.Since(began); e.Kind != deliver.Access || took != time.Minute {
			t.Errorf("%v (%v) after %v", e.Err, e.Kind, took)
		}
	})
}
