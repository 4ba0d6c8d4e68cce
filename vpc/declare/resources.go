package declare

import (
	"slices"
	"strings"

	"weir/vpc"
	"weir/vpc/flowlogs"
)

// allResources is what a file and the command say for [flowlogs.Everything].
const allResources = "all"

// resource is what a flow log is of, and where the file says so.
type resource struct {
	id   string
	node *node
}

// resources finds the things of a topology by name.
type resources struct {
	t     *vpc.Topology
	x     *vpc.Index
	names map[string]map[string][]candidate // by key (vpc, subnet, interface) and name
	lines map[string]int                    // where flow logs are declared, by their ids
}

// owner is the account and region of a resource that the file describes.
func (r *resources) owner(id string) (account, region string) {
	vpcID := id
	if s := r.x.Subnet(id); s != nil {
		vpcID = s.VPCID
	}
	in := r.x.Interface(id)
	if in != nil {
		vpcID = in.VPCID
	}
	v := r.x.VPC(vpcID)
	switch {
	case v == nil:
		return "", ""
	case in != nil:
		return in.AccountID, v.Region
	}
	return v.AccountID, v.Region
}

// resources reads what a flow log is of: by id or "all", or by name. The last of
// vpc, subnet and interface is meant, those before it say where it is.
func (d *decoder) resources(f *File, r *resources, n *node) []resource {
	var named []string
	for _, key := range []string{"vpc", "subnet", "interface"} {
		if n.get(key) != nil {
			named = append(named, key)
		}
	}
	v := n.get("resource")
	switch {
	case v != nil && len(named) > 0:
		d.add(v, "", "the flow log has a resource, and %s beside it", named[0])
		return nil
	case v != nil:
		return d.byID(n)
	case len(named) == 0:
		d.add(n, "resource: all, an id, or vpc, subnet or interface with a name", "the flow log does not say of what it is")
		return nil
	}
	scope := map[string]string{} // ids, by the keys before the last
	for i, key := range named {
		items := d.list(n, key)
		last := i == len(named)-1
		if !last && len(items) != 1 {
			d.add(n.get(key), "", "one %s is wanted before the %s", key, named[i+1])
			return nil
		}
		var found []resource
		for _, item := range items {
			if id := d.named(f, r, item, key, scope); id != "" {
				found = append(found, resource{id, item})
			}
		}
		if last {
			return found
		}
		if len(found) == 0 {
			return nil
		}
		scope[key] = found[0].id
	}
	return nil
}

func (d *decoder) byID(n *node) []resource {
	var list []resource
	for _, item := range d.list(n, "resource") {
		word := d.word(item)
		if word == allResources {
			word = flowlogs.Everything
		}
		switch {
		case word == "":
		case flowlogs.TypeOf(word) == "" || word == "*" && item.text != allResources:
			d.add(item, "write all, or an id such as vpc-…, subnet-… or eni-…; names stand behind vpc, subnet or interface", "%q is no resource", shorten(item.text))
		default:
			list = append(list, resource{word, item})
		}
	}
	return list
}

// named finds what a name means, within what the scope says.
func (d *decoder) named(f *File, r *resources, v *node, key string, scope map[string]string) string {
	word := d.word(v)
	kind := map[string]string{"vpc": vpc.KindVPC, "subnet": vpc.KindSubnet, "interface": vpc.KindInterface}[key]
	switch {
	case word == "":
		return ""
	case strings.HasPrefix(word, kind+"-") && vpc.CheckID(kind, word) == nil:
		return word // New says when there is no such thing
	case !f.Described:
		d.add(v, "names are those of vpcs, which this file has none of; write the id behind resource", "there is no %s %q", key, shorten(word))
		return ""
	}
	inScope := func(c candidate) bool {
		return (scope["vpc"] == "" || c.vpcID == scope["vpc"]) && (scope["subnet"] == "" || c.subnetID == scope["subnet"])
	}
	var ids []string
	for _, c := range r.candidates(key)[word] {
		if inScope(c) {
			ids = append(ids, c.id)
		}
	}
	switch len(ids) {
	case 1:
		return ids[0]
	case 0:
		d.unknownResource(r, v, key, word, inScope)
	default:
		d.add(v, "write its vpc beside it, or its id behind resource", "%d %ss have the name %q", len(ids), key, shorten(word))
	}
	return ""
}

// unknownResource reports a name that nothing has, with what was meant perhaps.
func (d *decoder) unknownResource(r *resources, v *node, key, word string, inScope func(candidate) bool) {
	const mostProblems, mostNames = 20, 5000 // the search for what was meant looks at every name
	hint := ""
	if len(d.problems) < mostProblems {
		var all []string
		for name, list := range r.candidates(key) {
			if slices.ContainsFunc(list, inScope) {
				all = append(all, name)
			}
		}
		slices.Sort(all)
		switch near := nearest(word, all[:min(len(all), mostNames)]); {
		case near != "":
			hint = "did you mean " + near + "?"
		case len(all) > 0 && len(all) <= 12:
			hint = "there are " + strings.Join(all, ", ")
		}
	}
	d.add(v, hint, "there is no %s %q", key, shorten(word))
}

// candidate is a thing that a name may mean.
type candidate struct{ id, vpcID, subnetID string }

// candidates are the things of a key, by their names.
func (r *resources) candidates(key string) map[string][]candidate {
	if m, ok := r.names[key]; ok {
		return m
	}
	m := map[string][]candidate{}
	add := func(name string, c candidate) {
		if name != "" {
			m[name] = append(m[name], c)
		}
	}
	switch key {
	case "vpc":
		for i := range r.t.VPCs {
			add(r.t.VPCs[i].Name, candidate{id: r.t.VPCs[i].ID})
		}
	case "subnet":
		for i := range r.t.Subnets {
			s := &r.t.Subnets[i]
			add(s.Name, candidate{s.ID, s.VPCID, ""})
		}
	case "interface":
		for i := range r.t.Interfaces {
			in := &r.t.Interfaces[i]
			add(in.Name, candidate{in.ID, in.VPCID, in.SubnetID})
		}
	}
	r.names[key] = m
	return m
}

// resourceText is a resource as a file says it.
func resourceText(id string) string {
	if id == flowlogs.Everything {
		return allResources
	}
	return id
}
