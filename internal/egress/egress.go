// Package egress keeps requests out of networks that are not public, where their address was chosen by somebody outside. It looks at
// nothing but the address that is dialled: what its name said before, or what it looked like, is no matter.
package egress

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"syscall"

	"code.dny.dev/ssrf"
)

// Why an address is not dialled.
var (
	ErrAddress = errors.New("the address is not public, and not among those allowed")
	ErrPort    = errors.New("the port is not among those allowed")
	ErrPublic  = errors.New("the address is public, where only the networks allowed are")
)

// A Control is that of a net.Dialer, which calls it for each address that a name has, right before it connects to that very address. So
// MUST every connection be made: a proxy would dial for us.
type Control = func(network, address string, _ syscall.RawConn) error

// Guard lets connections through to the networks allowed, whatever the port, and to public addresses, there to the ports alone if any
// are named.
func Guard(allow []netip.Prefix, ports ...uint16) Control {
	return guard(allow, func(port uint16) error {
		if len(ports) > 0 && !slices.Contains(ports, port) {
			return ErrPort
		}
		return nil
	})
}

// Within lets connections through to the networks allowed and nowhere else: for what is not encrypted.
func Within(allow []netip.Prefix) Control {
	return guard(allow, func(uint16) error { return ErrPublic })
}

// guard asks of a public address whether its port will do.
func guard(allow []netip.Prefix, public func(port uint16) error) Control {
	judge := ssrf.New(ssrf.WithAnyPort())
	return func(network, address string, c syscall.RawConn) error {
		at, err := netip.ParseAddrPort(address)
		if err != nil {
			return fmt.Errorf("judge the address: %w", err)
		}
		// An IPv4 address may come as IPv6, and any with a zone, of which a prefix knows nothing.
		at = netip.AddrPortFrom(at.Addr().Unmap().WithZone(""), at.Port())
		for _, p := range allow {
			if p.Contains(at.Addr()) {
				return nil
			}
		}
		if judge.Safe(network, at.String(), c) != nil {
			return ErrAddress
		}
		return public(at.Port())
	}
}
