package peertest

import (
	"cmp"
	"context"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/smithy-go/logging"

	"weir/deliver"
	"weir/flowlog"
)

// motoURL is where moto's server listens: "http://127.0.0.1:41234".
const motoURL = "WEIR_MOTO"

// moto is a configuration for clients of moto's server.
func moto(t *testing.T) (url string, cfg aws.Config) {
	t.Helper()
	url = os.Getenv(motoURL)
	if url == "" {
		t.Skip("needs moto's server: make test-peers starts it")
	}
	for k, v := range map[string]string{
		"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_SESSION_TOKEN": "",
		"AWS_REGION": "us-east-1", "AWS_PROFILE": "", "AWS_ENDPOINT_URL": "",
		"AWS_CONFIG_FILE": "/dev/null", "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
	} {
		t.Setenv(k, v)
	}
	cfg, err := config.LoadDefaultConfig(t.Context(), config.WithBaseEndpoint(url), config.WithLogger(logging.Nop{}))
	if err != nil {
		t.Fatal(err)
	}
	return url, cfg
}

// name is one that no other test, and no run before on the same server, uses.
func name(t *testing.T) string {
	return strings.ToLower(fmt.Sprintf("weir-%s-%d", t.Name()[len("TestPeers"):], time.Now().UnixNano()))
}

// format is the default one, and a field that may hold what JSON must escape.
func format(t *testing.T) flowlog.Format {
	t.Helper()
	f, err := flowlog.ParseFormat(flowlog.DefaultFormat().String() + " ${instance-tag}")
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// traffic is records of some intervals of a minute, as an aggregation hands them
// out: interval by interval, interface by interface, by start. The last
// interface is idle. All are of the last hour: services refuse older ones.
func traffic(f flowlog.Format, intervals, interfaces, each int) []flowlog.Record {
	begin := time.Now().Truncate(time.Minute).Add(-time.Hour).Unix()
	var records []flowlog.Record
	for k := range intervals {
		from := begin + int64(k)*60
		for i := range interfaces {
			eni := fmt.Sprintf("eni-%017x", i)
			if i == interfaces-1 {
				idle := flowlog.Record{Version: int64(f.Version()), AccountID: "123456789012", InterfaceID: eni, Start: from, End: from + 60}
				idle.SetStatus(flowlog.NoData)
				records = append(records, idle)
				continue
			}
			for n := range each {
				r := flowlog.Record{
					Version: int64(f.Version()), AccountID: "123456789012", InterfaceID: eni,
					SrcAddr: netip.AddrFrom4([4]byte{10, byte(i), byte(n >> 8), byte(n)}), DstAddr: netip.MustParseAddr("2001:db8::1"),
					SrcPort: int64(n & 0xffff), DstPort: 443, Protocol: 6, Packets: int64(k + 1), Bytes: int64(n),
					Start: from + int64(n)*60/int64(each), End: from + 60, Action: flowlog.Accept, LogStatus: flowlog.OK,
				}
				if n%10 == 3 {
					r.InstanceTag = `"é\<&>` + "\u2028"
				}
				records = append(records, r)
			}
		}
	}
	return records
}

// lines are records as text, in the order in which a log stream has them.
func lines(f flowlog.Format, records []flowlog.Record, of func(*flowlog.Record) bool) []string {
	var some []*flowlog.Record
	for i := range records {
		if of(&records[i]) {
			some = append(some, &records[i])
		}
	}
	slices.SortStableFunc(some, func(a, b *flowlog.Record) int { return cmp.Compare(a.Start, b.Start) })
	text := make([]string, len(some))
	for i, r := range some {
		text[i] = string(f.AppendText(nil, r))
	}
	return text
}

// send delivers a batch.
func send(ctx context.Context, t *testing.T, d deliver.Destination, records []flowlog.Record) []deliver.Receipt {
	t.Helper()
	if err := d.Probe(ctx); err != nil {
		t.Fatal(err)
	}
	e := d.Begin(deliver.Begin{})
	for i := range records {
		e.Add(&records[i])
	}
	parts, err := e.Finish()
	if err != nil {
		t.Fatal(err)
	}
	receipts := make([]deliver.Receipt, len(parts))
	for i, p := range parts {
		if receipts[i], err = p.Send(ctx); err != nil {
			t.Fatalf("part %d of %d: %v", i+1, len(parts), err)
		}
	}
	return receipts
}
