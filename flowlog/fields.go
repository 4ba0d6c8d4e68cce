package flowlog

import (
	"math"
	"net/netip"
)

const (
	both = VPC | TransitGateway
	// noFlow is when a field of the flow itself is "-".
	noFlow = "NODATA, SKIPDATA"
	noECS  = "not a task of ECS"
	noTag  = "no such tag"
	noVPC  = "not a VPC, " + noFlow
)

// fields is the one list. Order, versions and types are those of the Amazon VPC
// User Guide, "Flow log records" (version 8 to 11: as of June 2026), and of the
// Transit Gateway guide, "Transit gateway flow log records". The types of
// reject-reason, resource-id and encryption-status are not documented.
var fields = number([]Field{
	{
		Name: "version", Version: 2, Type: Int32, Family: both,
		Meaning: "record version: the highest version among the fields of the format",
		Dash:    "never",
		gateway: 1, kept: true, max: 255,
		number: func(r *Record) *int64 { return &r.Version },
	},
	{
		Name: "account-id", Version: 2, Type: String, Family: both, Unit: "account",
		Meaning: "account that owns the network interface, or the transit gateway",
		Dash:    "never; \"unknown\" for some service-created interfaces",
		gateway: 3, kept: true,
		text: func(r *Record) *string { return &r.AccountID },
	},
	{
		Name: "interface-id", Version: 2, Type: String, Family: VPC, Unit: "id",
		Meaning: "network interface the traffic was recorded at",
		Dash:    "traffic of a regional NAT gateway, see resource-id",
		kept:    true, idStart: "eni-",
		text: func(r *Record) *string { return &r.InterfaceID },
	},
	{
		Name: "srcaddr", Version: 2, Type: String, Family: both, Unit: "address",
		Meaning: "source address; egress: the interface's own primary private IPv4 address, or its IPv6 address",
		Dash:    noFlow,
		gateway: 17,
		address: func(r *Record) *netip.Addr { return &r.SrcAddr },
	},
	{
		Name: "dstaddr", Version: 2, Type: String, Family: both, Unit: "address",
		Meaning: "destination address; ingress: the interface's own primary private IPv4 address, or its IPv6 address",
		Dash:    noFlow,
		gateway: 18,
		address: func(r *Record) *netip.Addr { return &r.DstAddr },
	},
	{
		Name: "srcport", Version: 2, Type: Int32, Family: both, Unit: "port",
		Meaning: "source port; 0 for protocols without ports and for later fragments",
		Dash:    noFlow,
		gateway: 19, max: 65535,
		number: func(r *Record) *int64 { return &r.SrcPort },
	},
	{
		Name: "dstport", Version: 2, Type: Int32, Family: both, Unit: "port",
		Meaning: "destination port; 0 as for srcport",
		Dash:    noFlow,
		gateway: 20, max: 65535,
		number: func(r *Record) *int64 { return &r.DstPort },
	},
	{
		Name: "protocol", Version: 2, Type: Int32, Family: both, Unit: "IANA number",
		Meaning: "protocol: 1 ICMP, 6 TCP, 17 UDP, 58 ICMPv6",
		Dash:    noFlow,
		gateway: 21, max: 255,
		number: func(r *Record) *int64 { return &r.Protocol },
	},
	{
		Name: "packets", Version: 2, Type: Int64, Family: both, Unit: "packets",
		Meaning: "packets of the flow in the interval",
		Dash:    noFlow,
		gateway: 22, max: math.MaxInt64,
		number: func(r *Record) *int64 { return &r.Packets },
	},
	{
		Name: "bytes", Version: 2, Type: Int64, Family: both, Unit: "bytes",
		Meaning: "IP bytes of the flow in the interval",
		Dash:    noFlow + ", VPC Block Public Access",
		gateway: 23, max: math.MaxInt64,
		number: func(r *Record) *int64 { return &r.Bytes },
	},
	{
		Name: "start", Version: 2, Type: Int64, Family: both, Unit: "Unix seconds",
		Meaning: "first packet of the flow in the interval; NODATA, SKIPDATA: begin of the window",
		Dash:    "never",
		gateway: 24, kept: true, max: math.MaxInt64,
		number: func(r *Record) *int64 { return &r.Start },
	},
	{
		Name: "end", Version: 2, Type: Int64, Family: both, Unit: "Unix seconds",
		Meaning: "last packet of the flow in the interval; NODATA, SKIPDATA: end of the window",
		Dash:    "never",
		gateway: 25, kept: true, max: math.MaxInt64,
		number: func(r *Record) *int64 { return &r.End },
	},
	{
		Name: "action", Version: 2, Type: String, Family: VPC,
		Meaning: "ACCEPT, or REJECT when a security group, network ACL or firewall refused it",
		Dash:    noFlow,
		text:    func(r *Record) *string { return &r.Action },
	},
	{
		Name: "log-status", Version: 2, Type: String, Family: both,
		Meaning: "OK, NODATA (no traffic in the interval) or SKIPDATA (records were skipped)",
		Dash:    "never",
		gateway: 26, kept: true,
		text: func(r *Record) *string { return &r.LogStatus },
	},

	{
		Name: "vpc-id", Version: 3, Type: String, Family: VPC, Unit: "id",
		Meaning: "VPC of the network interface",
		Dash:    "no VPC",
		kept:    true, idStart: "vpc-",
		text: func(r *Record) *string { return &r.VPCID },
	},
	{
		Name: "subnet-id", Version: 3, Type: String, Family: VPC, Unit: "id",
		Meaning: "subnet of the network interface",
		Dash:    "no subnet",
		kept:    true, idStart: "subnet-",
		text: func(r *Record) *string { return &r.SubnetID },
	},
	{
		Name: "instance-id", Version: 3, Type: String, Family: VPC, Unit: "id",
		Meaning: "instance the network interface is attached to",
		Dash:    "requester-managed interfaces",
		kept:    true, idStart: "i-",
		text: func(r *Record) *string { return &r.InstanceID },
	},
	{
		Name: "tcp-flags", Version: 3, Type: Int32, Family: both, Unit: "bit mask",
		Meaning: "FIN 1, SYN 2, RST 4, SYN-ACK 18, or-ed over the interval; 0 when none",
		Dash:    "the flags cannot be, " + noFlow,
		gateway: 32, max: 255,
		number: func(r *Record) *int64 { return &r.TCPFlags },
	},
	{
		Name: "type", Version: 3, Type: String, Family: both,
		Meaning: "IPv4, IPv6 or EFA",
		Dash:    noFlow,
		gateway: 27,
		text:    func(r *Record) *string { return &r.Type },
	},
	{
		Name: "pkt-srcaddr", Version: 3, Type: String, Family: VPC, Unit: "address",
		Meaning: "source address as it stood in the packet",
		Dash:    noFlow,
		address: func(r *Record) *netip.Addr { return &r.PktSrcAddr },
	},
	{
		Name: "pkt-dstaddr", Version: 3, Type: String, Family: VPC, Unit: "address",
		Meaning: "destination address as it stood in the packet",
		Dash:    noFlow,
		address: func(r *Record) *netip.Addr { return &r.PktDstAddr },
	},

	{
		Name: "region", Version: 4, Type: String, Family: both,
		Meaning: "region of the network interface",
		Dash:    "no region",
		gateway: 33, kept: true,
		text: func(r *Record) *string { return &r.Region },
	},
	{
		Name: "az-id", Version: 4, Type: String, Family: VPC, Unit: "id",
		Meaning: "availability zone id of the network interface",
		Dash:    "sublocations",
		kept:    true,
		text:    func(r *Record) *string { return &r.ZoneID },
	},
	{
		Name: "sublocation-type", Version: 4, Type: String, Family: VPC,
		Meaning: "wavelength, outpost or localzone",
		Dash:    "not a sublocation",
		kept:    true,
		text:    func(r *Record) *string { return &r.SublocationType },
	},
	{
		Name: "sublocation-id", Version: 4, Type: String, Family: VPC, Unit: "id",
		Meaning: "sublocation of the network interface",
		Dash:    "not a sublocation",
		kept:    true,
		text:    func(r *Record) *string { return &r.SublocationID },
	},

	{
		Name: "pkt-src-aws-service", Version: 5, Type: String, Family: both,
		Meaning: "AWS service that the address pkt-srcaddr belongs to",
		Dash:    "not an address of a service",
		gateway: 35,
		text:    func(r *Record) *string { return &r.PktSrcAWSService },
	},
	{
		Name: "pkt-dst-aws-service", Version: 5, Type: String, Family: both,
		Meaning: "AWS service that the address pkt-dstaddr belongs to",
		Dash:    "not an address of a service",
		gateway: 36,
		text:    func(r *Record) *string { return &r.PktDstAWSService },
	},
	{
		Name: "flow-direction", Version: 5, Type: String, Family: both,
		Meaning: "ingress or egress, seen from the network interface",
		Dash:    noFlow,
		gateway: 34,
		text:    func(r *Record) *string { return &r.Direction },
	},
	{
		Name: "traffic-path", Version: 5, Type: Int32, Family: VPC,
		Meaning: "egress path: 1 same VPC, 2 internet gateway or gateway endpoint, 3 virtual private gateway, 4 peering in the region, 5 peering between regions, 6 local gateway, 7 gateway endpoint, 8 internet gateway",
		Dash:    "ingress, or no path applies",
		min:     1, max: 255,
		number: func(r *Record) *int64 { return &r.TrafficPath },
	},

	{
		Name: "ecs-cluster-arn", Version: 7, Type: String, Family: VPC, Unit: "ARN",
		Meaning: "ECS cluster of the task",
		Dash:    noECS,
		text:    func(r *Record) *string { return &r.ECSClusterARN },
	},
	{
		Name: "ecs-cluster-name", Version: 7, Type: String, Family: VPC,
		Meaning: "name of the ECS cluster",
		Dash:    noECS,
		text:    func(r *Record) *string { return &r.ECSClusterName },
	},
	{
		Name: "ecs-container-instance-arn", Version: 7, Type: String, Family: VPC, Unit: "ARN",
		Meaning: "container instance of the task",
		Dash:    noECS + ", Fargate",
		text:    func(r *Record) *string { return &r.ECSContainerInstanceARN },
	},
	{
		Name: "ecs-container-instance-id", Version: 7, Type: String, Family: VPC, Unit: "id",
		Meaning: "container instance of the task",
		Dash:    noECS + ", Fargate",
		text:    func(r *Record) *string { return &r.ECSContainerInstanceID },
	},
	{
		Name: "ecs-container-id", Version: 7, Type: String, Family: VPC, Unit: "id",
		Meaning: "first container of the task",
		Dash:    noECS,
		text:    func(r *Record) *string { return &r.ECSContainerID },
	},
	{
		Name: "ecs-second-container-id", Version: 7, Type: String, Family: VPC, Unit: "id",
		Meaning: "second container of the task",
		Dash:    "only one container, " + noECS,
		text:    func(r *Record) *string { return &r.ECSSecondContainerID },
	},
	{
		Name: "ecs-service-name", Version: 7, Type: String, Family: VPC,
		Meaning: "service that started the task",
		Dash:    "not started by a service, " + noECS,
		text:    func(r *Record) *string { return &r.ECSServiceName },
	},
	{
		Name: "ecs-task-definition-arn", Version: 7, Type: String, Family: VPC, Unit: "ARN",
		Meaning: "task definition",
		Dash:    noECS,
		text:    func(r *Record) *string { return &r.ECSTaskDefinitionARN },
	},
	{
		Name: "ecs-task-arn", Version: 7, Type: String, Family: VPC, Unit: "ARN",
		Meaning: "task",
		Dash:    noECS,
		text:    func(r *Record) *string { return &r.ECSTaskARN },
	},
	{
		Name: "ecs-task-id", Version: 7, Type: String, Family: VPC, Unit: "id",
		Meaning: "task",
		Dash:    noECS,
		text:    func(r *Record) *string { return &r.ECSTaskID },
	},

	{
		Name: "reject-reason", Version: 8, Type: String, Family: VPC,
		Meaning: "BPA (VPC Block Public Access) or EC (encryption controls)",
		Dash:    "accepted, or refused for another reason",
		text:    func(r *Record) *string { return &r.RejectReason },
	},

	{
		Name: "resource-id", Version: 9, Type: String, Family: VPC, Unit: "id",
		Meaning: "resource where there is no network interface: a regional NAT gateway",
		Dash:    "there is a network interface",
		kept:    true,
		text:    func(r *Record) *string { return &r.ResourceID },
	},

	{
		Name: "encryption-status", Version: 10, Type: Int32, Family: VPC,
		Meaning: "0 not encrypted, 1 by the instances, 2 by the application, 3 both",
		Dash:    "unknown, or no encryption controls",
		max:     255,
		number:  func(r *Record) *int64 { return &r.EncryptionStatus },
	},

	{
		Name: "instance-tag", Version: 11, Type: String, Family: VPC, Unit: "tag value",
		Meaning: "first tag of the instance that the flow log asks for, percent-encoded",
		Dash:    noTag,
		kept:    true,
		text:    func(r *Record) *string { return &r.InstanceTag },
	},
	{
		Name: "instance-tag-2", Version: 11, Type: String, Family: VPC, Unit: "tag value",
		Meaning: "second tag of the instance",
		Dash:    noTag,
		kept:    true,
		text:    func(r *Record) *string { return &r.InstanceTag2 },
	},
	{
		Name: "interface-tag", Version: 11, Type: String, Family: VPC, Unit: "tag value",
		Meaning: "first tag of the network interface",
		Dash:    noTag,
		kept:    true,
		text:    func(r *Record) *string { return &r.InterfaceTag },
	},
	{
		Name: "interface-tag-2", Version: 11, Type: String, Family: VPC, Unit: "tag value",
		Meaning: "second tag of the network interface",
		Dash:    noTag,
		kept:    true,
		text:    func(r *Record) *string { return &r.InterfaceTag2 },
	},
	{
		Name: "asg-tag", Version: 11, Type: String, Family: VPC, Unit: "tag value",
		Meaning: "first tag of the instance's Auto Scaling group",
		Dash:    noTag,
		kept:    true,
		text:    func(r *Record) *string { return &r.ASGTag },
	},
	{
		Name: "asg-tag-2", Version: 11, Type: String, Family: VPC, Unit: "tag value",
		Meaning: "second tag of the instance's Auto Scaling group",
		Dash:    noTag,
		kept:    true,
		text:    func(r *Record) *string { return &r.ASGTag2 },
	},
	{
		Name: "interface-type", Version: 11, Type: String, Family: VPC,
		Meaning: "nat_gateway, network_load_balancer, regional_nat_gateway, transit_gateway or vpc_endpoint",
		Dash:    "another type",
		kept:    true,
		text:    func(r *Record) *string { return &r.InterfaceType },
	},
	{
		Name: "next-hop-interface-id", Version: 11, Type: String, Family: VPC, Unit: "id",
		Meaning: "network interface the traffic goes to (egress) or came from (ingress)",
		Dash:    "not known",
		idStart: "eni-",
		text:    func(r *Record) *string { return &r.NextHopInterfaceID },
	},
	{
		Name: "next-hop-subnet-id", Version: 11, Type: String, Family: VPC, Unit: "id",
		Meaning: "subnet of the next hop",
		Dash:    "not known",
		idStart: "subnet-",
		text:    func(r *Record) *string { return &r.NextHopSubnetID },
	},
	{
		Name: "next-hop-az-id", Version: 11, Type: String, Family: VPC, Unit: "id",
		Meaning: "availability zone id of the next hop",
		Dash:    "not known",
		text:    func(r *Record) *string { return &r.NextHopZoneID },
	},
	{
		Name: "next-hop-vpc-id", Version: 11, Type: String, Family: VPC, Unit: "id",
		Meaning: "VPC of the next hop",
		Dash:    "not known",
		idStart: "vpc-",
		text:    func(r *Record) *string { return &r.NextHopVPCID },
	},
	{
		Name: "next-hop-interface-type", Version: 11, Type: String, Family: VPC,
		Meaning: "type of the next hop, as interface-type",
		Dash:    "another type, or not known",
		text:    func(r *Record) *string { return &r.NextHopInterfaceType },
	},

	{
		Name: "resource-type", Version: 6, Type: String, Family: TransitGateway,
		Meaning: "TransitGateway or TransitGatewayAttachment: what the flow log is of",
		Dash:    "never",
		gateway: 2, kept: true,
		text: func(r *Record) *string { return &r.ResourceType },
	},
	{
		Name: "tgw-id", Version: 6, Type: String, Family: TransitGateway, Unit: "id",
		Meaning: "transit gateway the traffic was recorded at",
		Dash:    "never",
		gateway: 4, kept: true, idStart: "tgw-",
		text: func(r *Record) *string { return &r.TGWID },
	},
	{
		Name: "tgw-attachment-id", Version: 6, Type: String, Family: TransitGateway, Unit: "id",
		Meaning: "attachment the traffic was recorded at",
		Dash:    "not known",
		gateway: 5, kept: true, idStart: "tgw-attach-",
		text: func(r *Record) *string { return &r.TGWAttachmentID },
	},
	{
		Name: "tgw-src-vpc-account-id", Version: 6, Type: String, Family: TransitGateway, Unit: "account",
		Meaning: "account of the source VPC",
		Dash:    noVPC,
		gateway: 6,
		text:    func(r *Record) *string { return &r.TGWSrcVPCAccountID },
	},
	{
		Name: "tgw-dst-vpc-account-id", Version: 6, Type: String, Family: TransitGateway, Unit: "account",
		Meaning: "account of the destination VPC",
		Dash:    noVPC,
		gateway: 7,
		text:    func(r *Record) *string { return &r.TGWDstVPCAccountID },
	},
	{
		Name: "tgw-src-vpc-id", Version: 6, Type: String, Family: TransitGateway, Unit: "id",
		Meaning: "source VPC",
		Dash:    noVPC,
		gateway: 8, idStart: "vpc-",
		text: func(r *Record) *string { return &r.TGWSrcVPCID },
	},
	{
		Name: "tgw-dst-vpc-id", Version: 6, Type: String, Family: TransitGateway, Unit: "id",
		Meaning: "destination VPC",
		Dash:    noVPC,
		gateway: 9, idStart: "vpc-",
		text: func(r *Record) *string { return &r.TGWDstVPCID },
	},
	{
		Name: "tgw-src-subnet-id", Version: 6, Type: String, Family: TransitGateway, Unit: "id",
		Meaning: "subnet of the source attachment",
		Dash:    noVPC,
		gateway: 10, idStart: "subnet-",
		text: func(r *Record) *string { return &r.TGWSrcSubnetID },
	},
	{
		Name: "tgw-dst-subnet-id", Version: 6, Type: String, Family: TransitGateway, Unit: "id",
		Meaning: "subnet of the destination attachment",
		Dash:    noVPC,
		gateway: 11, idStart: "subnet-",
		text: func(r *Record) *string { return &r.TGWDstSubnetID },
	},
	{
		Name: "tgw-src-eni", Version: 6, Type: String, Family: TransitGateway, Unit: "id",
		Meaning: "network interface of the source attachment",
		Dash:    noVPC,
		gateway: 12, idStart: "eni-",
		text: func(r *Record) *string { return &r.TGWSrcENI },
	},
	{
		Name: "tgw-dst-eni", Version: 6, Type: String, Family: TransitGateway, Unit: "id",
		Meaning: "network interface of the destination attachment",
		Dash:    noVPC,
		gateway: 13, idStart: "eni-",
		text: func(r *Record) *string { return &r.TGWDstENI },
	},
	{
		Name: "tgw-src-az-id", Version: 6, Type: String, Family: TransitGateway, Unit: "id",
		Meaning: "availability zone id of the source attachment",
		Dash:    "sublocations, " + noVPC,
		gateway: 14,
		text:    func(r *Record) *string { return &r.TGWSrcZoneID },
	},
	{
		Name: "tgw-dst-az-id", Version: 6, Type: String, Family: TransitGateway, Unit: "id",
		Meaning: "availability zone id of the destination attachment",
		Dash:    noVPC,
		gateway: 15,
		text:    func(r *Record) *string { return &r.TGWDstZoneID },
	},
	{
		Name: "tgw-pair-attachment-id", Version: 6, Type: String, Family: TransitGateway, Unit: "id",
		Meaning: "the other attachment of the flow",
		Dash:    noFlow,
		gateway: 16, idStart: "tgw-attach-",
		text: func(r *Record) *string { return &r.TGWPairAttachmentID },
	},
	{
		Name: "packets-lost-no-route", Version: 6, Type: Int64, Family: TransitGateway, Unit: "packets",
		Meaning: "packets lost because no route was known",
		Dash:    noFlow,
		gateway: 28, max: math.MaxInt64,
		number: func(r *Record) *int64 { return &r.PacketsLostNoRoute },
	},
	{
		Name: "packets-lost-blackhole", Version: 6, Type: Int64, Family: TransitGateway, Unit: "packets",
		Meaning: "packets lost at a blackhole route",
		Dash:    noFlow,
		gateway: 29, max: math.MaxInt64,
		number: func(r *Record) *int64 { return &r.PacketsLostBlackhole },
	},
	{
		Name: "packets-lost-mtu-exceeded", Version: 6, Type: Int64, Family: TransitGateway, Unit: "packets",
		Meaning: "packets lost because they were longer than the MTU",
		Dash:    noFlow,
		gateway: 30, max: math.MaxInt64,
		number: func(r *Record) *int64 { return &r.PacketsLostMTUExceeded },
	},
	{
		Name: "packets-lost-ttl-expired", Version: 6, Type: Int64, Family: TransitGateway, Unit: "packets",
		Meaning: "packets lost because their time to live ran out",
		Dash:    noFlow,
		gateway: 31, max: math.MaxInt64,
		number: func(r *Record) *int64 { return &r.PacketsLostTTLExpired },
	},

	{
		Name: "weir-rule-id", Version: 0, Type: Int64, Family: VPC, Unit: "id",
		Meaning: "rule of the security group or network ACL that refused the flow",
		Dash:    "accepted, or refused by a firewall that Weir did not write",
		min:     1, max: math.MaxInt64,
		number: func(r *Record) *int64 { return &r.RuleID },
	},
	{
		Name: "weir-rule", Version: 0, Type: String, Family: VPC,
		Meaning: "that rule in words, percent-encoded",
		Dash:    "as weir-rule-id",
		text:    func(r *Record) *string { return &r.Rule },
	},
	{
		Name: "weir-drop-reason", Version: 0, Type: String, Family: VPC,
		Meaning: "the kernel's reason for dropping the packets",
		Dash:    "accepted",
		text:    func(r *Record) *string { return &r.DropReason },
	},
})

// number tells each field its place.
func number(list []Field) []Field {
	for i := range list {
		list[i].place = i
	}
	return list
}
