package ebpf

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/vishvananda/netlink"

	"weir/vpc"
)

// rig is a host with one device, and a guest at its other end.
type rig struct {
	host, guest *space
	tap         vpc.Interface
	wire        *sender
}

func newRig(t testing.TB) *rig {
	t.Helper()
	r := &rig{host: newSpace(t), guest: newSpace(t)}
	r.plug("tap")
	r.tap = r.host.iface("tap", "eni-tap")
	return r
}

// plug joins host and guest by a new pair.
func (r *rig) plug(dev string) {
	r.host.veth(dev, r.guest, "eth0")
	r.wire = r.guest.sender("eth0")
}

func wantTotals(t testing.TB, want, got totals) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("totals (-want +got)\n%s", diff)
	}
}

func TestDeviceAppears(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	c := openFor(t, Config{})
	must(t, c.Watch(nil))
	r.wire.sendN(5, datagram(1)) // nobody looks
	swap(t, c, totals{})
	must(t, c.Watch([]vpc.Interface{r.tap}))
	if got := c.Watching(); got != 1 {
		t.Errorf("watching %d, want 1", got)
	}
	got := totals{}
	r.wire.sendN(7, datagram(1))
	collect(t, c, got, 7)
	wantTotals(t, totals{"eni-tap in": datagrams(7)}, got)
}

// What a device counted before it vanished is delivered under its name, whether
// or not Watch was told first.
func TestDeviceVanishes(t *testing.T) {
	t.Parallel()
	for _, told := range []bool{true, false} {
		t.Run(fmt.Sprintf("told=%v", told), func(t *testing.T) {
			r := newRig(t)
			c := openFor(t, Config{})
			must(t, c.Watch([]vpc.Interface{r.tap}))
			r.wire.sendN(7, datagram(1))
			r.host.delete("tap")
			if told {
				must(t, c.Watch(nil))
			}
			got := totals{}
			collect(t, c, got, 7)
			wantTotals(t, totals{"eni-tap in": datagrams(7)}, got)
			if !told {
				err := c.Watch([]vpc.Interface{r.tap})
				if err == nil || !strings.Contains(err.Error(), "tap") {
					t.Errorf("Watch of a vanished device: %v, want an error that names it", err)
				}
			}
			for range 3 {
				swap(t, c, got)
			}
			s := swap(t, c, got)
			if len(s.Interfaces) != 0 || c.Watching() != 0 {
				t.Errorf("%+v still there", s.Interfaces)
			}
			var dev weirDevice
			var entry weirInterface
			if c.maps[weirMapInterfaces].Iterate().Next(&dev, &entry) {
				t.Errorf("the interface table still has %+v: %+v", dev, entry)
			}
		})
	}
}

func TestDeviceIsMadeAgainUnderItsName(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	c := openFor(t, Config{})
	must(t, c.Watch([]vpc.Interface{r.tap}))
	got := totals{}
	first := swap(t, c, got).Interfaces[0].Index
	r.wire.sendN(3, datagram(1))
	r.host.delete("tap")
	r.plug("tap")
	second := r.tap
	second.ID = "eni-again"
	must(t, c.Watch([]vpc.Interface{second}))
	r.wire.sendN(4, datagram(1))
	collect(t, c, got, 7)
	wantTotals(t, totals{"eni-tap in": datagrams(3), "eni-again in": datagrams(4)}, got)
	for _, i := range swap(t, c, got).Interfaces {
		if i.ID == "eni-again" && i.Index == first {
			t.Errorf("index %d was used again at once", first)
		}
	}
}

// An index may be used again once two swaps have been read since it was let go.
func TestIndexRestsForTwoSwaps(t *testing.T) {
	t.Parallel()
	host, guest := newSpace(t), newSpace(t)
	c := openFor(t, Config{})
	let := map[uint16]int{} // when an index was let go, in swaps
	previous := uint16(0)
	for n := range 8 {
		dev := fmt.Sprintf("tap%d", n)
		host.veth(dev, guest, dev)
		must(t, c.Watch([]vpc.Interface{host.iface(dev, "eni-"+dev)}))
		s := swap(t, c, totals{})
		for _, i := range s.Interfaces {
			if i.ID != "eni-"+dev {
				continue
			}
			if at, was := let[i.Index]; was && n-at < 2 {
				t.Errorf("swap %d: index %d used again after %d swaps", n, i.Index, n-at)
			}
			if previous != 0 {
				let[previous] = n
			}
			previous = i.Index
		}
	}
	if len(let) == 0 || previous > 4 {
		t.Errorf("indexes are not used again: %d after 8 devices", previous)
	}
}

