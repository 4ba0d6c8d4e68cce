package verdict

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"weir/aggregate"
	"weir/flowlog"
	"weir/policy"
	"weir/vpc"
)

// truthFormat is the flow log whose lines are compared.
const truthFormat = "${interface-id} ${flow-direction} ${action} ${protocol} ${pkt-srcaddr} ${srcport} ${pkt-dstaddr} ${dstport} ${packets} ${bytes} ${tcp-flags} ${weir-rule-id} ${weir-rule} ${weir-drop-reason}"

// TestTruthTable makes every row of the truth table happen (docs/decisions/0002)
// with real packets, in three settings, and compares the records of the flow log
// with the expected ones: counters, rule ids and reasons included.
func TestTruthTable(t *testing.T) {
	needRoot(t)
	var table strings.Builder
	for _, setting := range []struct{ name, bridge string }{{"routed", ""}, {"bridged", "tbr0"}} {
		t.Run(setting.name, func(t *testing.T) {
			x := newTruth(t, setting.name, setting.bridge, &table)
			x.instances()
			if setting.bridge != "" {
				x.arp()
			}
		})
	}
	t.Run("host", func(t *testing.T) { newTruth(t, "host", "", &table).host() })
	if testing.Verbose() {
		fmt.Print(table.String())
	}
}

// truth is one setting.
type truth struct {
	*rig
	name  string
	table *strings.Builder
	only  []string // interfaces that the setting is about
	raw   [2]int   // sockets of a local process that writes IP headers itself
}

// foreign is a firewall that Weir did not write, and address translation.
const foreign = `
table inet foreign {
	chain forward {
		type filter hook forward priority 0; policy accept;
		th dport 1007 drop
		meta l4proto { icmp, icmpv6 } @th,0,16 { 0x0807, 0x8007 } drop
		tcp dport 1008 reject with tcp reset
	}
	chain input {
		type filter hook input priority 0; policy accept;
		th dport 1007 drop
		meta l4proto { icmp, icmpv6 } @th,0,16 { 0x0807, 0x8007 } drop
		tcp dport 1008 reject with tcp reset
	}
	chain output {
		type filter hook output priority 0; policy accept;
		th dport 1007 drop
	}
	chain to_virtual {
		type nat hook prerouting priority -100; policy accept;
		ip daddr 203.0.113.9 dnat ip to 10.9.2.20
		ip6 daddr 2001:db8:fffd::9 dnat ip6 to 2001:db8:9:2::20
	}
	chain masked {
		type nat hook postrouting priority 100; policy accept;
		oifname thost ip saddr 10.9.1.10 snat ip to 10.9.3.30
		oifname thost ip6 saddr 2001:db8:9:1::10 snat ip6 to 2001:db8:9:3::30
		udp sport 2099 ip daddr 10.9.2.20 snat ip to 10.9.3.30
		udp sport 2099 ip6 daddr 2001:db8:9:2::20 snat ip6 to 2001:db8:9:3::30
	}
}
`

func newTruth(t *testing.T, name, bridge string, table *strings.Builder) *truth {
	x := &truth{rig: newRig(t, "truth", truthTopology(bridge)), name: name, table: table}
	cmd := exec.Command(nftPath(), "-f", "-")
	cmd.Stdin = strings.NewReader(foreign)
	x.must(x.router.Run(cmd))
	sysctl(t, x.router, "ipv4/icmp_ratelimit", "0")
	sysctl(t, x.router, "ipv6/icmp/ratelimit", "0")
	card, err := x.links.LinkByName("thost")
	x.must(err)
	for _, a := range addrH {
		addr, err := netlink.ParseAddr(netip.PrefixFrom(a, a.BitLen()).String())
		x.must(err)
		addr.Flags = unix.IFA_F_NODAD
		x.must(x.links.AddrAdd(card, addr))
	}
	for _, p := range []string{"10.9.250.0/24", "2001:db8:9:fa::/64"} {
		n := netip.MustParsePrefix(p)
		x.must(x.links.RouteAdd(&netlink.Route{Dst: ipNet(n), Type: unix.RTN_BLACKHOLE}))
	}
	x.must(x.router.Do(func() (err error) {
		for f, family := range []int{unix.AF_INET, unix.AF_INET6} {
			if x.raw[f], err = unix.Socket(family, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.IPPROTO_RAW); err != nil {
				return err
			}
		}
		return nil
	}))
	t.Cleanup(func() { _, _ = unix.Close(x.raw[0]), unix.Close(x.raw[1]) })
	x.arrivals() // and what the devices had to say at first
	_, err = x.capture.Swap()
	x.must(err)
	x.must(x.capture.Release())
	return x
}

