package ingest

import (
	"errors"
	"fmt"
	"net/netip"
	"syscall"
)

// errAddress says that a callback would go to an address that is not public.
var errAddress = errors.New("is not a public address; set allow_private to send callbacks there")

// reserved are the special-purpose blocks (IANA's registries for IPv4 and IPv6) that netip has no method for. Among them are those
// that carry an IPv4 address in an IPv6 one, which would lead around the other checks.
func reserved() []netip.Prefix {
	blocks := []string{
		"0.0.0.0/8",       // this network
		"100.64.0.0/10",   // carrier-grade NAT
		"192.0.0.0/24",    // protocol assignments
		"192.0.2.0/24",    // documentation
		"192.88.99.0/24",  // 6to4 relays
		"198.18.0.0/15",   // benchmarks
		"198.51.100.0/24", // documentation
		"203.0.113.0/24",  // documentation
		"240.0.0.0/4",     // reserved, and broadcast
		"::/96",           // IPv4-compatible, and loopback
		"64:ff9b::/96",    // NAT64
		"64:ff9b:1::/48",  // local NAT64
		"100::/64",        // discard
		"2001::/23",       // protocol assignments, Teredo among them
		"2001:db8::/32",   // documentation
		"2002::/16",       // 6to4
		"3fff::/20",       // documentation
		"5f00::/16",       // segment routing
		"fec0::/10",       // site-local
	}
	prefixes := make([]netip.Prefix, len(blocks))
	for i, b := range blocks {
		prefixes[i] = netip.MustParsePrefix(b)
	}
	return prefixes
}

// guard refuses addresses that are not public. It looks at what is dialled, after the name was resolved, so that no name can lead
// elsewhere between the check and the call.
type guard struct{ reserved []netip.Prefix }

// control is for net.Dialer.
func (g guard) control(_, address string, _ syscall.RawConn) error {
	ap, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("%s: %w", address, errAddress)
	}
	return g.check(ap.Addr())
}

func (g guard) check(addr netip.Addr) error {
	a := addr.Unmap().WithZone("")
	bad := !a.IsValid() || a.IsUnspecified() || a.IsLoopback() || a.IsPrivate() || a.IsLinkLocalUnicast() || a.IsMulticast() || !a.IsGlobalUnicast()
	for _, p := range g.reserved {
		bad = bad || p.Contains(a)
	}
	if bad {
		return fmt.Errorf("%s: %w", addr, errAddress)
	}
	return nil
}
