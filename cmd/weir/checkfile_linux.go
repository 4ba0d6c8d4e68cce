package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"weir/vpc"
	"weir/vpc/declare"
	"weir/vpc/discover"
	"weir/vpc/watch"
)

// Most rows of a table, and most problems, that people are shown. JSON has all.
const (
	mostRows     = 100
	mostProblems = 1000
)

// checkFileFlags are those of weir check that are about a file.
type checkFileFlags struct {
	print bool
}

// checkedFile is the whole answer of weir check FILE.
type checkedFile struct {
	File     string           `json:"file"`
	Valid    bool             `json:"valid"`
	Problems []checkedProblem `json:"problems"`
	// Topology is missing when the file describes none: interfaces are
	// discovered then.
	Topology *checkedTopology `json:"topology,omitempty"`
	FlowLogs []checkedFlowLog `json:"flow_logs,omitempty"`
	// Precedence is that of flow logs that overlap: all or most-specific.
	Precedence string           `json:"precedence,omitempty"`
	Settings   []checkedSetting `json:"settings,omitempty"`
}

type checkedProblem struct {
	Level  string `json:"level"` // error, warning
	Line   int    `json:"line,omitempty"`
	Column int    `json:"column,omitempty"`
	Path   string `json:"path,omitempty"`
	Cause  string `json:"cause"`
	Other  int    `json:"other_line,omitempty"` // of what it collides with
	Hint   string `json:"hint,omitempty"`
}

// checkedTopology is what a file declares, as tables.
type checkedTopology struct {
	VPCs        []checkedVPC       `json:"vpcs"`
	Subnets     []checkedSubnet    `json:"subnets"`
	Interfaces  []checkedInterface `json:"interfaces"`
	Groups      []checkedRules     `json:"security_groups"`
	ACLs        []checkedRules     `json:"network_acls"`
	PrefixLists []checkedList      `json:"prefix_lists"`
	RouteTables []checkedList      `json:"route_tables"`
}

type checkedVPC struct {
	ID        string   `json:"vpc_id"`
	Name      string   `json:"name"`
	AccountID string   `json:"account_id"`
	Region    string   `json:"region"`
	CIDRs     []string `json:"cidrs"`
}

type checkedSubnet struct {
	ID         string   `json:"subnet_id"`
	Name       string   `json:"name"`
	VPCID      string   `json:"vpc_id"`
	ZoneID     string   `json:"zone_id"`
	CIDRs      []string `json:"cidrs"`
	ACL        string   `json:"network_acl"`
	Interfaces int      `json:"interfaces"`
}

type checkedInterface struct {
	ID        string   `json:"interface_id"`
	Name      string   `json:"name"`
	Device    string   `json:"device"`
	Side      string   `json:"side"`
	Subnet    string   `json:"subnet"`
	Addresses []string `json:"addresses"`
	Groups    []string `json:"security_groups"`
}

// checkedRules is a group or an ACL. Used counts the interfaces or the subnets
// that have it.
type checkedRules struct {
	ID      string `json:"id"`
	Name    string `json:"name"`
	Ingress int    `json:"ingress_rules"`
	Egress  int    `json:"egress_rules"`
	Used    int    `json:"used"`
}

type checkedList struct {
	ID      string `json:"id"`
	Name    string `json:"name"`
	Entries int    `json:"entries"`
}

// checkFile reads a topology's file and says what is in it and wrong with it.
func (a *app) checkFile(path string, f *checkFileFlags) error {
	data, err := a.readTopology(path)
	if err != nil {
		return err
	}
	var devices discover.Devices
	whole, problems := declare.ParseFile(data, declare.Options{AccountID: defaultAccountID, Region: defaultRegion, Side: devices.Side})
	c := checkedFile{File: path, Valid: len(problems.Errors()) == 0, Problems: checkedProblems(problems)}
	if whole != nil {
		c.tabulateFlowLogs(whole)
		if whole.Described {
			c.Topology = tabulate(whole.Topology)
		}
		c.Problems = append(c.Problems, deviceProblems(whole.Topology, &devices)...)
	}
	switch {
	case a.json:
		enc := json.NewEncoder(a.out)
		enc.SetIndent("", "  ")
		err = enc.Encode(c)
	case f.print:
		c.printProblems(a.err)
		if c.Valid {
			_, err = a.out.Write(printed(whole))
		}
	default:
		if whole != nil {
			err = c.print(a.out)
		}
		if len(c.Problems) > 0 && whole != nil {
			fmt.Fprintln(a.out)
		}
		c.printProblems(a.out)
	}
	if err == nil && !c.Valid {
		n := len(problems.Errors())
		err = withHint(fmt.Errorf("%s has %s", path, howMany(n, "error")), "a file with errors is not used; its format: docs/topology.md, docs/flow-logs.md")
	}
	return err
}

func (a *app) readTopology(path string) ([]byte, error) {
	if path == "-" {
		return io.ReadAll(io.LimitReader(a.in, declare.MaxSize+1))
	}
	return watch.Read(path)
}

