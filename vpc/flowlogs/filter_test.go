package flowlogs

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestFilters(t *testing.T) {
	list := []FlowLog{
		{ID: "fl-1", ResourceID: "vpc-1", Traffic: All, DestinationType: S3, Tags: []Tag{{"Name", "web"}, {"team", "a*b"}}},
		{ID: "fl-2", ResourceID: "subnet-1", Traffic: Reject, DestinationType: Logs, LogGroup: "/vpc/flow"},
		{ID: "fl-13", ResourceID: "eni-1", Traffic: Accept, DestinationType: Firehose, Tags: []Tag{{"team", "aXb"}}},
	}
	for _, c := range []struct {
		filters string // NAME=VALUE,VALUE; several divided by spaces
		want    string
	}{
		{"", "fl-1 fl-2 fl-13"},
		{"flow-log-id=fl-1", "fl-1"},
		{"flow-log-id=fl-1*", "fl-1 fl-13"},
		{"flow-log-id=fl-1?", "fl-13"},
		{"flow-log-id=*", "fl-1 fl-2 fl-13"},
		{"flow-log-id=fl-2,fl-13", "fl-2 fl-13"},
		{"flow-log-id=FL-2", ""},
		{"resource-id=*-1 traffic-type=ALL,REJECT", "fl-1 fl-2"},
		{"traffic-type=all", ""},
		{"log-destination-type=s3", "fl-1"},
		{"log-group-name=/vpc/*", "fl-2"},
		{"log-group-name=*", "fl-2"},
		{"deliver-log-status=FAILED", "fl-2"},
		{"deliver-log-status=SUCCESS flow-log-id=fl-1", "fl-1"},
		{"tag:Name=web", "fl-1"},
		{"tag:Name=*", "fl-1"},
		{"tag:team=a*b", "fl-1 fl-13"},
		{`tag:team=a\*b`, "fl-1"},
		{"tag-key=team", "fl-1 fl-13"},
		{"tag-key=team tag-key=Name", "fl-1"},
		{"tag-key=tea", ""},
		{"Name=tag-key,Values=Name,x", "fl-1"},
	} {
		var fs Filters
		for text := range strings.FieldsSeq(c.filters) {
			f, err := ParseFilter(text)
			if err != nil {
				t.Fatal(err)
			}
			fs = append(fs, f)
		}
		if err := fs.Check(); err != nil {
			t.Fatal(err)
		}
		var got []string
		for i := range list {
			status := "SUCCESS"
			if list[i].ID == "fl-2" {
				status = "FAILED"
			}
			if fs.Match(&list[i], status) {
				got = append(got, list[i].ID)
			}
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%s: got %v, want %s", c.filters, got, c.want)
		}
	}
	for text, want := range map[string]string{
		"nonsense=x":            "InvalidParameterValue: The filter 'nonsense' is invalid",
		"deliver-logs-status=x": "InvalidParameterValue: The filter 'deliver-logs-status' is invalid",
		"tag:=x":                "InvalidParameterValue: The filter 'tag:' is invalid",
		"flow-log-id":           "InvalidParameterValue: The filter 'flow-log-id' has no values",
		"flow-log-id=" + strings.Repeat("a,", 200):          "FilterLimitExceeded: The request uses too many filters or too many filter values.",
		"flow-log-id=" + strings.Repeat("a", 256):           "FilterLimitExceeded: The request uses too many filters or too many filter values.",
		"Name=traffic-type,Value=" + strings.Repeat("a", 3): "InvalidParameterValue: The filter 'traffic-type,Value=aaa' is invalid",
	} {
		if _, err := ParseFilter(text); err == nil || err.Error() != want {
			t.Errorf("%.40s: %v", text, err)
		}
	}
	if names := FilterNames(); !slices.Contains(names, "tag:KEY") || len(names) != 8 {
		t.Error(names)
	}
}

// matches is the second, plain implementation of wildcard.
func matches(p, s []rune) bool {
	switch {
	case len(p) == 0:
		return len(s) == 0
	case p[0] == '*':
		return matches(p[1:], s) || len(s) > 0 && matches(p, s[1:])
	case p[0] == '\\' && len(p) > 1 && strings.ContainsRune(`*?\`, p[1]):
		return len(s) > 0 && s[0] == p[1] && matches(p[2:], s[1:])
	}
	return len(s) > 0 && (p[0] == '?' || p[0] == s[0]) && matches(p[1:], s[1:])
}

func TestWildcardAgainstPlain(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p, s := rapid.StringMatching(`[abé*?\\]{0,8}`).Draw(t, "pattern"), rapid.StringMatching(`[abé*?\\]{0,8}`).Draw(t, "text")
		if got, want := wildcard(p, s), matches([]rune(p), []rune(s)); got != want {
			t.Fatalf("%q matches %q: %v, want %v", p, s, got, want)
		}
	})
}

func TestChanges(t *testing.T) {
	f := facts()
	f.MadeBy = ByFile
	made := func(change func(*Request)) FlowLog {
		r := good()
		change(&r)
		res, err := New(r, f)
		if err != nil {
			t.Fatal(err)
		}
		return res.Made[0]
	}
	kept := made(func(*Request) {})
	tagged := made(func(r *Request) { r.Destination = "arn:aws:s3:::flow-logs/tagged" })
	gone := made(func(r *Request) { r.Destination = "arn:aws:s3:::flow-logs/gone" })
	byHand := made(func(r *Request) { r.Destination = "arn:aws:s3:::flow-logs/hand" })
	byHand.MadeBy, byHand.ID = ByHand, "fl-hand"
	byDefault := made(func(r *Request) { r.Destination = "arn:aws:s3:::flow-logs/default" })
	byDefault.MadeBy = ByDefault

	want := tagged
	want.Tags = []Tag{{"k", "v"}}
	want.Created = want.Created.Add(1)
	fresh := made(func(r *Request) { r.Destination = "arn:aws:s3:::flow-logs/new" })
	clashing := made(func(r *Request) { r.Destination = "arn:aws:s3:::flow-logs/hand" })
	updated := tagged
	updated.Tags = want.Tags

	got := Changes([]FlowLog{kept, tagged, gone, byHand, byDefault}, []FlowLog{kept, want, fresh, clashing})
	if len(got.Refused) != 1 || got.Refused[0].FlowLog.ID != clashing.ID || got.Refused[0].Err.Code != AlreadyExists {
		t.Errorf("refused: %+v", got.Refused)
	}
	got.Refused = nil
	if diff := cmp.Diff(Plan{Delete: []FlowLog{gone, byDefault}, Create: []FlowLog{fresh}, Update: []FlowLog{updated}, Keep: []FlowLog{kept}}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	now := slices.Concat(got.Keep, got.Update, got.Create)
	if again := Changes(now, now); len(again.Keep) != len(now) || len(again.Create)+len(again.Delete)+len(again.Update) > 0 {
		t.Errorf("a second time: %+v", again)
	}
}
