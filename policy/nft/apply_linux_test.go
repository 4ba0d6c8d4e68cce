package nft

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/vishvananda/netlink"

	"weir/netns"
)

// shopIn is the shop's ruleset, for a namespace.
func shopIn(tb testing.TB, ns *netns.Namespace) *Ruleset {
	tb.Helper()
	r := render(tb, shop())[0]
	r.Namespace = ns.Path()
	return &r
}

func applied(tb testing.TB, r *Ruleset) string {
	tb.Helper()
	digest, err := r.Applied(context.Background())
	if err != nil {
		tb.Fatal(err)
	}
	return digest
}

func TestApplyAgainAndRemove(t *testing.T) {
	ns := namespace(t, "again")
	bridgesOn(t, ns)
	ctx := context.Background()
	r := shopIn(t, ns)
	if got := applied(t, r); got != "" {
		t.Errorf("before: applied %q", got)
	}
	if err := r.Remove(ctx); err != nil {
		t.Errorf("remove nothing: %v", err)
	}
	for range 2 {
		if err := r.Apply(ctx); err != nil {
			t.Fatal(err)
		}
		if got := applied(t, r); got != r.Digest() {
			t.Errorf("applied %q, want %q", got, r.Digest())
		}
	}
	// Without a bridge, the bridge's table goes.
	top := shop()
	top.Interfaces = append(top.Interfaces[:2:2], top.Interfaces[3:]...)
	plain := render(t, top)[0]
	plain.Namespace = ns.Path()
	if err := plain.Apply(ctx); err != nil {
		t.Fatal(err)
	}
	if out, _ := nftIn(ns, "list", "tables"); strings.TrimSpace(out) != "table ip weir\ntable ip6 weir" {
		t.Errorf("tables: %q", out)
	}
	if err := r.Apply(ctx); err != nil {
		t.Fatal(err)
	}
	if err := r.Remove(ctx); err != nil {
		t.Fatal(err)
	}
	if out, _ := nftIn(ns, "list", "tables"); strings.TrimSpace(out) != "" {
		t.Errorf("left behind: %q", out)
	}
}

// What fails leaves the former rules, names the cause and says what to do.
func TestFailedApplyLeavesTheFormer(t *testing.T) {
	for _, tt := range []struct {
		name       string
		spoil      func(t *testing.T, ns *netns.Namespace, r *Ruleset) context.Context
		want, hint string
	}{
		{"syntax error", func(t *testing.T, _ *netns.Namespace, r *Ruleset) context.Context {
			r.Text = strings.Replace(r.Text, " accept\n", " acept\n", 1)
			return context.Background()
		}, "acept", "weir policy render"},
		{"a set that is not there", func(t *testing.T, _ *netns.Namespace, r *Ruleset) context.Context {
			r.Text = strings.Replace(r.Text, "@services_v4", "@nothing", 1)
			return context.Background()
		}, "nothing", "former rules are in force"},
		{"br_netfilter off", func(t *testing.T, ns *netns.Namespace, _ *Ruleset) context.Context {
			sysctl(t, ns, "bridge/bridge-nf-call-ip6tables", "0")
			return context.Background()
		}, "bridge-nf-call-ip6tables is off", "sysctl -w net.bridge.bridge-nf-call-ip6tables=1"},
		{"given up before", func(*testing.T, *netns.Namespace, *Ruleset) context.Context {
			ctx, cancel := context.WithCancel(context.Background())
			cancel()
			return ctx
		}, "context canceled", "former rules are in force"},
		{"no nft", func(t *testing.T, _ *netns.Namespace, r *Ruleset) context.Context {
			r.nft = filepath.Join(t.TempDir(), "nft")
			return context.Background()
		}, "no such file", "apt install nftables"},
		{"a port that is none", func(t *testing.T, ns *netns.Namespace, _ *Ruleset) context.Context {
			link(t, ns, "vapp", "")
			return context.Background()
		}, "device vapp is no port of a bridge", "correct the interface's bridge"},
		{"a port that the topology does not know", func(t *testing.T, ns *netns.Namespace, _ *Ruleset) context.Context {
			link(t, ns, "vdb", "virbr0")
			return context.Background()
		}, "device vdb is a port of the bridge virbr0", "correct the interface's bridge"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			ns := namespace(t, "fails")
			bridgesOn(t, ns)
			former := shopIn(t, ns)
			if err := former.Apply(context.Background()); err != nil {
				t.Fatal(err)
			}
			next := shopIn(t, ns)
			next.Text += "# another version\n"
			err := next.Apply(tt.spoil(t, ns, next))
			var e *Error
			if !errors.As(err, &e) {
				t.Fatalf("got %v, want an *Error", err)
			}
			if !strings.Contains(e.Error(), tt.want) || !strings.Contains(e.Hint(), tt.hint) {
				t.Errorf("got %q, hint %q\nwant %q and %q in them", e, e.Hint(), tt.want, tt.hint)
			}
			if got := applied(t, former); got != former.Digest() {
				t.Errorf("applied %q, want the former %q", got, former.Digest())
			}
		})
	}
}

