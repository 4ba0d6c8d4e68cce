package ebpf

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"
	"github.com/cilium/ebpf/features"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"
)

// Requirement is one thing that capturing needs of this host.
type Requirement struct {
	Name   string
	Met    bool
	Asked  bool   // false: it takes privilege to find out, and Met says nothing
	Detail string // what was found
	Next   string // what to do when it is not met
}

// ErrRequirements means that this host cannot capture, or not as this user.
var ErrRequirements = errors.New("this host cannot capture")

// Requirements looks at everything that capturing needs, and changes nothing.
func Requirements() []Requirement {
	list := []Requirement{
		kernel(),
		capabilities(),
		kernelTypes(),
		bpffs(),
		tcxLinks(),
		dropReason(),
		packetTag(),
	}
	for i := range list {
		list[i].Asked = true
		if list[i].Name == tcxName && !list[1].Met {
			list[i].Asked, list[i].Detail = false, "cannot be asked without privilege"
		}
	}
	return list
}

// Require is an error that names what is missing, or nil.
func Require() error {
	var missing, next []string
	for _, r := range Requirements() {
		if r.Asked && !r.Met {
			missing = append(missing, r.Name+" ("+r.Detail+")")
			if r.Next != "" {
				next = append(next, r.Next)
			}
		}
	}
	if len(missing) == 0 {
		return nil
	}
	return &Error{
		"start", "", fmt.Errorf("%w, missing: %s", ErrRequirements, strings.Join(missing, "; ")),
		strings.Join(next, "; ") + "; the whole list: weir check",
	}
}

func kernel() Requirement {
	r := Requirement{Name: "kernel 6.6 or later", Next: "use a kernel that has tcx, from 6.6 on"}
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		r.Detail = err.Error()
		return r
	}
	r.Detail = unix.ByteSliceToString(u.Release[:])
	var major, minor int
	if _, err := fmt.Sscanf(r.Detail, "%d.%d", &major, &minor); err == nil {
		r.Met = major > 6 || major == 6 && minor >= 6
	}
	return r
}

// The capabilities that starting takes.
var needed = []struct {
	bit  int
	name string
}{
	{unix.CAP_NET_ADMIN, "CAP_NET_ADMIN"}, // attach to devices
	{unix.CAP_SYS_ADMIN, "CAP_SYS_ADMIN"}, // mount bpffs, enter namespaces
	{unix.CAP_BPF, "CAP_BPF"},             // load programs
	{unix.CAP_PERFMON, "CAP_PERFMON"},     // the drop tracepoint
}

func capabilities() Requirement {
	r := Requirement{Name: "capabilities", Next: "run it as root"}
	var data [2]unix.CapUserData
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	if err := unix.Capget(&header, &data[0]); err != nil {
		r.Detail = err.Error()
		return r
	}
	var have, lack []string
	for _, n := range needed {
		if data[n.bit/32].Effective&(1<<(n.bit%32)) != 0 {
			have = append(have, n.name)
		} else {
			lack = append(lack, n.name)
		}
	}
	if len(lack) > 0 {
		r.Detail = "without " + strings.Join(lack, ", ")
		return r
	}
	r.Met, r.Detail = true, strings.Join(have, ", ")
	return r
}

func kernelTypes() Requirement {
	r := Requirement{Name: "kernel type information (BTF)", Next: "use a kernel with CONFIG_DEBUG_INFO_BTF"}
	if _, err := os.Stat("/sys/kernel/btf/vmlinux"); err != nil {
		r.Detail = err.Error()
		return r
	}
	r.Met, r.Detail = true, "/sys/kernel/btf/vmlinux"
	return r
}

func bpffs() Requirement {
	r := Requirement{Name: "bpf file system", Next: "use a kernel with CONFIG_BPF_SYSCALL"}
	list, err := os.ReadFile("/proc/filesystems")
	if err != nil {
		r.Detail = err.Error()
		return r
	}
	for line := range strings.Lines(string(list)) {
		if strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(line), "nodev")) == "bpf" {
			r.Met, r.Detail = true, "known to the kernel; mounted when needed"
			return r
		}
	}
	r.Detail = "not in /proc/filesystems"
	return r
}

const tcxName = "tcx"

func tcxLinks() Requirement {
	r := Requirement{Name: tcxName, Next: "use a kernel from 6.6 on with CONFIG_NET_XGRESS and CONFIG_BPF_SYSCALL"}
	if err := features.HaveProgramType(ebpf.SchedCLS); err != nil && !errors.Is(err, unix.EPERM) {
		r.Detail = err.Error()
		return r
	}
	_, err := link.QueryPrograms(link.QueryOptions{Target: 1, Attach: ebpf.AttachTCXIngress}) // 1 is lo
	if err != nil {
		r.Detail = err.Error()
		return r
	}
	r.Met, r.Detail = true, "the kernel attaches programs to devices by links"
	return r
}

func dropReason() Requirement {
	r := Requirement{Name: "drop reasons", Next: "use a kernel from 5.17 on; without it no refusal is seen"}
	names, err := dropReasons()
	if err != nil {
		r.Detail = err.Error()
		return r
	}
	for value, name := range names {
		if name == "NETFILTER_DROP" {
			r.Met, r.Detail = true, fmt.Sprintf("NETFILTER_DROP is %d", value)
			return r
		}
	}
	r.Detail = "the kernel has no SKB_DROP_REASON_NETFILTER_DROP"
	return r
}

// dropReasons are the names of this kernel's enum skb_drop_reason, without what
// they all begin with.
func dropReasons() (map[uint16]string, error) {
	spec, err := btf.LoadKernelSpec()
	if err != nil {
		return nil, err
	}
	var reasons *btf.Enum
	if err := spec.TypeByName("skb_drop_reason", &reasons); err != nil {
		return nil, fmt.Errorf("enum skb_drop_reason: %w", err)
	}
	names := make(map[uint16]string, len(reasons.Values))
	for _, v := range reasons.Values {
		names[uint16(v.Value)] = strings.TrimPrefix(v.Name, "SKB_DROP_REASON_")
	}
	return names, nil
}

func packetTag() Requirement {
	r := Requirement{Name: "packet tag (skb->tc_index)", Next: "use a kernel with CONFIG_NET_SCHED"}
	spec, err := btf.LoadKernelSpec()
	if err != nil {
		r.Detail = err.Error()
		return r
	}
	var skb *btf.Struct
	if err := spec.TypeByName("sk_buff", &skb); err != nil {
		r.Detail = err.Error()
		return r
	}
	if hasMember(skb, "tc_index") {
		r.Met, r.Detail = true, "a refusal finds the epoch of its packet"
		return r
	}
	r.Detail = "struct sk_buff has no tc_index"
	return r
}

// hasMember looks through the anonymous structs and unions too.
func hasMember(t btf.Type, name string) bool {
	var members []btf.Member
	switch t := btf.UnderlyingType(t).(type) {
	case *btf.Struct:
		members = t.Members
	case *btf.Union:
		members = t.Members
	}
	for _, m := range members {
		if m.Name == name || m.Name == "" && hasMember(m.Type, name) {
			return true
		}
	}
	return false
}
