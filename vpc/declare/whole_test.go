package declare

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"weir/flowlog"
	"weir/vpc/flowlogs"
	"weir/vpc/vpctest"
)

func parseWhole(t *testing.T, name string) *File {
	t.Helper()
	data, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	f, problems := ParseFile(data, options)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	return f
}

func TestFlowLogs(t *testing.T) {
	f := parseWhole(t, "flowlogs.yaml")
	find := func(kind, name string) string {
		for _, v := range f.Topology.VPCs {
			if kind == "vpc" && v.Name == name {
				return v.ID
			}
		}
		for _, s := range f.Topology.Subnets {
			if kind == "subnet" && s.VPCID+s.Name == name {
				return s.ID
			}
		}
		for _, i := range f.Topology.Interfaces {
			if kind == "eni" && i.Name == name {
				return i.ID
			}
		}
		t.Fatal("no", kind, name)
		return ""
	}
	shop, lab := find("vpc", "shop"), find("vpc", "lab")
	base := flowlogs.FlowLog{
		AccountID: "123456789012", Region: "eu-west-1", MadeBy: flowlogs.ByFile, Traffic: flowlogs.All,
		Format: flowlog.DefaultFormat().String(), FileFormat: flowlogs.PlainText, Interval: 600,
	}
	of := func(id, to string, change func(*flowlogs.FlowLog)) flowlogs.FlowLog {
		l := base
		if change != nil {
			change(&l)
		}
		l.ResourceID, l.ResourceType = id, flowlogs.TypeOf(id)
		if l.DestinationType = flowlogs.S3; strings.Contains(to, ":firehose:") {
			l.DestinationType = flowlogs.Firehose
		}
		if l.Destination = to; l.LogGroup != "" {
			l.DestinationType = flowlogs.Logs
		}
		l.ID = flowlogs.StableID(l)
		return l
	}
	want := []flowlogs.FlowLog{
		of(flowlogs.Everything, "arn:aws:s3:::flow-logs", nil),
		of(shop, "arn:aws:s3:::flow-logs/shop/", func(l *flowlogs.FlowLog) {
			l.Format = "${version} ${vpc-id} ${subnet-id} ${srcaddr} ${dstaddr} ${instance-tag} ${instance-tag-2} ${weir-rule}"
			l.FileFormat, l.Hive, l.PerHour, l.Interval = flowlogs.Parquet, true, true, 60
			l.Tags = []flowlogs.Tag{{Key: "Name", Value: "the shop"}, {Key: "stage", Value: "test"}, {Key: "team", Value: "shop"}}
			l.TagFields = []flowlogs.TagField{{ResourceType: "network-interface", Keys: []string{"Name"}}, {ResourceType: "instance", Keys: []string{"Name", "team"}}}
			l.Retention = flowlogs.Retention{Age: 30 * 24 * time.Hour, Bytes: 10e9}
		}),
		of(find("subnet", shop+"public"), "", func(l *flowlogs.FlowLog) { l.LogGroup, l.Traffic, l.Interval = "/shop/refused", flowlogs.Reject, 10 }),
		of(find("subnet", shop+"db"), "", func(l *flowlogs.FlowLog) { l.LogGroup, l.Traffic, l.Interval = "/shop/refused", flowlogs.Reject, 10 }),
		of(find("eni", "db"), "arn:aws:firehose:eu-west-1:123456789012:deliverystream/flow", func(l *flowlogs.FlowLog) { l.Format = "${srcaddr} ${dstaddr} ${action}" }),
		of(find("eni", "web"), "arn:aws:firehose:us-east-1:999999999999:deliverystream/theirs", func(l *flowlogs.FlowLog) {
			l.DeliverRole, l.CrossAccountRole = "arn:aws:iam::123456789012:role/source", "arn:aws:iam::999999999999:role/AWSLogDeliveryFirehoseCrossAccountRole"
		}),
		of(find("subnet", lab+"public"), "arn:aws-us-gov:s3:::flow-logs/lab/", func(l *flowlogs.FlowLog) { l.AccountID, l.Region = "210987654321", "us-gov-west-1" }),
	}
	if diff := cmp.Diff(want, f.FlowLogs); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if !f.Described || !f.HasFlowLogs || !f.MostSpecific {
		t.Errorf("described %v, has flow logs %v, most specific %v", f.Described, f.HasFlowLogs, f.MostSpecific)
	}
	settings := Settings{
		S3:       S3{PublishEvery: time.Minute, MaxObject: 20e6},
		Logs:     Service{Endpoint: "http://127.0.0.1:4566", Region: "eu-west-1"},
		Firehose: Service{Endpoint: AWS, Region: "us-east-1", Profile: "delivery"},
		Journal: Journal{
			URLs: []string{"nats://n1:4222", "tls://n2:4222"}, Name: "weir", User: "weir", PasswordFile: "/etc/weir/nats.password",
			TLS:      TLS{CA: "/etc/weir/ca.pem", Cert: "/etc/weir/cert.pem", Key: "/etc/weir/key.pem"},
			MaxBytes: 8 << 30, MaxAge: 7 * 24 * time.Hour,
		},
	}
	if diff := cmp.Diff(settings, f.Settings); diff != "" {
		t.Errorf("settings (-want +got):\n%s", diff)
	}
}