// link makes a device, at a bridge when that has a name.
func link(tb testing.TB, ns *netns.Namespace, device, bridge string) {
	tb.Helper()
	err := ns.Do(func() error {
		if err := netlink.LinkAdd(&netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: device}, PeerName: "x" + device}); err != nil || bridge == "" {
			return err
		}
		br := &netlink.Bridge{LinkAttrs: netlink.LinkAttrs{Name: bridge}}
		if err := netlink.LinkAdd(br); err != nil {
			return err
		}
		l, err := netlink.LinkByName(device)
		if err != nil {
			return err
		}
		return netlink.LinkSetMaster(l, br)
	})
	if err != nil {
		tb.Fatal(err)
	}
}

// Without privilege nothing is changed, and the error says whom to ask.
func TestApplyWithoutPrivilege(t *testing.T) {
	ns := namespace(t, "user")
	bridgesOn(t, ns)
	r := shopIn(t, ns)
	path, _ := nftPath()
	wrapper := filepath.Join(t.TempDir(), "nft")
	if _, err := exec.LookPath("setpriv"); err != nil {
		t.Skip("needs setpriv (Debian: util-linux)")
	}
	if err := os.WriteFile(wrapper, []byte("#!/bin/sh\nexec setpriv --bounding-set=-net_admin --inh-caps=-net_admin "+path+` "$@"`+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	r.nft = wrapper
	err := r.Apply(context.Background())
	var e *Error
	if !errors.As(err, &e) || !strings.Contains(err.Error(), "Operation not permitted") || e.Hint() != "run weir as root" {
		t.Errorf("got %v", err)
	}
}

// A table with our name that somebody else made is left alone.
func TestForeignTableOfOurName(t *testing.T) {
	for _, family := range []string{"inet", "ip", "ip6", "bridge"} {
		t.Run(family, func(t *testing.T) {
			ns := namespace(t, "theirs")
			bridgesOn(t, ns)
			script := "add table " + family + " weir; add chain " + family + " weir theirs"
			if out, err := nftIn(ns, script); err != nil {
				t.Fatal(err, out)
			}
			before, _ := nftIn(ns, "list", "ruleset")
			r := shopIn(t, ns)
			for op, err := range map[string]error{"apply": r.Apply(context.Background()), "remove": r.Remove(context.Background())} {
				var e *Error
				if !errors.As(err, &e) || !strings.Contains(err.Error(), "table "+family+" weir that Weir did not make") || !strings.Contains(e.Hint(), "nft list table "+family+" weir") {
					t.Errorf("%s: got %v", op, err)
				}
			}
			if after, _ := nftIn(ns, "list", "ruleset"); after != before {
				t.Errorf("changed from\n%s\nto\n%s", before, after)
			}
		})
	}
}

// The one table of the families ip and ip6 that there was before goes with the
// first apply, and with remove.
func TestTableOfAnEarlierWeir(t *testing.T) {
	ns := namespace(t, "earlier")
	bridgesOn(t, ns)
	ctx := context.Background()
	r := shopIn(t, ns)
	earlier := func() {
		t.Helper()
		for _, family := range []string{"inet", "bridge"} {
			script := "add table " + family + " weir; add chain " + family + ` weir c; add set ` + family + ` weir seal { type mark; comment "weir policy 0123456789abcdef"; }`
			if out, err := nftIn(ns, script); err != nil {
				t.Fatal(err, out)
			}
		}
		if got := applied(t, r); got != "0123456789abcdef" {
			t.Fatalf("applied %q, want the earlier one", got)
		}
	}
	earlier()
	if err := r.Apply(ctx); err != nil {
		t.Fatal(err)
	}
	if out, _ := nftIn(ns, "list", "tables"); strings.TrimSpace(out) != "table ip weir\ntable ip6 weir\ntable bridge weir" {
		t.Errorf("tables: %q", out)
	}
	if err := r.Remove(ctx); err != nil {
		t.Fatal(err)
	}
	earlier()
	if err := r.Remove(ctx); err != nil {
		t.Fatal(err)
	}
	if out, _ := nftIn(ns, "list", "tables"); strings.TrimSpace(out) != "" {
		t.Errorf("left behind: %q", out)
	}
}

// Whoever takes one of our tables away is noticed, and what is left is still ours.
func TestPartIsGone(t *testing.T) {
	ns := namespace(t, "part")
	bridgesOn(t, ns)
	ctx := context.Background()
	r := shopIn(t, ns)
	for _, family := range []string{"ip", "ip6", "bridge"} {
		if err := r.Apply(ctx); err != nil {
			t.Fatal(err)
		}
		if out, err := nftIn(ns, "delete", "table", family, "weir"); err != nil {
			t.Fatal(err, out)
		}
		if got, want := applied(t, r), r.Digest()+" in part"; got != want {
			t.Errorf("without %s: applied %q, want %q", family, got, want)
		}
	}
	if err := r.Remove(ctx); err != nil {
		t.Fatal(err)
	}
	if got := applied(t, r); got != "" {
		t.Errorf("after remove: applied %q", got)
	}
}

// nft is killed at any moment: what is there is the one version or the other.
func TestKilledInTheMiddle(t *testing.T) {
	ns := namespace(t, "killed")
	bridgesOn(t, ns)
	top := oddTopology(2)
	one := render(t, top)[0]
	one.Namespace = ns.Path()
	other := one
	other.Text += "# another version\n"
	ctx := context.Background()
	begin := time.Now()
	if err := one.Apply(ctx); err != nil {
		t.Fatal(err)
	}
	whole := time.Since(begin)
	if err := one.Apply(ctx); err != nil {
		t.Fatal(err)
	}
	rules := countRules(t, ns)
	killed := 0
	const tries = 16
	for n := range tries {
		r := &one
		if n%2 == 0 {
			r = &other
		}
		short, cancel := context.WithTimeout(ctx, whole*time.Duration(n)/tries)
		if err := r.Apply(short); err != nil {
			killed++
		}
		cancel()
		if got := applied(t, r); got != one.Digest() && got != other.Digest() {
			t.Fatalf("try %d: applied %q", n, got)
		}
		if got := countRules(t, ns); got != rules {
			t.Fatalf("try %d: %d rules, want %d", n, got, rules)
		}
	}
	if killed < tries/4 || killed == tries {
		t.Logf("%d of %d were killed: the moments were not well chosen", killed, tries)
	}
}

func countRules(tb testing.TB, ns *netns.Namespace) int {
	tb.Helper()
	out, err := nftIn(ns, "list", "ruleset")
	if err != nil {
		tb.Fatal(err)
	}
	return strings.Count(out, "\n")
}

// Others change their tables at the same time; nobody's rules are lost.
func TestOthersChangeTheirTables(t *testing.T) {
	ns := namespace(t, "others")
	bridgesOn(t, ns)
	stop := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
			}
			if out, err := nftIn(ns, "add table ip theirs; flush table ip theirs; add chain ip theirs c; add rule ip theirs c counter accept"); err != nil {
				t.Errorf("the other: %v: %s", err, out)
				return
			}
		}
	})
	r := shopIn(t, ns)
	for n := range 10 {
		r.Text += "\n"
		if err := r.Apply(context.Background()); err != nil {
			t.Errorf("apply %d: %v", n, err)
		}
	}
	close(stop)
	wg.Wait()
	if out, _ := nftIn(ns, "list", "tables"); !strings.Contains(out, "table ip theirs") || !strings.Contains(out, "table ip weir") {
		t.Errorf("tables: %s", out)
	}
}