func TestDeviceMovesBetweenNamespaces(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	other := newSpace(t)
	c := openFor(t, Config{})
	must(t, c.Watch([]vpc.Interface{r.tap}))
	got := totals{}
	r.wire.sendN(3, datagram(1))

	move(t, r.host, other, "tap")
	moved := other.iface("tap", "eni-tap")
	must(t, c.Watch([]vpc.Interface{moved}))
	r.wire.sendN(4, datagram(2))
	collect(t, c, got, 7)
	wantTotals(t, totals{"eni-tap in": datagrams(7)}, got)

	// There and back before anybody looks: the kernel has taken the programs off.
	move(t, other, r.host, "tap")
	move(t, r.host, other, "tap")
	must(t, c.Watch([]vpc.Interface{moved}))
	got = totals{}
	r.wire.sendN(5, datagram(3))
	collect(t, c, got, 5)
	wantTotals(t, totals{"eni-tap in": datagrams(5)}, got)
}

func move(t testing.TB, from, to *space, dev string) {
	t.Helper()
	from.do(func() error {
		l, err := netlink.LinkByName(dev)
		if err != nil {
			return err
		}
		return netlink.LinkSetNsFd(l, to.FD())
	})
	to.up(dev)
}

// The kernel may give a device's index to another one: in a namespace that has
// the inode number of one that is gone, or where somebody asks for it.
func TestDeviceIndexIsUsedAgain(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, id string
		want     totals
	}{
		{"same id", "eni-tap", totals{"eni-tap in": datagrams(3 + 4)}},
		{"another id", "eni-next", totals{"eni-tap in": datagrams(3), "eni-next in": datagrams(4)}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := &rig{host: newSpace(t), guest: newSpace(t)}
			c := openFor(t, Config{})
			plug := func() {
				r.host.do(func() error {
					return netlink.LinkAdd(&netlink.Veth{
						LinkAttrs: netlink.LinkAttrs{Name: "tap", Index: 100},
						PeerName:  "eth0", PeerNamespace: netlink.NsFd(r.guest.FD()),
					})
				})
				r.host.up("tap")
				r.guest.up("eth0")
				r.wire = r.guest.sender("eth0")
			}
			plug()
			must(t, c.Watch([]vpc.Interface{r.host.iface("tap", "eni-tap")}))
			r.wire.sendN(3, datagram(1))
			r.host.delete("tap")
			plug()
			must(t, c.Watch([]vpc.Interface{r.host.iface("tap", tt.id)}))
			r.wire.sendN(4, datagram(1))
			got := totals{}
			collect(t, c, got, 7)
			wantTotals(t, tt.want, got)
		})
	}
}

func (s *space) has(dev string) (found bool) {
	s.t.Helper()
	s.do(func() error {
		_, err := netlink.LinkByName(dev)
		found = err == nil
		return nil
	})
	return found
}

func TestMissingDeviceIsNamedAndTheOthersWatched(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	c := openFor(t, Config{})
	err := c.Watch([]vpc.Interface{
		r.host.iface("nobody", "eni-nobody"),
		r.tap,
		{ID: "eni-nowhere", Device: vpc.Device{Namespace: "/run/netns/weir-no-such", Name: "eth0"}},
	})
	if err == nil || !strings.Contains(err.Error(), "nobody") || !strings.Contains(err.Error(), "weir-no-such") {
		t.Errorf("error %v, want both missing ones named", err)
	}
	var e *Error
	if !errors.As(err, &e) || e.Hint() == "" {
		t.Errorf("error %#v, want one with a hint", err)
	}
	got := totals{}
	r.wire.sendN(2, datagram(1))
	collect(t, c, got, 2)
	wantTotals(t, totals{"eni-tap in": datagrams(2)}, got)
}

func TestInterfaceListedTwice(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	c := openFor(t, Config{})
	for range 2 {
		must(t, c.Watch([]vpc.Interface{r.tap, r.tap}))
	}
	got := totals{}
	r.wire.sendN(3, datagram(1))
	collect(t, c, got, 3)
	wantTotals(t, totals{"eni-tap in": datagrams(3)}, got)
	if c.Watching() != 1 {
		t.Errorf("watching %d, want 1", c.Watching())
	}
}

// A list that flaps must not lose what lies between, nor find its own programs
// in the way.
func TestDeviceIsLetGoAndWatchedAgain(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	c := openFor(t, Config{})
	got, want := totals{}, 0
	for n := range 20 {
		must(t, c.Watch([]vpc.Interface{r.tap}))
		r.wire.sendN(3, datagram(uint16(n)))
		want += 3
		must(t, c.Watch(nil))
		if n%5 == 0 {
			swap(t, c, got)
		}
	}
	collect(t, c, got, want)
	wantTotals(t, totals{"eni-tap in": datagrams(want)}, got)
}