func TestFlowLogsWithoutVPCs(t *testing.T) {
	f := parseWhole(t, "flowlogs-alone.yaml")
	if f.Described || len(f.FlowLogs) != 3 || f.FlowLogs[1].ResourceType != flowlogs.NetworkInterface || f.AccountID != options.AccountID {
		t.Errorf("%+v", f)
	}
	want := S3{
		Service: Service{Endpoint: "https://s3.example.com:9000", Region: "us-east-1"}, VirtualHost: true, NoACL: true,
		SSE: "aws:kms", KMSKeyID: "alias/flow", StorageClass: "STANDARD_IA",
	}
	if diff := cmp.Diff(want, f.Settings.S3); diff != "" || !f.Settings.S3.Remote() {
		t.Errorf("(-want +got):\n%s", diff)
	}
	data, err := os.ReadFile("testdata/flowlogs-alone.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if _, problems := Parse(data, options); len(problems) != 1 || problems[0].Cause != "the file has no vpcs" {
		t.Errorf("who wants a topology is told: %v", problems)
	}
	for _, file := range []string{"flow-logs: []", "precedence: all", "journal: {max-age: 1d}", "destinations: {s3: {endpoint: aws}}"} {
		f, problems := ParseFile([]byte(file), options)
		if len(problems) > 0 || f.Described || len(f.FlowLogs) > 0 || f.HasFlowLogs != strings.HasPrefix(file, "flow") {
			t.Errorf("%s: %+v %v", file, f, problems)
		}
	}
	for _, file := range []string{"{}", "account-id: '123456789012'", "prefix-lists: []"} {
		if _, problems := ParseFile([]byte(file), options); len(problems.Errors()) == 0 {
			t.Errorf("%s says nothing and has no problem", file)
		}
	}
}

// Retention of buckets that are not directories is somebody else's.
func TestRetentionBehindAnEndpoint(t *testing.T) {
	_, problems := ParseFile([]byte("destinations: {s3: {endpoint: aws}}\nflow-logs: [{resource: all, to: s3://flow-logs, retention: {age: 1d}}]"), options)
	if len(problems) != 1 || problems[0].Cause != "Retention is of local buckets" || problems[0].Path != "flow-logs[0].retention" {
		t.Error(problems)
	}
}

// The page's examples are good files.
func TestFlowLogsPage(t *testing.T) {
	page, err := os.ReadFile("../../docs/flow-logs.md")
	if err != nil {
		t.Fatal(err)
	}
	examples := strings.Split(string(page), "```yaml\n")[1:]
	if len(examples) == 0 {
		t.Fatal("docs/flow-logs.md has no example")
	}
	for _, e := range examples {
		e, _, _ = strings.Cut(e, "```\n")
		if _, problems := ParseFile([]byte(e), options); len(problems) > 0 {
			t.Errorf("%s\n%v", e, problems)
		}
	}
}

// sameFile compares what AppendFile writes.
func sameFile(t *testing.T, f *File) {
	t.Helper()
	text := AppendFile(nil, f)
	again, problems := ParseFile(text, Options{})
	if errs := problems.Errors(); len(errs) > 0 {
		t.Fatalf("written and read: %v\n%s", errs, text)
	}
	if diff := cmp.Diff(f, again, same()); diff != "" {
		t.Errorf("written and read (-want +got):\n%s\n%s", diff, text)
	}
}

func TestWriteReadFile(t *testing.T) {
	for _, name := range []string{"flowlogs.yaml", "flowlogs-alone.yaml", "example.yaml", "full.yaml"} {
		sameFile(t, parseWhole(t, name))
	}
}

