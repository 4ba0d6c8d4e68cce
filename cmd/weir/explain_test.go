package main

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"weir/policy"
	"weir/policy/book"
	"weir/vpc"
)

// Explain takes the rules of the time from what was applied on this host: a rule
// by its id, and a topology by its time.
func TestExplainReadsTheBook(t *testing.T) {
	if !hasDuckDB {
		t.Skip("this build holds no DuckDB")
	}
	data := t.TempDir()
	applied := applyToBook(t, filepath.Join(data, "policy"))
	at := time.Now().Unix() + 1 // the packets come after the policy
	var refusing policy.Rule
	for _, r := range applied.Rules() {
		if r.Stage == policy.Group && r.Direction == policy.Ingress {
			refusing = r
		}
	}
	records := filepath.Join(data, "records.log")
	text := fmt.Sprintf(`version interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status weir-rule-id
2 eni-web 203.0.113.9 10.0.1.10 40000 8443 6 1 60 %d %d REJECT OK %d
`, at, at, refusing.ID)
	if err := os.WriteFile(records, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	got := output(t, "--data", data, "explain", "--bucket", records, "--to", fmt.Sprint(at+60), "203.0.113.9", "web", "8443")
	for _, want := range []string{
		"Refused at web (eni-web), ingress, by security group web (sg-web): no ingress rule allows it.\n",
		fmt.Sprintf("weir-rule-id %d, in words by the rules that ever were in force\n", refusing.ID),
		"nearest rule: web (sg-web) allows tcp 443 from 0.0.0.0/0, but the port is 8443 (policy: the policy in force since ",
		"allow tcp 8443 from 203.0.113.9/32 in security group web (sg-web) ingress\n",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
}

func applyToBook(t *testing.T, dir string) *policy.Policy {
	t.Helper()
	cidr := netip.MustParsePrefix("10.0.0.0/16")
	https := vpc.GroupRule{Traffic: vpc.Ports(vpc.TCP, 443, 443), Peer: vpc.Peer{CIDR: netip.MustParsePrefix("0.0.0.0/0")}}
	https.ID = vpc.GroupRuleID("sg-web", true, https.Traffic, https.Peer)
	topology := &vpc.Topology{
		VPCs:    []vpc.VPC{{ID: "vpc-1", Name: "shop", AccountID: defaultAccountID, Region: defaultRegion, CIDRs: []netip.Prefix{cidr}}},
		Subnets: []vpc.Subnet{{ID: "subnet-1", Name: "web", VPCID: "vpc-1", ACLID: "acl-1", CIDRs: []netip.Prefix{netip.MustParsePrefix("10.0.1.0/24")}}},
		Interfaces: []vpc.Interface{{
			ID: "eni-web", Name: "web", AccountID: defaultAccountID, Region: defaultRegion, VPCID: "vpc-1", SubnetID: "subnet-1",
			Addresses: []netip.Addr{netip.MustParseAddr("10.0.1.10")}, GroupIDs: []string{"sg-web"},
		}},
		ACLs: []vpc.NetworkACL{vpc.DefaultACL("vpc-1", "acl-1")},
		Groups: []vpc.SecurityGroup{{
			ID: "sg-web", Name: "web", VPCID: "vpc-1", Egress: vpc.AllEgress("sg-web"),
			Ingress: []vpc.GroupRule{https},
		}},
	}
	w, err := book.Open(dir).Lock(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	}()
	compiled, err := w.Compile(topology)
	if err != nil {
		t.Fatal(err)
	}
	version, err := w.Keep(topology)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Record(book.Entry{Event: book.Applied, Version: version.Name}); err != nil {
		t.Fatal(err)
	}
	return compiled
}
