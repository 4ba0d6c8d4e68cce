package nft

import (
	"net/netip"
	"slices"
	"testing"

	"weir/policy"
)

func TestSpanSet(t *testing.T) {
	for _, tt := range []struct {
		in   []span
		want string
	}{
		{[]span{{80, 80}}, "80"},
		{[]span{{443, 443}, {80, 80}}, "{ 80, 443 }"},
		{[]span{{80, 90}, {91, 95}, {97, 97}}, "{ 80-95, 97 }"},
		{[]span{{1, 65535}, {5, 6}}, "1-65535"},
		{[]span{{10, 30}, {12, 14}, {31, 31}}, "10-31"},
		{[]span{{0, 0}, {65535, 65535}}, "{ 0, 65535 }"},
	} {
		if got := spanSet(tt.in); got != tt.want {
			t.Errorf("spanSet(%v) = %s, want %s", tt.in, got, tt.want)
		}
	}
}

func TestWidest(t *testing.T) {
	in := []netip.Prefix{cidr("10.1.0.0/16"), cidr("10.0.0.0/8"), cidr("11.0.0.0/8"), cidr("10.0.0.0/8"), cidr("9.9.9.9/32")}
	want := []netip.Prefix{cidr("9.9.9.9/32"), cidr("10.0.0.0/8"), cidr("11.0.0.0/8")}
	if got := widest(in); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestRanges(t *testing.T) {
	for _, tt := range []struct{ from, to, want string }{
		{"10.0.0.0", "10.0.0.255", "10.0.0.0/24"},
		{"10.0.0.1", "10.0.0.255", "10.0.0.1-10.0.0.255"},
		{"0.0.0.0", "255.255.255.255", "0.0.0.0/0"},
		{"::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "::/0"},
		{"2001:db8::", "2001:db8::1:0", "2001:db8::-2001:db8::1:0"},
	} {
		r := policy.Range{From: netip.MustParseAddr(tt.from), To: netip.MustParseAddr(tt.to)}
		if got := addressesOf(r); got != nil {
			t.Errorf("%v: %d addresses", r, len(got))
		}
		if got := rangeOf(r); got != tt.want {
			t.Errorf("rangeOf(%v) = %s, want %s", r, got, tt.want)
		}
	}
	few := policy.Range{From: netip.MustParseAddr("10.0.0.254"), To: netip.MustParseAddr("10.0.1.1")}
	if got, want := addressesOf(few), []string{"10.0.0.254", "10.0.0.255", "10.0.1.0", "10.0.1.1"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
