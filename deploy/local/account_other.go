//go:build !linux

package local

// searchCapability reports that this system has none.
func searchCapability() (uintptr, bool) { return 0, false }
