package derive

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"weir/flowlog"
)

// vpcTable is the Amazon VPC User Guide, "Flow log records", by hand: name,
// version, Parquet type, name in Logs Insights. It is not made from the table
// that it is compared with. The Insights names of version 2 are documented (CloudWatch
// Logs User Guide, "Supported logs and discovered fields"), others seen in
// queries of public tools; those of version 7 and later follow the same rule.
const vpcTable = `
version                    2 int32  version
account-id                 2 string accountId
interface-id               2 string interfaceId
srcaddr                    2 string srcAddr
dstaddr                    2 string dstAddr
srcport                    2 int32  srcPort
dstport                    2 int32  dstPort
protocol                   2 int32  protocol
packets                    2 int64  packets
bytes                      2 int64  bytes
start                      2 int64  start
end                        2 int64  end
action                     2 string action
log-status                 2 string logStatus
vpc-id                     3 string vpcId
subnet-id                  3 string subnetId
instance-id                3 string instanceId
tcp-flags                  3 int32  tcpFlags
type                       3 string type
pkt-srcaddr                3 string pktSrcAddr
pkt-dstaddr                3 string pktDstAddr
region                     4 string region
az-id                      4 string azId
sublocation-type           4 string sublocationType
sublocation-id             4 string sublocationId
pkt-src-aws-service        5 string pktSrcAwsService
pkt-dst-aws-service        5 string pktDstAwsService
flow-direction             5 string flowDirection
traffic-path               5 int32  trafficPath
ecs-cluster-arn            7 string ecsClusterArn
ecs-cluster-name           7 string ecsClusterName
ecs-container-instance-arn 7 string ecsContainerInstanceArn
ecs-container-instance-id  7 string ecsContainerInstanceId
ecs-container-id           7 string ecsContainerId
ecs-second-container-id    7 string ecsSecondContainerId
ecs-service-name           7 string ecsServiceName
ecs-task-definition-arn    7 string ecsTaskDefinitionArn
ecs-task-arn               7 string ecsTaskArn
ecs-task-id                7 string ecsTaskId
reject-reason              8 string rejectReason
resource-id                9 string resourceId
encryption-status         10 int32  encryptionStatus
instance-tag              11 string instanceTag
instance-tag-2            11 string instanceTag2
interface-tag             11 string interfaceTag
interface-tag-2           11 string interfaceTag2
asg-tag                   11 string asgTag
asg-tag-2                 11 string asgTag2
interface-type            11 string interfaceType
next-hop-interface-id     11 string nextHopInterfaceId
next-hop-subnet-id        11 string nextHopSubnetId
next-hop-az-id            11 string nextHopAzId
next-hop-vpc-id           11 string nextHopVpcId
next-hop-interface-type   11 string nextHopInterfaceType
`

// gatewayTable is the Transit Gateway guide, "Transit gateway flow log records",
// which is also the order of the default format. Nobody documents Insights names
// for it.
const gatewayTable = `
version                   2 int32
resource-type             6 string
account-id                2 string
tgw-id                    6 string
tgw-attachment-id         6 string
tgw-src-vpc-account-id    6 string
tgw-dst-vpc-account-id    6 string
tgw-src-vpc-id            6 string
tgw-dst-vpc-id            6 string
tgw-src-subnet-id         6 string
tgw-dst-subnet-id         6 string
tgw-src-eni               6 string
tgw-dst-eni               6 string
tgw-src-az-id             6 string
tgw-dst-az-id             6 string
tgw-pair-attachment-id    6 string
srcaddr                   2 string
dstaddr                   2 string
srcport                   2 int32
dstport                   2 int32
protocol                  2 int64
packets                   2 int64
bytes                     2 int64
start                     2 int64
end                       2 int64
log-status                2 string
type                      3 string
packets-lost-no-route     6 int64
packets-lost-blackhole    6 int64
packets-lost-mtu-exceeded 6 int64
packets-lost-ttl-expired  6 int64
tcp-flags                 3 int32
region                    4 string
flow-direction            5 string
pkt-src-aws-service       5 string
pkt-dst-aws-service       5 string
`

const extensionTable = `
weir-rule-id     0 int64
weir-rule        0 string
weir-drop-reason 0 string
`

// byHand is a table's lines, blanks squeezed.
func byHand(table string) (lines []string) {
	for line := range strings.Lines(strings.TrimSpace(table)) {
		lines = append(lines, strings.Join(strings.Fields(line), " "))
	}
	return lines
}

