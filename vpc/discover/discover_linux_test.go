package discover

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/vishvananda/netlink"

	"weir/netns"
	"weir/vpc"
)

// inHost runs f inside a fresh network namespace, a host without interfaces.
func inHost(t *testing.T, f func() error) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("needs root: it makes network namespaces")
	}
	name := fmt.Sprintf("weir-d%d", os.Getpid())
	ns, err := netns.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = ns.Close()
		if err := netns.Delete(name); err != nil {
			t.Error(err)
		}
	})
	if err := ns.Do(f); err != nil {
		t.Fatal(err)
	}
}

// veth adds a pair whose ends are name and name+"x".
func veth(name string) error {
	return netlink.LinkAdd(&netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: name}, PeerName: name + "x"})
}

func addr(dev, cidr string) error {
	l, err := netlink.LinkByName(dev)
	if err != nil {
		return err
	}
	a, err := netlink.ParseAddr(cidr)
	if err != nil {
		return err
	}
	if err := netlink.LinkSetUp(l); err != nil {
		return err
	}
	return netlink.AddrAdd(l, a)
}

func TestInterfaces(t *testing.T) {
	inHost(t, func() error {
		host := Host{AccountID: "123456789012", Region: "us-east-1", ZoneID: "us-east-1-az1"}
		if err := errors.Join(veth("card"), veth("guest"), veth("port")); err != nil {
			return err
		}
		br := &netlink.Bridge{LinkAttrs: netlink.LinkAttrs{Name: "br0"}}
		if err := netlink.LinkAdd(br); err != nil {
			return err
		}
		port, err := netlink.LinkByName("port")
		if err != nil {
			return err
		}
		tap := &netlink.Tuntap{LinkAttrs: netlink.LinkAttrs{Name: "tap0"}, Mode: netlink.TUNTAP_MODE_TAP}
		if err := netlink.LinkAdd(tap); err != nil {
			t.Logf("no tap: %v", err)
			tap = nil
		}
		card, err := netlink.LinkByName("card")
		if err != nil {
			return err
		}
		if err := errors.Join(
			netlink.LinkSetMaster(port, br),
			addr("cardx", "192.0.2.1/24"),
			addr("card", "192.0.2.9/24"), addr("card", "192.0.2.10/24"), // primary and secondary
			netlink.RouteAdd(&netlink.Route{LinkIndex: card.Attrs().Index, Gw: net.IPv4(192, 0, 2, 1)}),
			addr("br0", "10.0.0.1/24"),
		); err != nil {
			return err
		}
		list, err := host.Interfaces()
		if err != nil {
			return err
		}
		got := map[string]string{}
		for _, i := range list {
			var v4 []string
			for _, a := range i.Addresses {
				if a.Is4() {
					v4 = append(v4, a.String())
				}
			}
			got[i.Name] = i.Side.String() + " " + strings.Join(v4, " ")
			if i.Bridge != "" {
				got[i.Name] += "at " + i.Bridge
			}
			if (i.MAC != "") != (i.Side == vpc.Own) {
				t.Errorf("%s is %v and has the MAC address %q", i.Name, i.Side, i.MAC)
			}
			if !strings.HasPrefix(i.ID, "eni-") || len(i.ID) != 21 || i.AccountID != host.AccountID {
				t.Errorf("%s: %+v", i.Name, i)
			}
		}
		want := map[string]string{
			"card": "own 192.0.2.9 192.0.2.10", "cardx": "far ",
			"guest": "far ", "guestx": "far ", "port": "far at br0", "portx": "far ",
		}
		if tap != nil {
			want["tap0"] = "far "
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("interfaces (-want +got):\n%s", diff)
		}

		again, err := host.Interfaces()
		if err != nil {
			return err
		}
		for i := range list {
			if list[i].ID != again[i].ID {
				t.Errorf("%s is %s and then %s", list[i].Name, list[i].ID, again[i].ID)
			}
		}

		top := vpc.Default(list)
		if problems := top.Check(); len(problems) > 0 {
			t.Errorf("the default topology has problems: %v", problems)
		}
		if diff := cmp.Diff(list, top.Interfaces, cmpopts.EquateComparable(netip.Addr{})); diff != "" {
			t.Errorf("the default topology has other interfaces: %s", diff)
		}

		var devices Devices
		for name, want := range map[string]Found{"card": {Side: vpc.Own}, "guest": {}, "port": {Bridge: "br0"}} {
			if got, err := devices.Find(vpc.Device{Name: name}); got != want || err != nil {
				t.Errorf("find %s: %+v, %v, want %+v", name, got, err, want)
			}
		}
		if _, err := devices.Find(vpc.Device{Name: "gone"}); !errors.Is(err, ErrNoDevice) {
			t.Errorf("find gone: %v", err)
		}
		if _, err := devices.Find(vpc.Device{Namespace: "/run/netns/weir-gone", Name: "eth0"}); err == nil || errors.Is(err, ErrNoDevice) {
			t.Errorf("find in no namespace: %v", err)
		}

		host.Only = []string{"guest", "gone"}
		list, err = host.Interfaces()
		if !errors.Is(err, ErrNoDevice) || !strings.Contains(err.Error(), "gone") {
			t.Errorf("error %v, want ErrNoDevice that names it", err)
		}
		if len(list) != 1 || list[0].Name != "guest" || list[0].Side != vpc.Far {
			t.Errorf("only guest: %+v", list)
		}
		return nil
	})
}

func TestChanges(t *testing.T) {
	inHost(t, func() error {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		changes, err := Changes(ctx)
		if err != nil {
			return err
		}
		for _, change := range []struct {
			name string
			make func() error
		}{
			{"a device appears", func() error { return veth("v") }},
			{"an address appears", func() error { return addr("v", "192.0.2.9/24") }},
			{"a device vanishes", func() error {
				l, err := netlink.LinkByName("v")
				if err != nil {
					return err
				}
				return netlink.LinkDel(l)
			}},
		} {
			Settle(ctx)
			select {
			case <-changes: // of before
			default:
			}
			if err := change.make(); err != nil {
				return err
			}
			select {
			case <-changes:
			case <-ctx.Done():
				t.Fatalf("%s, and nobody says so", change.name)
			}
		}
		return nil
	})
}
