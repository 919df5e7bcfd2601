// Package egress keeps requests out of networks that are not public, where their address was chosen by somebody outside. It looks at
// nothing but the address that is dialled: what its name said before, or what it looked like, is no matter.
package egress

import (
	"errors"
	"fmt"
	"net/netip"
	"syscall"

	"code.dny.dev/ssrf"
)

// Why an address is not dialled.
var (
	ErrAddress = errors.New("the address is not public, and not among those allowed")
	ErrPort    = errors.New("the port is not among those allowed")
)

// Guard is a net.Dialer's Control. It lets connections through to the networks allowed, whatever the port, and to public addresses,
// there to the ports alone if any are named.
//
// A dialer calls it for each address that a name has, right before it connects to that very address. So MUST every connection be made:
// a proxy would dial for us.
func Guard(allow []netip.Prefix, ports ...uint16) func(network, address string, _ syscall.RawConn) error {
	public := ssrf.New(ssrf.WithPorts(ports...))
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
		switch err := public.Safe(network, at.String(), c); {
		case err == nil:
			return nil
		case errors.Is(err, ssrf.ErrProhibitedPort):
			return ErrPort
		default:
			return ErrAddress
		}
	}
}
