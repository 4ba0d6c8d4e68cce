package main

import (
	"bytes"
	"context"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"weir/control"
	"weir/vpc/flowlogs"
)

const (
	shortFormat = "${srcaddr} ${dstport} ${protocol} ${action}"
	otherFormat = "${action} ${bytes}"
)

// delivering is a Weir with two flow logs of different formats.
func delivering(show ...control.Delivered) *someWeir {
	return &someWeir{show: show, list: []control.FlowLog{
		{FlowLog: flowlogs.FlowLog{ID: "fl-1", Format: shortFormat, Interval: 60}, To: "s3://b"},
		{FlowLog: flowlogs.FlowLog{ID: "fl-2", Format: otherFormat, Interval: 60}, To: "logs:/x"},
	}}
}

var (
	first  = control.Delivered{FlowLogID: "fl-1", Format: shortFormat, Lines: []string{"10.1.2.3 443 6 ACCEPT", "10.9.0.1 22 6 REJECT", "2001:db8::7 53 17 REJECT", "- - - -"}}
	second = control.Delivered{FlowLogID: "fl-2", Format: otherFormat, Lines: []string{"REJECT 40", "- -"}, Missed: 3}
)

func TestTail(t *testing.T) {
	for name, test := range map[string]struct {
		args []string
		want string
	}{
		"as delivered": {nil, "srcaddr dstport protocol action\n10.1.2.3 443 6 ACCEPT\n10.9.0.1 22 6 REJECT\n2001:db8::7 53 17 REJECT\n- - - -\naction bytes\nREJECT 40\n- -\n"},
		"a word":       {[]string{"--filter", "action=reject"}, "srcaddr dstport protocol action\n10.9.0.1 22 6 REJECT\n2001:db8::7 53 17 REJECT\naction bytes\nREJECT 40\n"},
		"a range":      {[]string{"--filter", "srcaddr=10.1.0.0/16,2001:db8::/32"}, "srcaddr dstport protocol action\n10.1.2.3 443 6 ACCEPT\n2001:db8::7 53 17 REJECT\n"},
		"an address":   {[]string{"--filter", "srcaddr=2001:db8:0::7"}, "srcaddr dstport protocol action\n2001:db8::7 53 17 REJECT\n"},
		"no address":   {[]string{"--filter", "srcaddr=-"}, "srcaddr dstport protocol action\n- - - -\n"},
		"a number":     {[]string{"--filter", "dstport=022"}, "srcaddr dstport protocol action\n10.9.0.1 22 6 REJECT\n"},
		"not these":    {[]string{"--filter", "dstport!=22,53"}, "srcaddr dstport protocol action\n10.1.2.3 443 6 ACCEPT\n- - - -\n"},
		"a protocol":   {[]string{"--filter", "protocol=UDP"}, "srcaddr dstport protocol action\n2001:db8::7 53 17 REJECT\n"},
		"both":         {[]string{"--filter", "action=REJECT", "--filter", "dstport=22"}, "srcaddr dstport protocol action\n10.9.0.1 22 6 REJECT\n"},
		"some fields":  {[]string{"--fields", "action,bytes,dstport"}, "action bytes dstport\nACCEPT - 443\nREJECT - 22\nREJECT - 53\n- - -\nREJECT 40 -\n- - -\n"},
		"a few":        {[]string{"-n", "2"}, "srcaddr dstport protocol action\n10.1.2.3 443 6 ACCEPT\n10.9.0.1 22 6 REJECT\n"},
		"JSON, some": {[]string{"--json", "--filter", "dstport!=443,22", "--fields", "srcaddr,dstport,bytes"}, `{"flow_log_id":"fl-1","srcaddr":"2001:db8::7","dstport":53,"bytes":null}
{"flow_log_id":"fl-1","srcaddr":"-","dstport":null,"bytes":null}
`},
	} {
		t.Run(name, func(t *testing.T) {
			out, errs, status := command(t, delivering(first, second).run(t), append([]string{"tail"}, test.args...)...)
			if diff := cmp.Diff(test.want, out); diff != "" {
				t.Errorf("records (-want +got):\n%s", diff)
			}
			want := "warning: 3 records were delivered too fast to be shown\nthe running Weir has ended\n"
			if name == "a few" {
				want = ""
			}
			if errs != want || status != exitDone {
				t.Errorf("status %d, errors %q, want %q", status, errs, want)
			}
		})
	}
}

