package policy

import (
	"fmt"
	"strings"

	"weir/vpc"
)

// label names a thing by its name, if it has one, and its id.
func label(name, id string) string {
	if name == "" {
		return id
	}
	return name + " (" + id + ")"
}

// toward is the word between a rule's traffic and its peer.
func toward(d Direction) string {
	if d == Egress {
		return "to"
	}
	return "from"
}

// end is what the packet's other end is to it.
func end(d Direction) string {
	if d == Egress {
		return "destination"
	}
	return "source"
}

func protocolWords(number uint8) string {
	return vpc.Traffic{Protocol: int(number), ICMPType: -1, ICMPCode: -1, To: 65535}.String()
}

// typeNames are the types that people meet, by protocol and type.
// Source: IANA, ICMP and ICMPv6 Parameters.
var typeNames = map[[2]uint8]string{
	{vpc.ICMP, 0}:     "echo reply",
	{vpc.ICMP, 3}:     "destination unreachable",
	{vpc.ICMP, 5}:     "redirect",
	{vpc.ICMP, 8}:     "echo request",
	{vpc.ICMP, 11}:    "time exceeded",
	{vpc.ICMPv6, 1}:   "destination unreachable",
	{vpc.ICMPv6, 2}:   "packet too big",
	{vpc.ICMPv6, 3}:   "time exceeded",
	{vpc.ICMPv6, 4}:   "parameter problem",
	{vpc.ICMPv6, 128}: "echo request",
	{vpc.ICMPv6, 129}: "echo reply",
}

// typeWords is an ICMP type: "type 8 (echo request)".
func typeWords(protocol, icmpType uint8) string {
	if name := typeNames[[2]uint8{protocol, icmpType}]; name != "" {
		return fmt.Sprintf("type %d (%s)", icmpType, name)
	}
	return fmt.Sprintf("type %d", icmpType)
}

// trafficWords is a rule's traffic: "tcp 443", "icmp type 8 (echo request)", "all traffic".
func trafficWords(t vpc.Traffic) string {
	switch {
	case t.Protocol == vpc.AnyProtocol:
		return "all traffic"
	case t.HasPorts() && t.From == 0 && t.To == 65535:
		return "all " + t.String()
	case t.IsICMP() && t.ICMPType == -1:
		return "all " + t.String()
	case t.IsICMP():
		words := vpc.ProtocolName(t.Protocol) + " " + typeWords(uint8(t.Protocol), uint8(t.ICMPType))
		if t.ICMPCode >= 0 {
			words += fmt.Sprintf(" code %d", t.ICMPCode)
		}
		return words
	}
	return t.String()
}

// groupsWords is "security group web (sg-1)" or "security groups base (sg-2), web (sg-1)".
func groupsWords(groups []*SecurityGroup) string {
	names := make([]string, len(groups))
	for i, g := range groups {
		names[i] = label(g.Name, g.ID)
	}
	if len(names) == 1 {
		return "security group " + names[0]
	}
	return "security groups " + strings.Join(names, ", ")
}

func aclWords(a *vpc.NetworkACL) string { return "network ACL " + label(a.Name, a.ID) }
