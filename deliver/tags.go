package deliver

import (
	"weir/flowlog"
	"weir/policy"
	"weir/vpc"
	"weir/vpc/flowlogs"
)

// setTags fills the fields interface-tag and interface-tag-2 with the tags that
// the flow log asks for (TagFieldSpecification). Instances and Auto Scaling groups
// have no tags in Weir's topology: their fields stay "-".
func setTags(r *flowlog.Record, log *flowlogs.FlowLog, i *vpc.Interface) {
	for _, f := range log.TagFields {
		if f.ResourceType != flowlogs.InterfaceTags {
			continue
		}
		for n, field := range []*string{&r.InterfaceTag, &r.InterfaceTag2} {
			if n < len(f.Keys) {
				*field = policy.EscapeWords(i.Tags[f.Keys[n]])
			}
		}
	}
}
