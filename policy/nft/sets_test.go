package nft

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"weir/policy"
)

func TestMerge(t *testing.T) {
	for _, tt := range []struct {
		in   []span
		want string
	}{
		{[]span{{80, 80}}, "[80]"},
		{[]span{{443, 443}, {80, 80}}, "[80 443]"},
		{[]span{{80, 90}, {91, 95}, {97, 97}}, "[80-95 97]"},
		{[]span{{1, 65535}, {5, 6}}, "[1-65535]"},
		{[]span{{10, 30}, {12, 14}, {31, 31}}, "[10-31]"},
		{[]span{{0, 0}, {65535, 65535}}, "[0 65535]"},
	} {
		if got := fmt.Sprint(merge(tt.in)); got != tt.want {
			t.Errorf("%v: got %s, want %s", tt.in, got, tt.want)
		}
	}
}

func TestNetworksOfARange(t *testing.T) {
	for _, tt := range []struct{ from, to, want string }{
		{"10.0.0.0", "10.0.0.255", "10.0.0.0/24"},
		{"10.0.0.254", "10.0.1.1", "10.0.0.254/32 10.0.0.255/32 10.0.1.0/32 10.0.1.1/32"},
		{"10.0.0.16", "10.0.0.31", "10.0.0.16/32 … 10.0.0.31/32"},
		{"10.0.0.1", "10.0.0.31", "10.0.0.1/32 10.0.0.2/31 10.0.0.4/30 10.0.0.8/29 10.0.0.16/28"},
		{"0.0.0.0", "255.255.255.255", "0.0.0.0/0"},
		{"255.255.255.250", "255.255.255.255", "255.255.255.250/32 … 255.255.255.255/32"},
		{"255.255.255.0", "255.255.255.255", "255.255.255.0/24"},
		{"::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "::/0"},
		{"2001:db8::", "2001:db8::1:0", "2001:db8::/112 2001:db8::1:0/128"},
	} {
		got := appendNetworks(nil, policy.Range{From: netip.MustParseAddr(tt.from), To: netip.MustParseAddr(tt.to)})
		words := make([]string, len(got))
		for n, p := range got {
			words[n] = p.String()
		}
		text := strings.Join(words, " ")
		if strings.Contains(tt.want, "…") {
			text = words[0] + " … " + words[len(words)-1]
		}
		if text != tt.want {
			t.Errorf("%s to %s: got %s, want %s", tt.from, tt.to, text, tt.want)
		}
	}
}
