package flowlogs

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// Bounds of tags (Amazon EC2 User Guide, "Tag restrictions"). The API reference
// says that a key has at most 127 letters; AWS takes 128.
const (
	MaxTags     = 50
	MaxTagKey   = 128 // letters
	MaxTagValue = 256 // letters
)

// CheckTags checks a flow log's tags. The error is an [*Error].
func CheckTags(tags []Tag) error {
	if err := checkTags(tags); err != nil {
		return err
	}
	return nil
}

func checkTags(tags []Tag) *Error {
	if len(tags) > MaxTags {
		return &Error{
			Code: TagLimitExceeded, Param: paramTags,
			// The API reference's description of the code.
			Message: "You've reached the limit on the number of tags that you can assign to the specified resource.",
			hint:    fmt.Sprintf("a flow log has at most %d tags", MaxTags),
		}
	}
	seen := make(map[string]bool, len(tags))
	for _, t := range tags {
		switch {
		case t.Key == "":
			return tagError("key", t.Key, "Tag keys cannot be empty.") // AWS's text is not known
		case utf8.RuneCountInString(t.Key) > MaxTagKey:
			return tagError("key", t.Key, fmt.Sprintf("Tag key exceeds the maximum length of %d characters", MaxTagKey))
		case utf8.RuneCountInString(t.Value) > MaxTagValue:
			return tagError("value", t.Value, fmt.Sprintf("Tag value exceeds the maximum length of %d characters", MaxTagValue))
		case len(t.Key) >= 4 && strings.EqualFold(t.Key[:4], "aws:"):
			return tagError("key", t.Key, "Tag keys starting with 'aws:' are reserved for internal use")
		case seen[t.Key]:
			return &Error{Code: InvalidValue, Param: paramTags, Message: fmt.Sprintf("Duplicate tag key '%s' specified.", excerpt(t.Key))}
		}
		seen[t.Key] = true
	}
	return nil
}

// tagError has the form of EC2's own: "Value ( aws:x ) for parameter key is
// invalid. Tag keys starting with 'aws:' are reserved for internal use".
func tagError(part, v, sentence string) *Error {
	e := value(part, v, sentence)
	e.Param = paramTags
	return e
}

// InterfaceTags is the type of resource whose tags become interface-tag and
// interface-tag-2 (TagFieldSpecification).
const InterfaceTags = "network-interface"

// tagFieldTypes are the resources whose tags can be fields, each with the field.
var tagFieldTypes = []struct{ resourceType, field string }{
	{InterfaceTags, "interface-tag"},
	{"instance", "instance-tag"},
	{"auto-scaling-group", "asg-tag"},
}

// TagFieldTypes are the types of resources whose tags can be fields.
func TagFieldTypes() []string {
	var all []string
	for _, t := range tagFieldTypes {
		all = append(all, t.resourceType)
	}
	return all
}

// checkTagFields checks TagFieldSpecifications (Amazon EC2 API Reference: 1 to 3
// entries, 1 or 2 keys of 1 to 128 letters each). AWS's texts are not known. What
// it does about a tag field in the format that no specification feeds is not
// known either: such a field is "-".
func checkTagFields(list []TagField) *Error {
	const mostKeys = 2
	if len(list) > len(tagFieldTypes) {
		return parameter(paramTagFields, fmt.Sprintf("TagFieldSpecifications must have at most %d entries", len(tagFieldTypes)))
	}
	seen := map[string]bool{}
	for _, f := range list {
		field := ""
		for _, t := range tagFieldTypes {
			if t.resourceType == f.ResourceType {
				field = t.field
			}
		}
		switch {
		case f.ResourceType == "":
			return missing("TagFieldSpecification.ResourceType").of(paramTagFields)
		case field == "":
			return value("resourceType", f.ResourceType, "Valid values are "+strings.Join(TagFieldTypes(), ", ")+".").of(paramTagFields)
		case seen[f.ResourceType]:
			return parameter(paramTagFields, fmt.Sprintf("TagFieldSpecifications has %s twice", f.ResourceType))
		case len(f.Keys) == 0:
			return missing("TagFieldSpecification.TagKey").of(paramTagFields)
		case len(f.Keys) > mostKeys:
			return parameter(paramTagFields, fmt.Sprintf("TagFieldSpecification of %s must have at most %d tag keys", f.ResourceType, mostKeys)).
				withHint("the fields are %s and %s-2", field, field)
		}
		seen[f.ResourceType] = true
		for _, k := range f.Keys {
			if n := utf8.RuneCountInString(k); n == 0 || n > MaxTagKey {
				return value("tagKey", k, fmt.Sprintf("Tag keys have 1 to %d characters.", MaxTagKey)).of(paramTagFields)
			}
		}
	}
	return nil
}

// of returns e, as an error of a parameter that holds the one it names.
func (e *Error) of(param string) *Error {
	e.Param = param
	return e
}