// The same device under another id: what was counted before keeps the old one.
func TestInterfaceChangesItsID(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	c := openFor(t, Config{})
	must(t, c.Watch([]vpc.Interface{r.tap}))
	got := totals{}
	r.wire.sendN(3, datagram(1))
	renamed := r.tap
	renamed.ID = "eni-renamed"
	must(t, c.Watch([]vpc.Interface{renamed}))
	r.wire.sendN(4, datagram(1))
	collect(t, c, got, 7)
	wantTotals(t, totals{"eni-tap in": datagrams(3), "eni-renamed in": datagrams(4)}, got)
}

// An address that moves to another device finds it there, in whatever order the
// list and the end of the old device come.
func TestAddressMovesToAnotherDevice(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		list func(a, b vpc.Interface) []vpc.Interface // after b got the address that a had
	}{
		{"old device gone", func(a, b vpc.Interface) []vpc.Interface { return []vpc.Interface{b} }},
		{"old device listed before", func(a, b vpc.Interface) []vpc.Interface { return []vpc.Interface{a, b} }},
		{"old device listed after", func(a, b vpc.Interface) []vpc.Interface { return []vpc.Interface{b, a} }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			host, guest := newSpace(t), newSpace(t)
			host.veth("a", guest, "a")
			host.veth("b", guest, "b")
			c := openFor(t, Config{})
			a, b := host.iface("a", "eni-a", "10.0.0.9"), host.iface("b", "eni-b", "10.0.0.8")
			must(t, c.Watch([]vpc.Interface{a, b}))
			a.Addresses, b.Addresses = nil, a.Addresses
			must(t, c.Watch(tt.list(a, b)))
			inode, err := inodeOf(host.Path())
			must(t, err)
			var dev weirDevice
			must(t, c.maps[weirMapAddresses].Lookup(addressKey(inode, b.Addresses[0]), &dev))
			if want := uint32(host.ifindex("b")); dev.Ifindex != want {
				t.Errorf("the address is at device %d, want %d", dev.Ifindex, want)
			}
		})
	}
}

// How long it takes to watch many devices; the kernel waits for a grace period
// with each program that is attached. WEIR_DEVICES sets how many, 500 takes a
// minute.
func TestManyDevices(t *testing.T) {
	n := 40
	if s := os.Getenv("WEIR_DEVICES"); s != "" {
		var err error
		n, err = strconv.Atoi(s)
		must(t, err)
	}
	host, guest := newSpace(t), newSpace(t)
	var list []vpc.Interface
	host.do(func() error {
		for i := range n {
			dev := fmt.Sprintf("t%d", i)
			err := netlink.LinkAdd(&netlink.Veth{
				LinkAttrs: netlink.LinkAttrs{Name: dev, Flags: net.FlagUp, NumTxQueues: 1, NumRxQueues: 1},
				PeerName:  dev, PeerNamespace: netlink.NsFd(guest.FD()),
			})
			if err != nil {
				return err
			}
			list = append(list, host.iface(dev, "eni-"+dev))
		}
		return nil
	})
	c := openFor(t, Config{})
	begin := time.Now()
	must(t, c.Watch(list))
	attached := time.Since(begin)
	begin = time.Now()
	must(t, c.Watch(list))
	again := time.Since(begin)
	got := totals{}
	for _, i := range []int{0, n / 2, n - 1} {
		guest.up(fmt.Sprintf("t%d", i))
		guest.sender(fmt.Sprintf("t%d", i)).sendN(i+1, datagram(1))
	}
	collect(t, c, got, 1+n/2+1+n)
	wantTotals(t, totals{
		"eni-t0 in":                    datagrams(1),
		fmt.Sprintf("eni-t%d in", n/2): datagrams(n/2 + 1),
		fmt.Sprintf("eni-t%d in", n-1): datagrams(n),
	}, got)

	begin = time.Now()
	host.remove() // all of them at once, while they are watched
	await(t, "the devices to go", func() bool { return !guest.has("t0") })
	gone := time.Since(begin)
	begin = time.Now()
	err := c.Watch(list)
	if err == nil {
		t.Error("Watch found devices of a namespace that is gone")
	}
	letGo := time.Since(begin)
	if c.Watching() != 0 {
		t.Errorf("watching %d of nothing", c.Watching())
	}
	for range 3 {
		swap(t, c, got)
	}
	if left := len(c.watched); left != 0 {
		t.Errorf("%d interfaces are still known", left)
	}
	each := func(d time.Duration) time.Duration { return (d / time.Duration(n)).Round(time.Microsecond) }
	t.Logf("%d devices, each: attach %v, look again %v, vanish %v, let go %v", n, each(attached), each(again), each(gone), each(letGo))
}