// from sends a packet from the far end of an interface, to the far end of
// another one on the same bridge or to the router.
func (x *truth) from(id, to string, p packet) {
	x.t.Helper()
	from := x.ends["eni-"+id]
	mac := from.routerM
	if e := x.ends["eni-"+to]; e != nil && from.Bridge != "" && e.Bridge == from.Bridge {
		mac = e.mac
	}
	if to == "nobody" {
		mac = []byte{2, 0, 0, 0, 0, 1}
	}
	x.send(from, p.frames(1, mac, from.mac))
}

// local sends a packet as a process of the router does.
func (x *truth) local(p packet) {
	x.t.Helper()
	for _, f := range p.frames(1, make([]byte, 6), make([]byte, 6)) {
		var err error
		if p.is6() {
			err = unix.Sendto(x.raw[1], f[14:], 0, &unix.SockaddrInet6{Addr: p.Dst.As16()})
		} else {
			err = unix.Sendto(x.raw[0], f[14:], 0, &unix.SockaddrInet4{Addr: p.Dst.As4()})
		}
		if err != nil && !errors.Is(err, unix.EPERM) { // what a firewall says to a process
			x.t.Fatal(err)
		}
	}
}

// arp: nothing filters it, at a bridge's ports either.
func (x *truth) arp() {
	x.t.Helper()
	a, b := x.ends["eni-a"], x.ends["eni-b"]
	frame := slices.Concat([]byte(b.mac), []byte(a.mac), []byte{8, 6, 0, 1, 8, 0, 6, 4, 0, 1}, make([]byte, 36))
	x.arrivals()
	x.send(a, [][]byte{frame})
	buf := make([]byte, 2048)
	for {
		n, from, err := unix.Recvfrom(x.socket, buf, 0)
		if err != nil {
			x.t.Errorf("%s: an ARP frame did not arrive: %v", x.name, err)
			return
		}
		if bytes.Equal(buf[:n], frame) && from.(*unix.SockaddrLinklayer).Ifindex == b.index {
			return
		}
	}
}

// row makes something happen and compares the records.
func (x *truth) row(title string, want []record, happen func()) {
	x.t.Helper()
	happen()
	x.arrivals()
	got := x.records()
	lines := make([]string, len(want))
	for i := range want {
		lines[i] = x.line(&want[i])
	}
	slices.Sort(lines)
	if diff := cmp.Diff(lines, got); diff != "" {
		x.t.Errorf("%s: %s: records, -want +got:\n%s", x.name, title, diff)
	}
	x.print(title, got)
}

func (x *truth) print(title string, lines []string) {
	fmt.Fprintf(x.table, "\n%s: %s\n", x.name, title)
	w := tabwriter.NewWriter(x.table, 0, 1, 1, ' ', 0)
	for _, l := range lines {
		if words, err := policy.UnescapeWords(l); err == nil {
			l = words
		}
		f := strings.SplitN(l, " ", 13)
		rest := strings.Join(f[12:], " ")
		fmt.Fprintf(w, "  %s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n",
			f[0], f[1], f[2], f[3], f[4], f[5], f[6], f[7], f[8], f[9], f[10], f[11], rest)
	}
	if len(lines) == 0 {
		fmt.Fprintln(w, "  (none)")
	}
	_ = w.Flush()
}