// Random networks, with flow logs of some of what is in them.
func TestWriteReadRandomFiles(t *testing.T) {
	pick := func(r *rand.Rand, words ...string) string { return words[r.IntN(len(words))] }
	for seed := range uint64(60) {
		r := rand.New(rand.NewPCG(seed, 7))
		f := &File{Topology: vpctest.New(seed, vpctest.Size{VPCs: 1 + int(seed%3)}), Described: true, HasFlowLogs: true, AccountID: "123456789012", Region: "us-east-1"}
		inOrder(f.Topology)
		x := f.Topology.Index()
		ids := []string{flowlogs.Everything}
		for _, v := range f.Topology.VPCs {
			ids = append(ids, v.ID)
		}
		for _, s := range f.Topology.Subnets {
			ids = append(ids, s.ID)
		}
		for _, i := range f.Topology.Interfaces {
			ids = append(ids, i.ID)
		}
		owners := resources{t: f.Topology, x: x}
		for n := range r.IntN(8) {
			id := pick(r, ids...)
			account, region := owners.owner(id)
			if account == "" {
				account, region = f.AccountID, f.Region
			}
			to, err := flowlogs.ParseTarget(fmt.Sprintf(pick(r, "s3://flow-logs/%d", "logs:group-%d", "firehose:stream-%d", "arn:aws:s3:::flow-logs/%d"), n), account, region)
			if err != nil {
				t.Fatal(err)
			}
			q := flowlogs.Request{
				ResourceIDs: []string{id}, ResourceType: flowlogs.TypeOf(id), Traffic: pick(r, flowlogs.All, flowlogs.Accept, flowlogs.Reject),
				DestinationType: to.Type, Destination: to.ARN, LogGroup: to.LogGroup,
				Format: pick(r, "", "${srcaddr}", "${version} ${weir-rule}"), Interval: 1 + r.IntN(60),
			}
			if to.Type == flowlogs.S3 {
				q.FileFormat, q.Hive, q.PerHour = pick(r, "", flowlogs.Parquet), r.IntN(2) == 0, r.IntN(2) == 0
				q.Retention = flowlogs.Retention{Age: time.Duration(r.IntN(3)) * 36 * time.Hour, Bytes: int64(r.IntN(2)) * 123456789}
			}
			if r.IntN(2) == 0 {
				q.Tags = []flowlogs.Tag{{Key: "Name", Value: "it's: a #name"}, {Key: "a:b c", Value: ""}}
				q.TagFields = []flowlogs.TagField{{ResourceType: "instance", Keys: []string{"k, v", "é"}}}
			}
			res, err := flowlogs.New(q, flowlogs.Facts{AccountID: account, Region: region, MadeBy: flowlogs.ByFile, Topology: x, Existing: f.FlowLogs, Local: true})
			if err != nil {
				t.Fatal(err)
			}
			f.FlowLogs = append(f.FlowLogs, res.Made...)
		}
		sameFile(t, f)
		if t.Failed() {
			t.Fatal("seed", seed)
		}
	}
}

func TestUnits(t *testing.T) {
	for text, want := range map[string]int64{"0s": 0, "90s": 90e9, "2h": 7200e9, "30d": 30 * 86400e9, "9999999999d": 1<<63 - 1} {
		if got, ok := parseAmount(text, durations); !ok || got != want {
			t.Errorf("%s: %d %v", text, got, ok)
		}
	}
	for text, want := range map[string]int64{"1B": 1, "10GB": 10e9, "1gib": 1 << 30, "75MB": 75e6, "2kB": 2000, "2KB": 2000} {
		if got, ok := parseAmount(text, sizes); !ok || got != want {
			t.Errorf("%s: %d %v", text, got, ok)
		}
	}
	for _, text := range []string{"", "5", "s", "-5s", "+5s", "1.5h", "5 s", "5ms", "1h30m", "99999999999999999999s"} {
		if got, ok := parseAmount(text, durations); ok {
			t.Errorf("%q is %d", text, got)
		}
	}
	for amount, want := range map[int64]string{1: "1B", 1000: "1kB", 1024: "1KiB", 1500: "1500B", 75e6: "75MB", 1 << 40: "1TiB", 0: "0"} {
		if got := SizeText(amount); got != want {
			t.Errorf("%d is %s, want %s", amount, got, want)
		}
	}
	for d, want := range map[time.Duration]string{time.Second: "1s", 5 * time.Minute: "5m", 90 * time.Second: "90s", 48 * time.Hour: "2d", time.Millisecond: "1ms"} {
		if got := DurationText(d); got != want {
			t.Errorf("%v is %s, want %s", d, got, want)
		}
	}
}