func TestVPCFieldsAreTheGuides(t *testing.T) {
	var got []string
	for _, f := range flowlog.Fields() {
		if f.Family&flowlog.VPC != 0 && !f.Extension() {
			got = append(got, fmt.Sprintln(f.Name, f.Version, f.TypeIn(flowlog.VPC), f.Insights()))
		}
	}
	if diff := cmp.Diff(byHand(vpcTable), byHand(strings.Join(got, ""))); diff != "" {
		t.Errorf("VPC fields (-guide +table):\n%s", diff)
	}
}

func TestGatewayFormatIsTheGuides(t *testing.T) {
	var got []string
	format := flowlog.GatewayFormat()
	for i, f := range format.Fields() {
		got = append(got, fmt.Sprintf("%s %d %s", f.Name, f.Version, format.ColumnType(i)))
	}
	if diff := cmp.Diff(byHand(gatewayTable), got); diff != "" {
		t.Errorf("default format of transit gateways (-guide +format):\n%s", diff)
	}
	if format.Version() != 6 {
		t.Errorf("its version is %d, want 6", format.Version())
	}
	for _, f := range flowlog.Fields() {
		if f.Family&flowlog.TransitGateway != 0 && !format.Has(f.Name) {
			t.Errorf("%s is of transit gateways, but not in their default format", f.Name)
		}
	}
}

func TestDefaultFormatIsTheGuides(t *testing.T) {
	const want = "${version} ${account-id} ${interface-id} ${srcaddr} ${dstaddr} ${srcport} ${dstport} ${protocol} ${packets} ${bytes} ${start} ${end} ${action} ${log-status}"
	if got := flowlog.DefaultFormat().String(); got != want {
		t.Errorf("default format\n%s\nwant\n%s", got, want)
	}
	if v := flowlog.DefaultFormat().Version(); v != 2 {
		t.Errorf("its version is %d, want 2", v)
	}
}

func TestExtensions(t *testing.T) {
	var got []string
	for _, f := range flowlog.Fields() {
		if f.Extension() {
			got = append(got, fmt.Sprintf("%s %d %s", f.Name, f.Version, f.Type))
		}
	}
	if diff := cmp.Diff(byHand(extensionTable), got); diff != "" {
		t.Errorf("extension fields (-want +got):\n%s", diff)
	}
}

// How many fields a VPC's record of each version can have.
func TestFieldsPerVersion(t *testing.T) {
	for version, want := range map[int]int{2: 14, 3: 21, 4: 25, 5: 29, 6: 29, 7: 39, 8: 40, 9: 41, 10: 42, 11: 54} {
		got := 0
		for _, f := range flowlog.Fields() {
			if f.Family&flowlog.VPC != 0 && !f.Extension() && f.Version <= version {
				got++
			}
		}
		if got != want {
			t.Errorf("%d fields up to version %d, want %d", got, version, want)
		}
	}
}

// What NODATA and SKIPDATA records keep, of either family.
func TestKeptFields(t *testing.T) {
	// Documented or seen, and kept by choice: what else is the interface's own.
	const want = `version account-id interface-id start end log-status vpc-id subnet-id instance-id
region az-id sublocation-type sublocation-id resource-id
instance-tag instance-tag-2 interface-tag interface-tag-2 asg-tag asg-tag-2 interface-type
resource-type tgw-id tgw-attachment-id`
	var got []string
	kept := map[string]bool{}
	for name := range strings.FieldsSeq(want) {
		kept[name] = true
	}
	for _, f := range flowlog.Fields() {
		if f.Kept() != kept[f.Name] {
			got = append(got, f.Name)
		}
	}
	if got != nil {
		t.Errorf("kept or not, against what this test says: %v", got)
	}
}

// Each description is a line for people, and no name can be mistaken for another.
func TestDescriptions(t *testing.T) {
	names := map[string]string{}
	for _, f := range flowlog.Fields() {
		for what, s := range map[string]string{"meaning": f.Meaning, "dash": f.Dash} {
			if s == "" || strings.ContainsAny(s, "\n|") || strings.TrimSpace(s) != s {
				t.Errorf("%s: %s is %q, want one line", f.Name, what, s)
			}
		}
		for _, name := range []string{f.Column(), f.Insights()} {
			if other, ok := names[name]; ok && other != f.Name {
				t.Errorf("%q is both %s and %s", name, other, f.Name)
			}
			names[name] = f.Name
		}
	}
}
