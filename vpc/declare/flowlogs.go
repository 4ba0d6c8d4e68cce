package declare

import (
	"errors"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"weir/vpc"
	"weir/vpc/flowlogs"
)

// maxFlowLogs bounds a file's: each is compared with those before it.
const maxFlowLogs = 2000

// flowLogKeys are the keys of a flow log, in the order in which they are written.
var flowLogKeys = []string{
	"name", "resource", "vpc", "subnet", "interface", "traffic", "to", "format", "file-format", "hive", "hourly", "interval",
	"tags", "tag-fields", "retention", "role", "cross-account-role",
}

// maxFormatText bounds a format; all fields together are a third of it.
const maxFormatText = 4096

// flowLogs reads the flow logs: after the topology that they name, and the
// settings that they depend on.
func (d *decoder) flowLogs(f *File, n *node) {
	if n.get("flow-logs") == nil {
		return
	}
	f.HasFlowLogs = true
	r := resources{t: f.Topology, x: f.Topology.Index(), names: map[string]map[string][]candidate{}, lines: map[string]int{}}
	for _, item := range d.list(n, "flow-logs") {
		if d.flowLog(f, &r, item); len(f.FlowLogs) > maxFlowLogs {
			d.add(item, "", "the file has more than the bound of %d flow logs", maxFlowLogs)
			return
		}
	}
}

// flowLog reads one item, which makes a flow log for each of its resources.
func (d *decoder) flowLog(f *File, r *resources, n *node) {
	before := len(d.problems)
	if !d.object(n, "a flow log", flowLogKeys...) {
		return
	}
	q := flowlogs.Request{
		Traffic: strings.ToUpper(d.text(n, "traffic")), Format: d.format(n), FileFormat: d.text(n, "file-format"),
		Hive: d.flag(n, "hive"), PerHour: d.flag(n, "hourly"), Interval: d.interval(n),
		DeliverRole: d.text(n, "role"), CrossAccountRole: d.text(n, "cross-account-role"),
		Tags: d.flowLogTags(n), TagFields: d.tagFields(n), Retention: d.retention(n),
	}
	if q.FileFormat == "text" {
		q.FileFormat = flowlogs.PlainText
	}
	ids := d.resources(f, r, n)
	to := d.text(n, "to")
	if n.get("to") == nil {
		d.add(n, "to: s3://BUCKET/PREFIX, logs:GROUP or firehose:STREAM", "the flow log does not say where its records go")
	}
	if len(d.problems) > before || to == "" {
		return
	}
	for _, id := range ids {
		d.made(f, r, n, q, id, to)
	}
}

// made makes the flow log of one resource.
func (d *decoder) made(f *File, r *resources, n *node, q flowlogs.Request, id resource, to string) {
	account, region := r.owner(id.id)
	if account == "" {
		account, region = f.AccountID, f.Region
	}
	dest, err := flowlogs.ParseTarget(to, account, region)
	if err != nil {
		d.refused(r, n, id.node, err)
		return
	}
	q.ResourceIDs, q.ResourceType = []string{id.id}, flowlogs.TypeOf(id.id)
	if q.Traffic == "" && q.ResourceType != flowlogs.TransitGateway && q.ResourceType != flowlogs.TransitGatewayAttachment {
		q.Traffic = flowlogs.All
	}
	q.DestinationType, q.Destination, q.LogGroup = dest.Type, dest.ARN, dest.LogGroup
	facts := flowlogs.Facts{
		AccountID: account, Region: region, MadeBy: flowlogs.ByFile, Local: true,
		RemoteBuckets: f.Settings.S3.Remote(), Existing: f.FlowLogs,
	}
	if f.Described {
		facts.Topology = r.x
	}
	res, err := flowlogs.New(q, facts)
	if err != nil {
		d.refused(r, n, id.node, err)
		return
	}
	f.FlowLogs = append(f.FlowLogs, res.Made...)
	r.lines[res.Made[0].ID] = int(id.node.line)
}