func checkedProblems(problems declare.Problems) []checkedProblem {
	list := []checkedProblem{}
	for _, p := range problems {
		c := checkedProblem{Level: "error", Line: p.Line, Column: p.Column, Path: p.Path, Cause: p.Cause, Other: p.Other, Hint: p.Hint}
		if p.Warning {
			c.Level = "warning"
		}
		list = append(list, c)
	}
	return list
}

// deviceProblems are the devices that this host does not have: a file may be for
// another host, or be there before them.
func deviceProblems(t *vpc.Topology, devices *discover.Devices) []checkedProblem {
	var list []checkedProblem
	add := func(cause, hint string) {
		list = append(list, checkedProblem{Level: "warning", Cause: cause, Hint: hint})
	}
	unseen := map[string]bool{} // namespaces
	for i := range t.Interfaces {
		in := &t.Interfaces[i]
		if in.Device.Name == "" || unseen[in.Device.Namespace] {
			continue
		}
		found, err := devices.Find(in.Device)
		name := called(in.Name, in.ID)
		switch {
		case errors.Is(err, discover.ErrNoDevice):
			add(fmt.Sprintf("this host has no device %v, of interface %s", in.Device, name), "")
		case err != nil:
			unseen[in.Device.Namespace] = true
			add(fmt.Sprintf("cannot look for devices: %v", err), "")
		case in.Bridge != "" && in.Bridge != found.Bridge:
			add(fmt.Sprintf("device %v, of interface %s, is no port of bridge %s", in.Device, name, in.Bridge), "")
		case in.Side != found.Side:
			add(fmt.Sprintf("device %v, of interface %s, is declared %v and looks like %v", in.Device, name, in.Side, found.Side),
				"far: the instance is at the device's other end; own: the device is the host's own card")
		}
	}
	return list
}

func (c *checkedFile) printProblems(w io.Writer) {
	for i, p := range c.Problems {
		if i == mostProblems {
			fmt.Fprintf(w, "… and %d more: weir check --json\n", len(c.Problems)-i)
			return
		}
		where := c.File + ":"
		if p.Line > 0 {
			where += fmt.Sprintf("%d:%d:", p.Line, p.Column)
		}
		if p.Path != "" {
			p.Cause = p.Path + ": " + p.Cause
		}
		if p.Other > 0 && p.Other != p.Line {
			p.Cause += fmt.Sprintf(" (line %d)", p.Other)
		}
		fmt.Fprintln(w, where, p.Level+":", printable(p.Cause))
		if p.Hint != "" {
			fmt.Fprintln(w, "  hint:", printable(p.Hint))
		}
	}
}

// called is what people call a thing.
func called(name, id string) string {
	if name == "" {
		return id
	}
	return name
}

func tabulate(t *vpc.Topology) *checkedTopology {
	x := t.Index()
	c := &checkedTopology{}
	for _, v := range t.VPCs {
		c.VPCs = append(c.VPCs, checkedVPC{v.ID, v.Name, v.AccountID, v.Region, texts(v.CIDRs)})
	}
	uses := map[string]int{}
	for _, s := range t.Subnets {
		row := checkedSubnet{s.ID, s.Name, s.VPCID, s.ZoneID, texts(s.CIDRs), s.ACLID, len(x.InSubnet(s.ID))}
		if acl := x.ACL(s.ACLID); acl != nil {
			row.ACL = called(acl.Name, acl.ID)
		}
		uses[s.ACLID]++
		c.Subnets = append(c.Subnets, row)
	}
	for i := range t.Interfaces {
		in := &t.Interfaces[i]
		row := checkedInterface{in.ID, in.Name, in.Device.String(), in.Side.String(), in.SubnetID, texts(in.Addresses), []string{}}
		for _, id := range in.GroupIDs {
			if g := x.Group(id); g != nil {
				id = called(g.Name, id)
			}
			row.Groups = append(row.Groups, id)
		}
		if s := x.Subnet(in.SubnetID); s != nil {
			row.Subnet = called(s.Name, s.ID)
		}
		c.Interfaces = append(c.Interfaces, row)
	}
	for _, g := range t.Groups {
		c.Groups = append(c.Groups, checkedRules{g.ID, g.Name, len(g.Ingress), len(g.Egress), len(x.Members(g.ID))})
	}
	for _, acl := range t.ACLs {
		c.ACLs = append(c.ACLs, checkedRules{acl.ID, acl.Name, len(acl.Ingress), len(acl.Egress), uses[acl.ID]})
	}
	for _, l := range t.PrefixLists {
		c.PrefixLists = append(c.PrefixLists, checkedList{l.ID, l.Name, len(l.Entries)})
	}
	for _, rt := range t.RouteTables {
		c.RouteTables = append(c.RouteTables, checkedList{rt.ID, rt.Name, len(rt.Routes)})
	}
	return c
}

// texts are addresses or networks in words.
func texts[T netip.Addr | netip.Prefix](list []T) []string {
	all := []string{}
	for _, v := range list {
		all = append(all, fmt.Sprint(v))
	}
	return all
}

