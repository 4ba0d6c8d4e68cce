package declare

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"weir/vpc"
	"weir/vpc/flowlogs"
)

// AppendFile writes a whole file that ParseFile reads back as the same one, and
// returns the longer dst. Ids and defaults are written out as [Append] does.
func AppendFile(dst []byte, f *File) []byte {
	w := writer{out: dst, t: f.Topology}
	if f.AccountID != "" {
		w.line(0, "account-id: %q", f.AccountID) // readers that know numbers would take it for one
	}
	w.word(0, "region", f.Region)
	if f.Described {
		w.out = Append(w.out, f.Topology)
	}
	w.flowLogs(f)
	if f.MostSpecific {
		w.line(0, "precedence: most-specific")
	}
	w.settings(&f.Settings)
	return w.out
}

func (w *writer) flowLogs(f *File) {
	if !f.HasFlowLogs {
		return
	}
	if len(f.FlowLogs) == 0 {
		w.line(0, "flow-logs: []")
		return
	}
	w.line(0, "flow-logs:")
	for i := range f.FlowLogs {
		w.flowLog(&f.FlowLogs[i])
	}
}

func (w *writer) flowLog(l *flowlogs.FlowLog) {
	w.item = true
	w.word(2, "resource", resourceText(l.ResourceID))
	w.word(2, "traffic", l.Traffic)
	w.word(2, "to", targetText(l))
	w.word(2, "format", l.Format)
	if l.DestinationType == flowlogs.S3 {
		w.word(2, "file-format", l.FileFormat)
		w.line(2, "hive: %t", l.Hive)
		w.line(2, "hourly: %t", l.PerHour)
	}
	w.line(2, "interval: %ds", l.Interval)
	tags := vpc.Tags{}
	for _, t := range l.Tags {
		tags[t.Key] = t.Value
	}
	w.tags(2, tags)
	var fields []string
	for _, f := range l.TagFields {
		keys := make([]string, len(f.Keys))
		for i, k := range f.Keys {
			keys[i] = quote(k)
		}
		fields = append(fields, fmt.Sprintf("%s: [%s]", f.ResourceType, strings.Join(keys, ", ")))
	}
	w.mapping(2, "tag-fields", fields)
	w.mapping(2, "retention", slices.Concat(
		amountPart("age", int64(l.Retention.Age), durations), amountPart("bytes", l.Retention.Bytes, sizes)))
	w.word(2, "role", l.DeliverRole)
	w.word(2, "cross-account-role", l.CrossAccountRole)
}

// targetText is where a flow log's records go, in the short form if that is read
// back as the same destination.
func targetText(l *flowlogs.FlowLog) string {
	short := flowlogs.Target(*l)
	if d, err := flowlogs.ParseTarget(short, l.AccountID, l.Region); err == nil && d.ARN == l.Destination {
		return short
	}
	return l.Destination
}

// mapping writes a key and its parts on one line; without any, nothing.
func (w *writer) mapping(level int, key string, parts []string) {
	if len(parts) > 0 {
		w.line(level, "%s: {%s}", key, strings.Join(parts, ", "))
	}
}

// part is a key and its word; none for an empty word.
func part(key, value string) []string {
	if value == "" {
		return nil
	}
	return []string{key + ": " + quote(value)}
}

func amountPart(key string, amount int64, units []unit) []string {
	if amount == 0 {
		return nil
	}
	return part(key, amountText(amount, units))
}

func (w *writer) settings(s *Settings) {
	bucket := servicePart(&s.S3.Service)
	if s.S3.VirtualHost {
		bucket = append(bucket, "path-style: false")
	}
	if s.S3.NoACL {
		bucket = append(bucket, "acl: none")
	}
	bucket = slices.Concat(bucket, part("sse", s.S3.SSE), part("kms-key-id", s.S3.KMSKeyID), part("storage-class", s.S3.StorageClass),
		amountPart("publish-every", int64(s.S3.PublishEvery), durations), amountPart("max-object", s.S3.MaxObject, sizes))
	logs, firehose := servicePart(&s.Logs), servicePart(&s.Firehose)
	if len(bucket)+len(logs)+len(firehose) > 0 {
		w.line(0, "destinations:")
		w.mapping(1, "s3", bucket)
		w.mapping(1, "logs", logs)
		w.mapping(1, "firehose", firehose)
	}
	w.journal(&s.Journal)
}

func servicePart(s *Service) []string {
	return slices.Concat(part("endpoint", s.Endpoint), part("region", s.Region), part("profile", s.Profile))
}

func (w *writer) journal(j *Journal) {
	var urls []string
	for _, u := range j.URLs {
		urls = append(urls, quote(u))
	}
	var parts []string
	if len(urls) > 0 {
		parts = append(parts, "url: ["+strings.Join(urls, ", ")+"]")
	}
	parts = slices.Concat(parts, part("name", j.Name), part("credentials", j.Credentials), part("user", j.User),
		part("password-file", j.PasswordFile), part("token-file", j.TokenFile), part("nkey", j.NKey))
	if tls := slices.Concat(part("ca", j.TLS.CA), part("cert", j.TLS.Cert), part("key", j.TLS.Key)); len(tls) > 0 {
		parts = append(parts, "tls: {"+strings.Join(tls, ", ")+"}")
	}
	parts = slices.Concat(parts, amountPart("max-bytes", j.MaxBytes, sizes), amountPart("max-age", int64(j.MaxAge), durations))
	w.mapping(0, "journal", parts)
}

// DurationText and SizeText write a setting for people, as a file would: 5m,
// 75MB.
func DurationText(d time.Duration) string {
	if d%time.Second != 0 {
		return d.String()
	}
	return amountText(int64(d), durations)
}

// SizeText writes a number of bytes as a file would.
func SizeText(bytes int64) string {
	if bytes == 0 {
		return strconv.Itoa(0)
	}
	return amountText(bytes, sizes)
}
