package policy

import "weir/vpc"

// Direction is where a packet goes, seen from the network interface.
type Direction uint8

const (
	// Ingress: into the instance.
	Ingress Direction = iota
	// Egress: out of the instance.
	Egress
)

// String is the word that the record's field flow-direction has for it.
func (d Direction) String() string {
	if d == Egress {
		return "egress"
	}
	return "ingress"
}

// Door is where a device of that side sees the packets of this direction.
func (d Direction) Door(s vpc.Side) Door {
	if (s == vpc.Own) == (d == Ingress) {
		return Entering
	}
	return Leaving
}

// Stage is who judges a packet.
type Stage uint8

const (
	// Group: the security groups of the interface.
	Group Stage = iota
	// ACL: the network ACL of the interface's subnet.
	ACL
)

func (s Stage) String() string {
	if s == ACL {
		return "network ACL"
	}
	return "security group"
}

// stages is the order in which a packet meets them, by direction: on its way
// out the interface comes first, on its way in the subnet's border does.
var stages = [2][2]Stage{Ingress: {ACL, Group}, Egress: {Group, ACL}}

// State is what connection tracking knows of a packet.
type State uint8

const (
	// New: judged by the rules. What conntrack calls invalid or untracked is
	// New, too.
	New State = iota
	// Tracked: of a known connection (established) or caused by one (related,
	// an ICMP error for example). Security groups let it pass without looking;
	// a network ACL does not know the difference.
	Tracked
)

func (s State) String() string {
	if s == Tracked {
		return "tracked"
	}
	return "new"
}
