package lake

import (
	"strconv"
	"strings"
	"time"
)

// dateParts are the folders of a key that tell a time, as [ObjectKey] and the
// Hive-compatible layouts write them (Amazon VPC User Guide, "Flow log files").
var dateParts = [...]struct {
	hive  string // "" in the plain layout
	width int
}{
	{"year=", 4}, {"month=", 2}, {"day=", 2}, {"hour=", 2},
}

// folderTime is the range of time that a folder of a bucket stands for, by the
// folders that lead to it: …/vpcflowlogs/REGION/2018/06/20 is a day. False when
// they do not tell.
func folderTime(folders []string) (begin, end time.Time, ok bool) {
	dates := datesOf(folders)
	if len(dates) == 0 || len(dates) > len(dateParts) {
		return begin, end, false
	}
	value := [...]int{0, 1, 1, 0} // year, month, day, hour
	for i, folder := range dates {
		digits, hive := strings.CutPrefix(folder, dateParts[i].hive)
		if hive != strings.HasPrefix(dates[0], dateParts[0].hive) || len(digits) != dateParts[i].width {
			return begin, end, false
		}
		n, err := strconv.Atoi(digits)
		if err != nil {
			return begin, end, false
		}
		value[i] = n
	}
	begin = time.Date(value[0], time.Month(value[1]), value[2], value[3], 0, 0, 0, time.UTC)
	switch len(dates) {
	case 1:
		end = begin.AddDate(1, 0, 0)
	case 2:
		end = begin.AddDate(0, 1, 0)
	case 3:
		end = begin.AddDate(0, 0, 1)
	default:
		end = begin.Add(time.Hour)
	}
	return begin, end, true
}

// datesOf is what follows the region.
func datesOf(folders []string) []string {
	for i, folder := range folders {
		if (folder == "vpcflowlogs" || strings.HasSuffix(folder, "service=vpcflowlogs")) && i+2 <= len(folders) {
			return folders[i+2:]
		}
	}
	return nil
}