// What would show nothing for ever is an error.
func TestTailOfWhatIsNot(t *testing.T) {
	data := delivering().run(t)
	for arg, want := range map[string]string{
		"--flow-log=fl-1,fl-7": "error: InvalidFlowLogId.NotFound: These flow log ids in the input list are not found: [TotalCount: 1] fl-7\nhint: weir flow-logs list shows those that there are\n",
		"--fields=log-status":  "error: --fields: no flow log here records the field log-status\nhint: weir flow-logs show ID prints a flow log's format; one with the field: weir flow-logs create … --format '… ${log-status}'\n",
		"--filter=srcport=1":   "error: --filter: no flow log here records the field srcport\nhint: weir flow-logs show ID prints a flow log's format; one with the field: weir flow-logs create … --format '… ${srcport}'\n",
	} {
		out, errs, status := command(t, data, "tail", arg)
		if diff := cmp.Diff(want, errs); diff != "" || out != "" || status != exitFailed {
			t.Errorf("%s: printed %q, status %d, errors (-want +got):\n%s", arg, out, status, diff)
		}
	}
}

// Ctrl-C is how a tail ends.
func TestTailIsInterrupted(t *testing.T) {
	w := delivering(first)
	w.stays = true
	data := w.run(t)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var errs bytes.Buffer
	err := run(ctx, []string{"tail", "--data", data}, strings.NewReader(""), writerFunc(func(b []byte) (int, error) {
		stop() // as soon as something is shown
		return len(b), nil
	}), &errs)
	if err != nil || errs.Len() > 0 {
		t.Errorf("error %v, %q; want none", err, errs.String())
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(b []byte) (int, error) { return f(b) }

// On a terminal columns are aligned from batch to batch, refused traffic is red,
// and nothing steers the terminal.
func TestAlignedRecords(t *testing.T) {
	var out bytes.Buffer
	v := newRecordView(&out, false)
	v.people, v.colour = true, true
	for _, d := range []control.Delivered{
		{Format: shortFormat, Lines: []string{"10.9.0.1 22 6 REJECT", "192.168.100.200 65535 17 ACCEPT"}},
		{Format: shortFormat, Lines: []string{"10.9.0.1 22 6 \x1b[2J"}},
		{Format: otherFormat, Lines: []string{"ACCEPT 40"}},
		{Format: shortFormat, Lines: []string{"- - - -"}},
	} {
		if err := v.show(&d); err != nil {
			t.Fatal(err)
		}
	}
	want := "\x1b[1msrcaddr          dstport  protocol  action\x1b[0m\n" +
		"\x1b[31m10.9.0.1              22         6  REJECT\x1b[0m\n" +
		"192.168.100.200    65535        17  ACCEPT\n" +
		"10.9.0.1              22         6  \uFFFD[2J\n" +
		"\x1b[1maction  bytes\x1b[0m\n" +
		"ACCEPT     40\n" +
		"\x1b[1msrcaddr          dstport  protocol  action\x1b[0m\n" +
		"-                      -         -  -\n"
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("on a terminal (-want +got):\n%s", diff)
	}
}

func TestUnits(t *testing.T) {
	for s, want := range map[string]int{"60": 60, "600": 600, "60s": 60, "10m": 600, "1M": 60, "61": 61, "-5": -5, "0": -1, "": -1, "1.5m": -1, "10 m": -1, "+5s": -1, "999999999999d": -1} {
		got, err := parseInterval(s)
		if err != nil {
			got = -1
		}
		if got != want {
			t.Errorf("interval %q is %d, want %d", s, got, want)
		}
	}
	for s, want := range map[string]int64{"": 0, "1B": 1, "10GB": 10e9, "1gib": 1 << 30, "512MiB": 512 << 20, "10": -1, "10XB": -1, "-1B": -1, "0B": -1, "99999999TiB": 1<<63 - 1} {
		got, err := parseSize("--retain-size", s)
		if err != nil {
			got = -1
		}
		if got != want {
			t.Errorf("size %q is %d, want %d", s, got, want)
		}
	}
}