// ruleWords names rules as the record has them.
type ruleWords struct{ *policy.Policy }

func (r ruleWords) Rule(id uint32) (string, bool) {
	rule, ok := r.Policy.Rule(id)
	return policy.EscapeWords(rule.Words), ok
}

type known struct{ *vpc.Index }

func (k known) Interface(id string) (*vpc.Interface, bool) {
	i := k.Index.Interface(id)
	return i, i != nil
}

// records is what a flow log has of what happened since the last call.
func (x *truth) records() []string {
	x.t.Helper()
	swap, err := x.capture.Swap()
	x.must(err)
	x.must(x.capture.Release())
	format, err := flowlog.ParseFormat(truthFormat)
	x.must(err)
	agg := aggregate.New(aggregate.Config{Interval: time.Hour, Topology: aggregate.Always(known{x.topology.Index()}), Rules: ruleWords{x.policy}})
	lines := []string{}
	emit := func(r *flowlog.Record) {
		if r.LogStatus != flowlog.OK || !x.about(r) {
			return
		}
		lines = append(lines, string(bytes.TrimSpace(format.AppendText(nil, r))))
	}
	agg.Add(swap, emit)
	agg.Flush(emit)
	slices.Sort(lines)
	return lines
}

// about leaves out the other settings' interfaces, and what links say by
// themselves.
func (x *truth) about(r *flowlog.Record) bool {
	return slices.Contains(x.only, r.InterfaceID) && !r.PktSrcAddr.IsUnspecified() && !r.PktSrcAddr.IsLinkLocalUnicast()
}

// line is the expected record as text.
func (x *truth) line(r *record) string {
	action, id, words, reason := flowlog.Accept, "-", "-", "-"
	if !r.accepted {
		action, reason = flowlog.Reject, r.reason
		if r.rule != "" {
			id, words = "?", r.rule
			for _, rule := range x.policy.Rules() {
				if strings.HasPrefix(rule.Words, r.rule) && x.fits(&rule, r) {
					id, words = fmt.Sprint(rule.ID), policy.EscapeWords(rule.Words)
					break
				}
			}
		}
	}
	p := &r.packet
	sport, dport := p.SrcPort, p.DstPort
	flags := 0
	if p.Protocol != vpc.TCP && p.Protocol != vpc.UDP {
		sport, dport = 0, 0
	}
	if p.Protocol == vpc.TCP {
		flags = int(p.Flags & (fin | syn | rst))
		if p.Flags&(syn|ack) == syn|ack {
			flags |= ack
		}
	}
	if r.port0 {
		sport, dport = 0, 0
	}
	return fmt.Sprintf("%s %s %s %d %s %d %s %d %d %d %d %s %s %s",
		"eni-"+r.at, r.direction, action, p.Protocol, p.Src, sport, p.Dst, dport, r.packets, r.bytes, flags, id, words, reason)
}

// fits tells an ACL's rules of one case apart: by protocol and family.
func (x *truth) fits(rule *policy.Rule, r *record) bool {
	if rule.Stage == policy.Group {
		return true
	}
	protocol := vpc.ProtocolName(int(r.packet.Protocol))
	return strings.Contains(rule.Words, "deny "+protocol+" ") && strings.Contains(rule.Words, "::/0") == r.packet.is6()
}

// pieces are the records of a datagram in fragments.
func inPieces(r record) []record {
	first, later := r, r
	p := r.packet
	overhead := 20
	if p.is6() {
		overhead = 48
	}
	first.bytes = overhead + pieceSize
	later.bytes = p.ipBytes() - first.bytes
	later.packets, later.port0 = 2, true
	return []record{first, later}
}

// ways is every protocol and family.
func ways(f func(protocol uint8, v int, title string)) {
	for v, family := range []string{"IPv4", "IPv6"} {
		for _, protocol := range []uint8{vpc.TCP, vpc.UDP, vpc.ICMP} {
			f(protocol, v, protocolName(protocol)+" "+family)
		}
	}
}