// keyOf is the file's key for a parameter of the API.
var keyOf = map[string]string{
	"TrafficType":                   "traffic",
	"LogDestination":                "to",
	"LogDestinationType":            "to",
	"LogGroupName":                  "to",
	"LogFormat":                     "format",
	"DestinationOptions.FileFormat": "file-format",
	"DestinationOptions.HiveCompatiblePartitions": "hive",
	"DestinationOptions.PerHourPartition":         "hourly",
	"MaxAggregationInterval":                      "interval",
	"TagSpecifications":                           "tags",
	"TagFieldSpecifications":                      "tag-fields",
	"DeliverLogsPermissionArn":                    "role",
	"DeliverCrossAccountRole":                     "cross-account-role",
	"Retention":                                   "retention",
}

// refused reports what flowlogs says of a flow log, at the key that it is about.
func (d *decoder) refused(r *resources, n, resource *node, err error) {
	e, ok := errors.AsType[*flowlogs.Error](err)
	if !ok {
		d.add(n, "", "%v", err)
		return
	}
	at := n.get(keyOf[e.Param])
	if e.Param == "ResourceIds" || e.Param == "ResourceType" {
		at = resource
	}
	if at == nil {
		at = n
	}
	hint := e.Hint()
	if line := r.lines[e.FlowLogID]; line > 0 {
		hint = "another destination, such as another prefix, may have a flow log of its own"
	}
	d.add(at, hint, "%s", strings.TrimSuffix(e.Message, "."))
	d.problems[len(d.problems)-1].Other = r.lines[e.FlowLogID]
}

// format is the key's format: as CreateFlowLogs takes it, or a list of fields.
func (d *decoder) format(n *node) string {
	v := n.get("format")
	if v == nil {
		return ""
	}
	if v.kind != listNode {
		return d.bounded(v, maxFormatText)
	}
	var fields []string
	for _, item := range d.items(v) {
		if field := d.word(item); field != "" {
			fields = append(fields, "${"+field+"}")
		}
	}
	if len(v.items) == 0 {
		d.add(v, "leave it out for the default format", "the format has no fields")
	}
	return strings.Join(fields, " ")
}

// interval is in seconds, as MaxAggregationInterval is, or with a unit.
func (d *decoder) interval(n *node) int {
	v := n.get("interval")
	if v == nil {
		return 0
	}
	s := d.word(v)
	if seconds, err := strconv.Atoi(s); err == nil && seconds != 0 {
		return seconds // New knows the bounds
	}
	if amount, ok := parseAmount(s, durations); ok && amount > 0 && amount/int64(time.Second) < 1<<20 {
		return int(amount / int64(time.Second))
	}
	if s != "" {
		d.add(v, "write 60s or 10m as on AWS, or 1s to 59s", "%q is not an aggregation interval", shorten(s))
	}
	return 0
}

// flowLogTags are the tags in order of their keys. A name is the tag Name, which
// is what AWS's console shows.
func (d *decoder) flowLogTags(n *node) []flowlogs.Tag {
	const nameTag = "Name"
	tags := d.tags(n)
	if name := d.text(n, "name"); name != "" {
		if _, twice := tags[nameTag]; twice {
			d.add(n.get("name"), "leave one of them out", "the tag Name says another name")
		}
		if tags == nil {
			tags = vpc.Tags{}
		}
		tags[nameTag] = name
	}
	var list []flowlogs.Tag
	for _, k := range slices.Sorted(maps.Keys(tags)) {
		list = append(list, flowlogs.Tag{Key: k, Value: tags[k]})
	}
	return list
}

func (d *decoder) tagFields(n *node) []flowlogs.TagField {
	v := n.get("tag-fields")
	if v == nil || !d.object(v, "tag-fields", flowlogs.TagFieldTypes()...) {
		return nil
	}
	var list []flowlogs.TagField
	for _, resourceType := range flowlogs.TagFieldTypes() {
		if v.get(resourceType) == nil {
			continue
		}
		field := flowlogs.TagField{ResourceType: resourceType}
		for _, item := range d.list(v, resourceType) {
			if key := d.word(item); key != "" {
				field.Keys = append(field.Keys, key)
			}
		}
		list = append(list, field)
	}
	return list
}

func (d *decoder) retention(n *node) flowlogs.Retention {
	v := n.get("retention")
	if v == nil || !d.object(v, "retention", "age", "bytes") {
		return flowlogs.Retention{}
	}
	return flowlogs.Retention{
		Age:   d.duration(v, "age", time.Hour, maxAge),
		Bytes: d.size(v, "bytes", 1<<20, maxJournal),
	}
}
