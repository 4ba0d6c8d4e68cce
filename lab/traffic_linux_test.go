package lab

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/netip"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"weir/lab/traffic"
	"weir/netns"
	"weir/policy/nft"
)

// runUntil runs roles until enough says so of the results, or half a minute has
// passed; it returns the last results, by place and task.
func runUntil(t *testing.T, l *Lab, roles map[string]traffic.Role, enough func(TaskResult) bool) map[string]TaskResult {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- l.run(ctx, roles) }()
	tasks := 0
	for _, role := range roles {
		tasks += len(role.Tasks)
	}
	poll := time.NewTicker(50 * time.Millisecond)
	defer poll.Stop()
	for ctx.Err() == nil {
		done := 0
		for _, r := range l.Results() {
			if enough(r) {
				done++
			}
		}
		if done == tasks {
			cancel()
		}
		select {
		case err := <-ended:
			t.Fatalf("traffic ended: %v", err)
		case <-ctx.Done():
		case <-poll.C:
		}
	}
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	results := map[string]TaskResult{}
	for _, r := range l.Results() {
		results[r.Place+"/"+r.Task] = r
	}
	return results
}

// The policy, as it is written down in lab.yaml: who reaches whom.
func TestReachability(t *testing.T) {
	l := up(t, Config{})
	enforce(t, l)
	tcp := func(from netip.Addr, to netip.Addr, port uint16, want traffic.Outcome) traffic.Task {
		return traffic.Task{Kind: traffic.Attempt, From: from, Addr: at(to, port), Want: want}
	}
	echo := func(from, to netip.Addr) traffic.Task {
		return traffic.Task{Kind: traffic.Ping, From: from, Addr: at(to, 0)}
	}
	dns := func(to netip.Addr) traffic.Task { return traffic.Task{Kind: traffic.DNSClient, Addr: at(to, dnsPort)} }
	none := netip.Addr{}
	roles := map[string]traffic.Role{}
	for place, tasks := range l.plan.servers() {
		roles[place] = traffic.Role{Tasks: tasks}
	}
	clients := map[string][]traffic.Task{
		internetPlace: {
			tcp(visitors[0], l.plan.web.public, httpPort, traffic.Open),
			tcp(visitors[0], l.plan.web.public, httpsPort, traffic.Reset),
			tcp(visitors[0], l.plan.web.public, sshPort, traffic.Silent),
			tcp(visitors[0], l.plan.web.public, appPort, traffic.Silent),
			tcp(visitor6, l.plan.web.addr.v6, httpPort, traffic.Open),
			tcp(visitor6, l.plan.web.addr.v6, sshPort, traffic.Silent),
			echo(visitors[0], l.plan.web.public),
			echo(visitor6, l.plan.web.addr.v6),
			tcp(admin, l.plan.bastion.public, sshPort, traffic.Open),
			tcp(crackers[0], l.plan.bastion.public, sshPort, traffic.Silent),
			tcp(visitor6, l.plan.bastion.addr.v6, sshPort, traffic.Silent),
			tcp(admin, l.plan.nat.public, sshPort, traffic.Silent),
			// Private subnets have IPv6 addresses, but no door is open.
			tcp(visitor6, l.plan.app.addr.v6, appPort, traffic.Silent),
			tcp(visitor6, l.plan.db.addr.v6, dbPort, traffic.Silent),
		},
		webPlace: {
			tcp(none, l.plan.app.addr.v4, appPort, traffic.Open),
			tcp(none, l.plan.app.addr.v6, appPort, traffic.Open),
			tcp(none, l.plan.app.addr.v4, rstPort, traffic.Reset),
			tcp(none, l.plan.app.addr.v6, rstPort, traffic.Reset),
			tcp(none, l.plan.app.addr.v4, sshPort, traffic.Silent),
			tcp(none, l.plan.db.addr.v4, dbPort, traffic.Silent),
			tcp(none, l.plan.bastion.addr.v4, sshPort, traffic.Silent), // inside a subnet as well
			tcp(none, mirror.v4, httpPort, traffic.Open),
			tcp(none, netip.MustParseAddr("10.0.9.9"), httpPort, traffic.Silent), // nobody in the VPC
			echo(none, l.plan.app.addr.v4),
			echo(none, l.plan.bastion.addr.v6),
			dns(resolver.v4),
			dns(resolver.v6),
		},
		appPlace: {
			tcp(none, l.plan.db.addr.v4, dbPort, traffic.Open),
			tcp(none, l.plan.db.addr.v6, dbPort, traffic.Silent), // a mistake: the reply is refused
			tcp(none, l.plan.db.addr.v4, sshPort, traffic.Silent),
			tcp(none, l.plan.web.addr.v4, httpPort, traffic.Open),
			tcp(none, mirror.v4, httpPort, traffic.Open), // through the NAT instance
			tcp(none, mirror.v6, httpPort, traffic.Open),
			echo(none, l.plan.db.addr.v4),
			echo(none, mirror.v4),
			echo(none, mirror.v6),
			dns(resolver.v4),
		},
		dbPlace: {
			tcp(none, mirror.v4, httpPort, traffic.Silent),
			tcp(none, mirror.v6, httpPort, traffic.Silent),
			tcp(none, l.plan.app.addr.v4, appPort, traffic.Silent),
			tcp(none, mirror.v4, dnsPort, traffic.Silent), // it asks the resolvers only
			dns(resolver.v4),
			dns(resolver.v6),
		},
		bastionPlace: {
			tcp(none, l.plan.app.addr.v4, sshPort, traffic.Open),
			tcp(none, l.plan.web.addr.v4, healthPort, traffic.Silent), // a mistake: the rule has another port
			tcp(none, l.plan.web.addr.v4, appPort, traffic.Reset),     // that one
			tcp(none, l.plan.app.addr.v4, appPort, traffic.Silent),
			tcp(none, l.plan.db.addr.v4, dbPort, traffic.Silent),
			echo(none, l.plan.db.addr.v6),
		},
		natPlace: {
			tcp(none, l.plan.web.addr.v4, httpPort, traffic.Open),
			tcp(none, l.plan.app.addr.v4, appPort, traffic.Silent),
		},
	}
	isClient := map[string]bool{}
	for place, tasks := range clients {
		role := roles[place]
		for i, task := range tasks {
			task.Name = fmt.Sprintf("%d: %s %s to %s", i, task.Kind, task.From, task.Addr)
			task.Every = 500 * time.Millisecond
			isClient[place+"/"+task.Name] = true
			role.Tasks = append(role.Tasks, task)
		}
		roles[place] = role
	}
	// The first ones may come before the servers; what the policy has wrong is
	// wrong every time.
	results := runUntil(t, l, roles, func(r TaskResult) bool { return r.Done >= 2 || !isClient[r.Place+"/"+r.Task] })
	for name := range isClient {
		if r := results[name]; r.Done < 2 || r.Failed > 5 {
			t.Errorf("%s: done %d, failed %d: %s", name, r.Done, r.Failed, r.LastFailure)
		}
	}
}

