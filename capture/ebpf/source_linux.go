package ebpf

import (
	"fmt"
	"os"
	"strings"

	"github.com/cilium/ebpf"
)

// sourceOf names one life of the kernel's maps: the boot, and the id of the map
// that holds the epoch, which the kernel gives to no other map until it boots
// again (bpf_map_alloc_id, kernel/bpf/syscall.c: it counts up).
func sourceOf(epochs *ebpf.Map) (string, error) {
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return "", &Error{"name the boot", "", err, "mount /proc"}
	}
	info, err := epochs.Info()
	if err != nil {
		return "", &Error{"look at the map of epochs", "", err, ""}
	}
	id, ok := info.ID()
	if !ok {
		return "", &Error{"look at the map of epochs", "", fmt.Errorf("it has no id"), "use a kernel from 4.13 on"}
	}
	return fmt.Sprintf("%s-%d", strings.TrimSpace(string(boot)), id), nil
}