// howMany is a number of things in words.
func howMany(n int, what string) string { return fmt.Sprintf("%d %s", n, plural(int64(n), what)) }

// print shows all that the file declares.
func (c *checkedFile) print(w io.Writer) error {
	counts := []string{"interfaces as they are found"}
	if c.Topology != nil {
		counts = c.Topology.counts()
	}
	if c.Precedence != "" {
		counts = append(counts, howMany(len(c.FlowLogs), "flow log"))
	}
	fmt.Fprintf(w, "%s: %s\n", c.File, strings.Join(counts, ", "))
	if c.Topology != nil {
		if err := c.Topology.print(w); err != nil {
			return err
		}
	}
	return c.printFlowLogs(w)
}

// counts is how much of everything there is.
func (t *checkedTopology) counts() []string {
	rules := func(list []checkedRules) (n int) {
		for _, l := range list {
			n += l.Ingress + l.Egress
		}
		return n
	}
	counts := []string{
		howMany(len(t.VPCs), "VPC"), howMany(len(t.Subnets), "subnet"), howMany(len(t.Interfaces), "interface"),
		howMany(len(t.Groups), "security group") + " (" + howMany(rules(t.Groups), "rule") + ")",
		howMany(len(t.ACLs), "network ACL") + " (" + howMany(rules(t.ACLs), "rule") + ")",
	}
	if n := len(t.PrefixLists); n > 0 {
		counts = append(counts, howMany(n, "prefix list"))
	}
	if n := len(t.RouteTables); n > 0 {
		counts = append(counts, howMany(n, "route table"))
	}
	return counts
}

func (t *checkedTopology) print(w io.Writer) error {
	var vpcs, subnets, interfaces, groups, acls [][]string
	for _, v := range t.VPCs {
		vpcs = append(vpcs, []string{v.ID, v.Name, v.AccountID, v.Region, strings.Join(v.CIDRs, " ")})
	}
	for _, s := range t.Subnets {
		subnets = append(subnets, []string{s.ID, s.Name, s.ZoneID, strings.Join(s.CIDRs, " "), s.ACL, strconv.Itoa(s.Interfaces)})
	}
	for _, i := range t.Interfaces {
		interfaces = append(interfaces, []string{i.ID, i.Name, i.Subnet, i.Device, i.Side, strings.Join(i.Addresses, " "), strings.Join(i.Groups, " ")})
	}
	for _, g := range t.Groups {
		groups = append(groups, []string{g.ID, g.Name, strconv.Itoa(g.Ingress), strconv.Itoa(g.Egress), strconv.Itoa(g.Used)})
	}
	for _, acl := range t.ACLs {
		acls = append(acls, []string{acl.ID, acl.Name, strconv.Itoa(acl.Ingress), strconv.Itoa(acl.Egress), strconv.Itoa(acl.Used)})
	}
	for _, s := range []struct {
		header  []string
		numbers int // how many columns at the end are numbers
		rows    [][]string
	}{
		{[]string{"VPC", "NAME", "ACCOUNT", "REGION", "CIDRS"}, 0, vpcs},
		{[]string{"SUBNET", "NAME", "ZONE", "CIDRS", "NETWORK ACL", "INTERFACES"}, 1, subnets},
		{[]string{"INTERFACE", "NAME", "SUBNET", "DEVICE", "SIDE", "ADDRESSES", "SECURITY GROUPS"}, 0, interfaces},
		{[]string{"SECURITY GROUP", "NAME", "INGRESS", "EGRESS", "INTERFACES"}, 3, groups},
		{[]string{"NETWORK ACL", "NAME", "INGRESS", "EGRESS", "SUBNETS"}, 3, acls},
	} {
		if err := printRows(w, s.header, s.numbers, s.rows); err != nil {
			return err
		}
	}
	return nil
}

// printRows prints a table's first rows.
func printRows(w io.Writer, header []string, numbers int, rows [][]string) error {
	if len(rows) == 0 {
		return nil
	}
	fmt.Fprintln(w)
	right := slices.Concat(make([]bool, len(header)-numbers), slices.Repeat([]bool{true}, numbers))
	t := newTable(w, header, right)
	for _, row := range rows[:min(len(rows), mostRows)] {
		for i, cell := range row {
			if cell == "" {
				row[i] = "-"
			}
		}
		if err := t.Row(row); err != nil {
			return err
		}
	}
	if err := t.Close(); err != nil {
		return err
	}
	if more := len(rows) - mostRows; more > 0 {
		fmt.Fprintf(w, "… and %d more: weir check --json\n", more)
	}
	return nil
}

// printed is a file as it is understood. A topology alone is written as the book
// of policies keeps it.
func printed(f *declare.File) []byte {
	if f.Described && !f.HasFlowLogs && !f.MostSpecific && reflect.DeepEqual(f.Settings, declare.Settings{}) {
		return declare.Append(nil, f.Topology)
	}
	return declare.AppendFile(nil, f)
}