// enforce puts the lab's policy into force, as whoever has a lab does.
func enforce(t *testing.T, l *Lab) {
	t.Helper()
	rulesets, err := nft.Render(compile(t, l.Topology()), nft.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if len(rulesets) != 1 || rulesets[0].Namespace != l.Router().Path() {
		t.Fatalf("%d rulesets, want one, of the router", len(rulesets))
	}
	if err := rulesets[0].Apply(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// counters is the packets of every counted rule of a namespace, by its comment
// or, without one, its chain.
func counters(t *testing.T, ns *netns.Namespace) map[string]uint64 {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "/usr/sbin/nft", "-j", "list", "ruleset")
	var out bytes.Buffer
	cmd.Stdout = &out
	if err := ns.Start(cmd); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	var listing struct {
		Nftables []struct {
			Rule *struct {
				Chain, Comment string
				Expr           []struct{ Counter *struct{ Packets uint64 } }
			}
		}
	}
	if err := json.Unmarshal(out.Bytes(), &listing); err != nil {
		t.Fatal(err)
	}
	packets := map[string]uint64{}
	for _, item := range listing.Nftables {
		if item.Rule == nil {
			continue
		}
		for _, e := range item.Rule.Expr {
			if e.Counter != nil {
				packets[plainWords(cmp.Or(item.Rule.Comment, item.Rule.Chain))] += e.Counter.Packets
			}
		}
	}
	return packets
}

// Every task does its work, the rules that are meant to refuse do, no other one
// does, and all that costs little.
func TestTraffic(t *testing.T) {
	logger := slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug}))
	l := up(t, Config{Seed: 1, Rate: 4, Logger: logger})
	enforce(t, l)
	starved := map[string]bool{"web/health server": true, "db/db server v6": true} // by the two mistakes
	results := runUntil(t, l, l.plan.roles(l.config), func(r TaskResult) bool { return r.Done >= 2 || starved[r.Place+"/"+r.Task] })
	for name, r := range results {
		t.Logf("%-26s done %5d failed %3d bytes %10d %s", name, r.Done, r.Failed, r.Bytes, r.LastFailure)
		if (r.Done < 2) != starved[name] || r.Failed > 2+r.Done/20 {
			t.Errorf("%s: done %d, failed %d: %s", name, r.Done, r.Failed, r.LastFailure)
		}
	}
	refuses := map[string]bool{
		"security group web: no ingress rule allows it":                              true,
		"security group bastion: no ingress rule allows it":                          true,
		"security group nat: no ingress rule allows it":                              true,
		"security group app: no ingress rule allows it":                              true,
		"security group db: no ingress rule allows it":                               false, // the ACL goes first
		"security group db: no egress rule allows it":                                true,
		"network ACL public ingress rule 10: deny all traffic from 198.51.100.74/32": true,
		"network ACL public ingress rule *: no other rule matches it":                true,
		"network ACL app ingress rule *: no other rule matches it":                   false, // nobody tries
		"network ACL db ingress rule *: no other rule matches it":                    true,
		"network ACL db egress rule *: no other rule matches it":                     true,
	}
	got := counters(t, l.Router())
	for rule, packets := range got {
		t.Logf("%6d %s", packets, rule)
		if want, known := refuses[rule]; !known || (packets > 0) != want {
			t.Errorf("%d packets refused by %s", packets, rule)
		}
	}
	if len(got) != len(refuses) {
		t.Errorf("%d rules can refuse, want %d", len(got), len(refuses))
	}
	if got := counters(t, l.Namespace(natPlace)); got["nat-out"] == 0 {
		t.Errorf("nothing has gone through the NAT instance: %v", got)
	}
}

