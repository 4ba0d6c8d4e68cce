package logs

import (
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"
)

// refused is how many of a call's n events the service took none of, and why.
// Events are in the order of their time: the oldest are at the beginning, up to
// an index that is exclusive; the newest are at the end, from one that is
// inclusive (API reference, RejectedLogEventsInfo).
func refused(info *types.RejectedLogEventsInfo, n int) (count int64, why string) {
	if info == nil {
		return 0, ""
	}
	var reasons []string
	tell := func(events int, why string) {
		if events > 0 {
			reasons = append(reasons, fmt.Sprintf("%d of %d %s", events, n, why))
		}
	}
	upTo := func(index *int32) int {
		if index == nil {
			return 0
		}
		return min(max(int(*index), 0), n)
	}
	old, expired, fresh := upTo(info.TooOldLogEventEndIndex), upTo(info.ExpiredLogEventEndIndex), 0
	if i := info.TooNewLogEventStartIndex; i != nil {
		fresh = n - min(max(int(*i), 0), n)
	}
	tell(old, "are too old: CloudWatch Logs takes events of the last 14 days")
	tell(expired-old, "are older than the log group keeps them")
	tell(fresh, "are more than 2 hours ahead: look at the clocks")
	return int64(min(max(old, expired)+fresh, n)), strings.Join(reasons, "; ")
}
