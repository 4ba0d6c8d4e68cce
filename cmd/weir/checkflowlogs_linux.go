package main

import (
	"fmt"
	"io"
	"strconv"
	"strings"

	"weir/vpc/declare"
	"weir/vpc/flowlogs"
)

// checkedFlowLog is a declared flow log.
type checkedFlowLog struct {
	flowlogs.FlowLog
	Name   string `json:"name,omitempty"`
	Target string `json:"target"` // the destination, short
	// Interfaces is how many of the file's it records; of what is discovered it
	// is not known.
	Interfaces *int `json:"interfaces,omitempty"`

	resource string // for people
}

// checkedSetting is a setting in words.
type checkedSetting struct {
	Name string `json:"name"`
	Text string `json:"text"`
}

// tabulateFlowLogs fills in what the file says of flow logs and of where they go.
func (c *checkedFile) tabulateFlowLogs(f *declare.File) {
	c.Settings = checkedSettings(&f.Settings)
	if !f.HasFlowLogs {
		return
	}
	c.Precedence = "all"
	if f.MostSpecific {
		c.Precedence = "most-specific"
	}
	cover := flowlogs.NewCoverage(f.FlowLogs, f.MostSpecific)
	covered := map[string]int{}
	for _, i := range f.Topology.Interfaces {
		for _, l := range cover.Covering(i.ID, i.SubnetID, i.VPCID) {
			covered[l.ID]++
		}
	}
	for _, l := range f.FlowLogs {
		row := checkedFlowLog{FlowLog: l, Target: flowlogs.Target(l), resource: resourceLabel(f, l.ResourceID)}
		for _, t := range l.Tags {
			if t.Key == "Name" {
				row.Name = t.Value
			}
		}
		if f.Described {
			n := covered[l.ID]
			row.Interfaces = &n
		}
		c.FlowLogs = append(c.FlowLogs, row)
	}
}

// resourceLabel is what people call a flow log's resource: "vpc shop".
func resourceLabel(f *declare.File, id string) string {
	if id == flowlogs.Everything {
		return "all"
	}
	for _, v := range f.Topology.VPCs {
		if v.ID == id && v.Name != "" {
			return "vpc " + v.Name
		}
	}
	for _, s := range f.Topology.Subnets {
		if s.ID == id && s.Name != "" {
			return "subnet " + s.Name
		}
	}
	for _, i := range f.Topology.Interfaces {
		if i.ID == id && i.Name != "" {
			return "interface " + i.Name
		}
	}
	return id
}

// checkedSettings are the settings that a file has.
func checkedSettings(s *declare.Settings) []checkedSetting {
	var list []checkedSetting
	add := func(name string, parts ...string) {
		var said []string
		for _, p := range parts {
			if p != "" {
				said = append(said, p)
			}
		}
		if len(said) > 0 {
			list = append(list, checkedSetting{name, strings.Join(said, ", ")})
		}
	}
	with := func(words, value string) string {
		if value == "" {
			return ""
		}
		return words + " " + value
	}
	every, most, age, bytes := "", "", "", ""
	if d := s.S3.PublishEvery; d > 0 {
		every = "published every " + declare.DurationText(d)
	}
	if n := s.S3.MaxObject; n > 0 {
		most = "objects of at most " + declare.SizeText(n)
	}
	if d := s.Journal.MaxAge; d > 0 {
		age = "at most " + declare.DurationText(d)
	}
	if n := s.Journal.MaxBytes; n > 0 {
		bytes = "at most " + declare.SizeText(n)
	}
	add("buckets", with("at", s.S3.Endpoint), s.S3.Region, with("encrypted with", s.S3.SSE), every, most)
	add("log groups", with("at", s.Logs.Endpoint), s.Logs.Region)
	add("delivery streams", with("at", s.Firehose.Endpoint), s.Firehose.Region)
	add("journal", with("at", strings.Join(s.Journal.URLs, " ")), bytes, age)
	return list
}

func (c *checkedFile) printFlowLogs(w io.Writer) error {
	var rows [][]string
	for _, l := range c.FlowLogs {
		n, files := "", ""
		if l.DestinationType == flowlogs.S3 {
			files = l.FileFormat
		}
		if l.Interfaces != nil {
			n = strconv.Itoa(*l.Interfaces)
		}
		rows = append(rows, []string{l.ID, l.Name, l.resource, l.Traffic, fmt.Sprintf("%d s", l.Interval), files, l.Target, n})
	}
	if err := printRows(w, []string{"FLOW LOG", "NAME", "RESOURCE", "TRAFFIC", "INTERVAL", "FILES", "DESTINATION", "INTERFACES"}, 1, rows); err != nil {
		return err
	}
	if c.Precedence == "most-specific" {
		fmt.Fprintln(w, "\nAn interface is recorded by its own flow logs, or else its subnet's, its VPC's, those of all.")
	}
	if len(c.Settings) > 0 {
		fmt.Fprintln(w)
	}
	for _, s := range c.Settings {
		fmt.Fprintf(w, "%s: %s\n", s.Name, printable(s.Text))
	}
	return nil
}