// A download leaves web in super-packets: the capture has to count their segments.
func TestDownloadIsSegmentedLate(t *testing.T) {
	l := up(t, Config{})
	roles := map[string]traffic.Role{
		webPlace: {Tasks: []traffic.Task{{Name: "server", Kind: traffic.HTTPServer, Addr: at(l.plan.web.addr.v4, httpPort)}}},
		internetPlace: {Tasks: []traffic.Task{{
			Name: "download", Kind: traffic.HTTPDownload, Addr: at(l.plan.web.public, httpPort), Bytes: 32 << 20, Every: 100 * time.Millisecond,
		}}},
	}
	runUntil(t, l, roles, func(r TaskResult) bool { return r.Done >= 2 })
	h, err := l.Router().Netlink()
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	link, err := h.LinkByName(webPlace)
	if err != nil {
		t.Fatal(err)
	}
	s := link.Attrs().Statistics
	if s.RxBytes < 64<<20 || s.RxBytes/s.RxPackets < 3000 {
		t.Errorf("%d bytes in %d packets: none of them larger than the MTU", s.RxBytes, s.RxPackets)
	}
}

func TestTrafficEndsWithAnAgent(t *testing.T) {
	l := up(t, Config{})
	ended := make(chan error, 1)
	go func() { ended <- l.Traffic(t.Context()) }()
	eventually(t, "all agents report", func() bool {
		places := map[string]bool{}
		for _, r := range l.Results() {
			places[r.Place] = true
		}
		return len(places) == len(l.plan.roles(l.config))
	})
	if err := l.Traffic(t.Context()); err == nil || !strings.Contains(err.Error(), "running already") {
		t.Errorf("traffic for the second time: %v", err)
	}
	if err := syscall.Kill(agents(t, l.config.Prefix)[0], syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err == nil || !strings.Contains(err.Error(), "killed") {
		t.Errorf("got %v", err)
	}
	if left := agents(t, l.config.Prefix); len(left) > 0 {
		t.Errorf("agents go on: %v", left)
	}
}

func TestTrafficTellsWhatAnAgentSays(t *testing.T) {
	l := up(t, Config{})
	err := l.run(t.Context(), map[string]traffic.Role{webPlace: {Tasks: []traffic.Task{
		{Name: "elsewhere", Kind: traffic.SSHServer, Addr: at(l.plan.db.addr.v4, sshPort)},
	}}})
	for _, want := range []string{l.config.Prefix + "-web", "elsewhere", "cannot assign requested address"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q in it", err, want)
		}
	}
}

func TestCloseEndsTraffic(t *testing.T) {
	l := up(t, Config{})
	ended := make(chan error, 1)
	go func() { ended <- l.Traffic(t.Context()) }()
	eventually(t, "an agent reports", func() bool { return len(l.Results()) > 0 })
	gone := observe(t, l)
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	if left := leftovers(t, l.config.Prefix); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
	eventually(t, "the router's namespace is gone", gone)
}
