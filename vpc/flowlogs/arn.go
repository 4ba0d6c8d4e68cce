package flowlogs

import "strings"

// arn is an Amazon resource name in its parts:
// arn:partition:service:region:account:resource.
type arn struct {
	partition, service, region, account, resource string
}

func parseARN(s string) (a arn, ok bool) {
	parts := strings.SplitN(s, ":", 6)
	if len(parts) != 6 || parts[0] != "arn" || !isPartition(parts[1]) {
		return arn{}, false
	}
	return arn{parts[1], parts[2], parts[3], parts[4], parts[5]}, parts[5] != ""
}

// isPartition knows aws, aws-cn, aws-us-gov and their like.
func isPartition(s string) bool {
	rest, ok := strings.CutPrefix(s, "aws")
	return ok && (rest == "" || rest[0] == '-') && isName(rest, "-")
}

// Partition is the part of AWS that a region is in; "aws" for regions that are
// not AWS's.
func Partition(region string) string {
	switch {
	case strings.HasPrefix(region, "cn-"):
		return "aws-cn"
	case strings.HasPrefix(region, "us-gov-"):
		return "aws-us-gov"
	}
	return "aws"
}

// isName reports whether a word has only ASCII letters, digits and some others.
func isName(s, others string) bool {
	for i := range len(s) {
		c := s[i]
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && strings.IndexByte(others, c) < 0 {
			return false
		}
	}
	return true
}

func isAccount(s string) bool {
	return len(s) == 12 && strings.Trim(s, "0123456789") == ""
}

// isRole reports whether a word is the ARN of an IAM role, and of which account.
func isRole(s string) (account string, ok bool) {
	a, ok := parseARN(s)
	if !ok || a.service != "iam" || a.region != "" || !isAccount(a.account) {
		return "", false
	}
	name, isRole := strings.CutPrefix(a.resource, "role/")
	return a.account, isRole && name != "" && isName(name, "+=,.@-_/")
}
