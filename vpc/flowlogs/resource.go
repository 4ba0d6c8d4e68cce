package flowlogs

import (
	"fmt"
	"strings"

	"weir/vpc"
)

// Topology answers whether a resource exists; [*vpc.Index] does.
type Topology interface {
	VPC(id string) *vpc.VPC
	Subnet(id string) *vpc.Subnet
	Interface(id string) *vpc.Interface
}

var _ Topology = (*vpc.Index)(nil)

// resourceTypes are the types that CreateFlowLogs knows, in its order.
var resourceTypes = []struct {
	name      string
	kind      string // what ids begin with
	supported bool
}{
	{VPC, vpc.KindVPC, true},
	{Subnet, vpc.KindSubnet, true},
	{NetworkInterface, vpc.KindInterface, true},
	{TransitGateway, "tgw", false},
	{TransitGatewayAttachment, "tgw-attach", false},
	{RegionalNATGateway, "nat", false},
}

// Most resources of one request (Amazon EC2 API Reference, CreateFlowLogs).
const (
	MaxResources        = 300
	MaxGatewayResources = 25
)

// TypeOf is the type of the resource with an id, or empty when it is none that a
// flow log can have.
func TypeOf(id string) string {
	if id == Everything {
		return EveryInterface
	}
	best, length := "", 0
	for _, t := range resourceTypes {
		if strings.HasPrefix(id, t.kind+"-") && len(t.kind) > length {
			best, length = t.name, len(t.kind)
		}
	}
	return best
}

func isGateway(resourceType string) bool {
	return resourceType == TransitGateway || resourceType == TransitGatewayAttachment
}

// checkResourceID checks the form of an id against the type. AWS's text for a
// prefix that does not fit is not known; this is the one it has for ids of other
// forms elsewhere.
func checkResourceID(id, resourceType string) *Error {
	for _, t := range resourceTypes {
		if t.name != resourceType {
			continue
		}
		if TypeOf(id) != resourceType || vpc.CheckID(t.kind, id) != nil {
			e := &Error{Code: InvalidValue, Param: paramResources, Message: fmt.Sprintf("Invalid id: %q (expecting \"%s-...\")", excerpt(id), t.kind)}
			if other := TypeOf(id); other != "" && other != resourceType {
				return e.withHint("%s is of type %s", excerpt(id), other)
			}
			return e
		}
	}
	return nil
}

// exists asks the topology for a resource. Without a topology everything exists.
func exists(t Topology, id, resourceType string) *Error {
	if t == nil {
		return nil
	}
	code, what, found := VPCNotFound, "vpc", true
	switch resourceType {
	case VPC:
		found = t.VPC(id) != nil
	case Subnet:
		code, what, found = SubnetNotFound, "subnet", t.Subnet(id) != nil
	case NetworkInterface:
		code, what, found = InterfaceNotFound, "networkInterface", t.Interface(id) != nil
	}
	if found {
		return nil
	}
	return &Error{Code: code, Param: paramResources, Message: fmt.Sprintf("The %s ID '%s' does not exist", what, id)}
}
