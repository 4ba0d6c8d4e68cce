package main

import (
	"errors"
	"fmt"
	"strings"

	"weir/policy"
	"weir/policy/nft"
	"weir/vpc"
	"weir/vpc/declare"
	"weir/vpc/discover"
)

// draft is a policy that may be put into force: a file's topology, compiled and
// rendered. Nothing of it is in the book or the kernel yet.
type draft struct {
	file     string
	topology *vpc.Topology
	warnings declare.Problems
	devices  *discover.Devices
	policy   *policy.Policy
	rulesets []nft.Ruleset
}

// problemsError is a file that cannot be used, with all that is wrong with it.
type problemsError struct {
	file     string
	problems declare.Problems
}

func (e *problemsError) Error() string {
	return fmt.Sprintf("%s has %s", e.file, howMany(len(e.problems.Errors()), "error"))
}

func (e *problemsError) Hint() string {
	return "a file with errors is not used; its format: docs/topology.md"
}

// Detail is the problems as compilers write them, so that editors find the lines.
func (e *problemsError) Detail() string {
	var b strings.Builder
	c := checkedFile{File: e.file, Problems: checkedProblems(e.problems)}
	c.printProblems(&b)
	return b.String()
}

// parseTopology reads what a file says; devices tell what it leaves open.
func (a *app) parseTopology(file string, devices *discover.Devices) (*vpc.Topology, declare.Problems, error) {
	data, err := a.readTopology(file)
	if err != nil {
		return nil, nil, withHint(err, "a topology's file is YAML: docs/topology.md")
	}
	t, problems := declare.Parse(data, topologyOptions(defaultAccountID, defaultRegion, devices))
	if len(problems.Errors()) > 0 {
		return nil, problems, &problemsError{file, problems}
	}
	return t, problems, nil
}

func topologyOptions(account, region string, devices *discover.Devices) declare.Options {
	return declare.Options{AccountID: account, Region: region, Side: devices.Side}
}

// draftOf compiles and renders a topology with the ids that its rules have, or
// would get.
func (e *enforcer) draftOf(file string, t *vpc.Topology, devices *discover.Devices) (*draft, error) {
	p, err := e.book.Preview(t)
	if err != nil {
		return nil, bookError(err)
	}
	rulesets, err := nft.Render(p, nft.Options{})
	if err != nil {
		return nil, err
	}
	return &draft{file: file, topology: t, devices: devices, policy: p, rulesets: rulesets}, nil
}

func (a *app) draft(file string) (*draft, error) {
	devices := &discover.Devices{}
	t, warnings, err := a.parseTopology(file, devices)
	if err != nil {
		return nil, err
	}
	d, err := a.enforcer(false).draftOf(file, t, devices)
	if err == nil {
		d.warnings = warnings
	}
	return d, err
}

// misfit is an interface that the rules would miss on this host.
type misfit struct {
	why  string
	wait bool // it is only not there yet
}

// misfits are the interfaces whose device is not there, or is not what the file
// says of it: the rules would never see their packets.
func (d *draft) misfits() []misfit {
	var list []misfit
	for _, i := range d.policy.Interfaces() {
		if i.Device.Name == "" || !i.Filtered() {
			continue
		}
		found, err := d.devices.Find(i.Device)
		var m misfit
		name := called(i.Name, i.ID)
		device := deviceName(i.Device)
		switch {
		case !namespaceExists(i.Device.Namespace):
			m.why, m.wait = fmt.Sprintf("the network namespace of device %s, of interface %s, does not exist", device, name), true
		case errors.Is(err, discover.ErrNoDevice):
			m.why, m.wait = fmt.Sprintf("the device %s of interface %s does not exist", device, name), true
		case err != nil:
			m.why, m.wait = fmt.Sprintf("the device %s of interface %s cannot be looked at: %v", device, name, err), true
		case found.Bridge != i.Bridge && i.Bridge == "":
			m.why = fmt.Sprintf("the device %s of interface %s is a port of the bridge %s: write bridge: %s", device, name, found.Bridge, found.Bridge)
		case found.Bridge != i.Bridge:
			m.why = fmt.Sprintf("the device %s of interface %s is no port of the bridge %s", device, name, i.Bridge)
		default:
			continue
		}
		list = append(list, m)
	}
	return list
}

// deviceName is what people call a device: eth0, or router:eth0 in a network
// namespace.
func deviceName(d vpc.Device) string {
	if d.Namespace == "" {
		return d.Name
	}
	return namespaceName(d.Namespace) + ":" + d.Name
}
