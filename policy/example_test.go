package policy_test

import (
	"fmt"
	"net/netip"

	"weir/policy"
	"weir/vpc"
)

// A web server's security group lets HTTPS in; somebody tries another port.
func Example() {
	anywhere := vpc.Peer{CIDR: netip.MustParsePrefix("0.0.0.0/0")}
	topology := &vpc.Topology{
		Interfaces: []vpc.Interface{{ID: "eni-1", GroupIDs: []string{"sg-1"}, Addresses: []netip.Addr{netip.MustParseAddr("10.0.1.10")}}},
		Groups: []vpc.SecurityGroup{{
			ID: "sg-1", Name: "web",
			Ingress: []vpc.GroupRule{{Traffic: vpc.Ports(vpc.TCP, 443, 443), Peer: anywhere}},
		}},
	}
	p, err := policy.Compile(topology, new(policy.MemoryIDs))
	if err != nil {
		fmt.Println(err)
		return
	}
	v := p.Evaluate("eni-1", policy.Ingress, policy.Packet{
		Src: netip.MustParseAddr("203.0.113.9"), Dst: netip.MustParseAddr("10.0.1.10"),
		Protocol: vpc.TCP, SrcPort: 40000, DstPort: 8443,
	}, policy.New)
	fmt.Println(v.Allowed, v.Stage)
	fmt.Println(v.Reason())
	fmt.Println(v.Nearest())
	for _, c := range v.Changes() {
		fmt.Println(c)
	}
	// Output:
	// false security group
	// security group web (sg-1): no ingress rule allows tcp from 203.0.113.9:40000 to 10.0.1.10:8443
	// web (sg-1) allows tcp 443 from 0.0.0.0/0, but the port is 8443
	// allow tcp 8443 from 203.0.113.9/32 in security group web (sg-1) ingress
}

// The words of a refusing rule as a field of a record.
func ExampleEscapeWords() {
	field := policy.EscapeWords("network ACL private (acl-1) ingress rule 100: deny tcp 22 from 10.0.0.0/8")
	fmt.Println(field)
	words, err := policy.UnescapeWords(field)
	fmt.Println(words, err)
	// Output:
	// network%20ACL%20private%20(acl-1)%20ingress%20rule%20100:%20deny%20tcp%2022%20from%2010.0.0.0/8
	// network ACL private (acl-1) ingress rule 100: deny tcp 22 from 10.0.0.0/8 <nil>
}
