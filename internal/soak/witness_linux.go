package soak

import (
	"cmp"
	"encoding/json"
	"fmt"
	"os/exec"
	"strings"

	"weir/flowlog"
	"weir/netns"
)

// Side is one direction of one interface, with the verdict.
type Side struct{ Interface, Direction, Action string }

func (s Side) compare(o Side) int {
	return cmp.Or(cmp.Compare(s.Interface, o.Interface), cmp.Compare(s.Direction, o.Direction), cmp.Compare(s.Action, o.Action))
}

// Sum is packets on the wire, and their IP bytes.
type Sum struct{ Packets, Bytes uint64 }

func (s Sum) plus(o Sum) Sum  { return Sum{s.Packets + o.Packets, s.Bytes + o.Bytes} }
func (s Sum) minus(o Sum) Sum { return Sum{s.Packets - o.Packets, s.Bytes - o.Bytes} }

// Witness counts at the doors of the lab's router, by nftables counters in tables
// of its own: before each door, and behind it. The difference was refused there.
//
//	device ─ ingress: "came" ─▶ door (prerouting, about -150) ─ -120: "entered" ─▶ …
//	… ─ postrouting, 120: "leaves" ─▶ door (about 150) ─ 180: "left" ─▶ device
//
// Translation of addresses is at -100 and 100, and conntrack refuses before the
// door what it has no room for. It knows no flows; see [Storm] for those. The
// policy's doors are where docs/decisions/0002 puts them.
type Witness struct {
	router *netns.Namespace
	ids    map[string]string // interfaces, by their device in the router
}

const witnessTable = "weir-soak"

// NewWitness begins to count at devices of the router; ids are their interfaces.
func NewWitness(router *netns.Namespace, ids map[string]string) (*Witness, error) {
	var netdev, inet, in, before, behind strings.Builder
	for device := range ids {
		fmt.Fprintf(&netdev, "\tcounter came-%[1]s { }\n\tchain %[1]s { type filter hook ingress device \"%[1]s\" priority 0; policy accept; meta protocol { ip, ip6 } counter name \"came-%[1]s\"; }\n", device)
		for _, what := range []string{"entered", "leaves", "left"} {
			fmt.Fprintf(&inet, "\tcounter %s-%s { }\n", what, device)
		}
		fmt.Fprintf(&in, "\t\tiifname \"%[1]s\" counter name \"entered-%[1]s\"\n", device)
		fmt.Fprintf(&before, "\t\toifname \"%[1]s\" counter name \"leaves-%[1]s\"\n", device)
		fmt.Fprintf(&behind, "\t\toifname \"%[1]s\" counter name \"left-%[1]s\"\n", device)
	}
	script := fmt.Sprintf(`table netdev %[1]s {
%[2]s}
table inet %[1]s {
%[3]s	chain entered { type filter hook prerouting priority -120; policy accept;
%[4]s	}
	chain leaves { type filter hook postrouting priority 120; policy accept;
%[5]s	}
	chain left { type filter hook postrouting priority 180; policy accept;
%[6]s	}
}
`, witnessTable, &netdev, &inet, &in, &before, &behind)
	return &Witness{router, ids}, nft(router, script)
}

// Counts are the sums since the beginning, of sides that had any.
func (w *Witness) Counts() (map[Side]Sum, error) {
	var out strings.Builder
	cmd := exec.Command(nftPath(), "-j", "list", "counters")
	cmd.Stdout = &out
	if err := w.router.Start(cmd); err != nil {
		return nil, err
	}
	if err := cmd.Wait(); err != nil {
		return nil, fmt.Errorf("nft list counters: %w", err)
	}
	var doc struct {
		Nftables []struct {
			Counter *struct {
				Table, Name    string
				Packets, Bytes uint64
			}
		}
	}
	if err := json.Unmarshal([]byte(out.String()), &doc); err != nil {
		return nil, err
	}
	at := map[string]Sum{}
	for _, e := range doc.Nftables {
		if c := e.Counter; c != nil && c.Table == witnessTable {
			at[c.Name] = Sum{c.Packets, c.Bytes}
		}
	}
	counts := map[Side]Sum{}
	for device, id := range w.ids {
		for side, sum := range map[Side]Sum{
			{id, flowlog.Egress, flowlog.Accept}:  at["entered-"+device],
			{id, flowlog.Egress, flowlog.Reject}:  at["came-"+device].minus(at["entered-"+device]),
			{id, flowlog.Ingress, flowlog.Accept}: at["left-"+device],
			{id, flowlog.Ingress, flowlog.Reject}: at["leaves-"+device].minus(at["left-"+device]),
		} {
			if sum != (Sum{}) {
				counts[side] = sum
			}
		}
	}
	return counts, nil
}

// nft runs a script in a namespace.
func nft(ns *netns.Namespace, script string) error {
	cmd := exec.Command(nftPath(), "-f", "-")
	cmd.Stdin = strings.NewReader(script)
	return ns.Run(cmd)
}

// nftPath is where nft is; a path without the administrator's directories is usual.
func nftPath() string {
	if path, err := exec.LookPath("nft"); err == nil {
		return path
	}
	return "/usr/sbin/nft"
}
