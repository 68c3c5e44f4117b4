package local

import (
	"os"
	"strconv"
	"strings"
)

// Capability numbers of linux/capability.h: one lets a process search any
// folder and read any file, the other also write. Containers usually keep
// only the second.
const (
	capDACOverride   = 1
	capDACReadSearch = 2
)

// searchCapability returns the least capability that lets a process enter
// folders closed to its account, if we may pass one on.
func searchCapability() (uintptr, bool) {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0, false
	}
	have := ^uint64(0)
	for line := range strings.Lines(string(status)) {
		name, value, _ := strings.Cut(line, ":")
		if name != "CapEff" && name != "CapPrm" && name != "CapBnd" {
			continue
		}
		set, err := strconv.ParseUint(strings.TrimSpace(value), 16, 64)
		if err != nil {
			return 0, false
		}
		have &= set
	}
	for _, c := range []uintptr{capDACReadSearch, capDACOverride} {
		if have&(1<<c) != 0 {
			return c, true
		}
	}
	return 0, false
}
