package policy

import (
	"crypto/sha256"
	"encoding/hex"
	"net/netip"
	"slices"
	"strconv"

	"weir/vpc"
)

// Rule is something that refuses or allows.
//
// What refuses is a deny rule of an ACL, an ACL's rule "*" (nothing matched), or
// a set of security groups of which no rule allows. The last two are about all
// the rules that might have allowed: their text is in the key, by hash.
type Rule struct {
	// ID names a refusing rule for ever, 1..MarkRuleMask. What allows needs no
	// mark and has none: 0.
	ID        uint32
	Stage     Stage
	Direction Direction
	Allow     bool
	// Key is what the rule is and says, as declared: ids, protocols, networks.
	// Equal keys have equal ids, and whatever changes what the rule says changes
	// the key. Names, descriptions and the addresses of a referenced group's
	// members are not in it (they come and go with the instances); the entries of
	// a prefix list are.
	Key   string
	Words string // for people: "network ACL private (acl-1) ingress rule 100: deny tcp 22 from 10.0.0.0/8"
	// IDs are the security groups, ascending, or the one ACL.
	IDs []string
	// Number is the ACL rule's, Last for "*", 0 for security groups.
	Number int
}

// Last is the number of an ACL's rule "*", as the EC2 API has it.
const Last = 32767

// Match is a rule's conditions, ready to be compared with packets.
type Match struct {
	Traffic vpc.Traffic
	Peer    vpc.Peer // as declared; always a CIDR in an ACL
	// Addresses are the peer's when it is a group or a prefix list, else nil.
	// Rules with the same peer share them.
	Addresses *Addresses
	Rule      *Rule // that this is: says whether it allows, and of an ACL its number
}

// matches reports whether the rule is about the packet.
func (m *Match) matches(other netip.Addr, k *Packet) bool {
	return m.matchesProtocol(k) && m.matchesPort(k) && m.matchesPeer(other)
}

func (m *Match) matchesProtocol(k *Packet) bool {
	return m.Traffic.Protocol == -1 || m.Traffic.Protocol == int(k.Protocol)
}

// matchesPort compares what lies below the protocol: the destination port, or
// ICMP's type and code.
func (m *Match) matchesPort(k *Packet) bool {
	t := &m.Traffic
	switch {
	case t.HasPorts():
		return t.From <= k.DstPort && k.DstPort <= t.To
	case t.IsICMP():
		return (t.ICMPType == -1 || t.ICMPType == int(k.ICMPType)) && (t.ICMPCode == -1 || t.ICMPCode == int(k.ICMPCode))
	}
	return true
}

func (m *Match) matchesPeer(other netip.Addr) bool {
	if m.Addresses != nil {
		return m.Addresses.Contains(other)
	}
	return m.Peer.CIDR.Contains(other)
}

// appendTraffic is the canonical text: "-1", "6/443-443", "1/8/-1", "47".
func appendTraffic(b []byte, t vpc.Traffic) []byte {
	b = strconv.AppendInt(b, int64(t.Protocol), 10)
	switch {
	case t.HasPorts():
		b = strconv.AppendUint(append(b, '/'), uint64(t.From), 10)
		b = strconv.AppendUint(append(b, '-'), uint64(t.To), 10)
	case t.IsICMP():
		b = strconv.AppendInt(append(b, '/'), int64(t.ICMPType), 10)
		b = strconv.AppendInt(append(b, '/'), int64(t.ICMPCode), 10)
	}
	return b
}

// digest is short and stable. 64 bits: ids are kept for the rules that ever were
// on one host, thousands, not billions.
func digest(texts []string) string {
	h := sha256.New()
	for _, t := range texts {
		h.Write([]byte(t))
		h.Write([]byte{'\n'})
	}
	return hex.EncodeToString(h.Sum(nil)[:8])
}

// digestUnordered is the digest of texts whose order and repetition say nothing.
func digestUnordered(texts []string) string {
	slices.Sort(texts)
	return digest(slices.Compact(texts))
}
