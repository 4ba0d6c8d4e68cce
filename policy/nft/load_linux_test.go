package nft

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"weir/netns"
	"weir/policy"
)

// namespace makes a network namespace that goes away with the test.
func namespace(tb testing.TB, name string) *netns.Namespace {
	tb.Helper()
	if os.Geteuid() != 0 {
		tb.Skip("needs root: it makes a network namespace and loads a firewall")
	}
	if _, err := nftPath(); err != nil {
		tb.Skip("needs nft (Debian: nftables)")
	}
	name = fmt.Sprintf("weirnft-%d-%s", os.Getpid(), name)
	_ = netns.Delete(name) // of a run that was killed
	ns, err := netns.Create(name)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		_ = ns.Close()
		if err := netns.Delete(name); err != nil {
			tb.Error(err)
		}
	})
	return ns
}

func sysctl(tb testing.TB, ns *netns.Namespace, key, value string) {
	tb.Helper()
	if err := ns.Do(func() error { return os.WriteFile("/proc/sys/net/"+key, []byte(value), 0o644) }); err != nil {
		tb.Fatal(err)
	}
}

func bridgesOn(tb testing.TB, ns *netns.Namespace) {
	tb.Helper()
	sysctl(tb, ns, "bridge/bridge-nf-call-iptables", "1")
	sysctl(tb, ns, "bridge/bridge-nf-call-ip6tables", "1")
}

// Every script loads, whatever people call their things. A transaction costs
// more than what is in it, so many go into one.
func TestEveryScriptLoads(t *testing.T) {
	ns := namespace(t, "load")
	const perTransaction = 5
	seeds := 300
	if testing.Short() {
		seeds = 60
	}
	r := Ruleset{Namespace: ns.Path()}
	for first := 0; first < seeds; first += perTransaction {
		script := "flush ruleset\n"
		for seed := first; seed < first+perTransaction; seed++ {
			p, err := policy.Compile(oddTopology(uint64(seed)), &policy.MemoryIDs{})
			if err != nil {
				t.Fatal(err)
			}
			rulesets, err := Render(p, Options{Table: fmt.Sprint("weir", seed)})
			if err != nil {
				t.Fatal(err)
			}
			script += rulesets[0].Text
		}
		if err := r.load(context.Background(), script); err != nil {
			t.Fatalf("seeds %d to %d: %v", first, first+perTransaction-1, err)
		}
	}
	if out, err := nftIn(ns, "list", "tables"); err != nil || strings.Count(out, "table ip weir") != perTransaction {
		t.Errorf("%v, tables:\n%s", err, out)
	}
}

func nftIn(ns *netns.Namespace, args ...string) (string, error) {
	path, err := nftPath()
	if err != nil {
		return "", err
	}
	var out []byte
	err = ns.Do(func() (err error) {
		out, err = exec.Command(path, args...).CombinedOutput()
		return err
	})
	return string(out), err
}
