package egress_test

import (
	"errors"
	"net/netip"
	"testing"

	"chancery/internal/egress"
)

func TestOnlyPublicAddressesAreReachable(t *testing.T) {
	guard := egress.Guard(nil)
	for address, ok := range map[string]bool{
		"8.8.8.8": true, "2606:4700::1": true, "::ffff:8.8.8.8": true, "127.0.0.1": false, "127.1.2.3": false, "10.1.2.3": false, "172.16.0.1": false,
		"192.168.1.1": false, "169.254.169.254": false, "100.64.0.1": false, "0.0.0.0": false, "0.1.2.3": false, "255.255.255.255": false,
		"224.0.0.1": false, "192.0.0.192": false, "192.0.2.1": false, "192.88.99.1": false, "198.18.0.1": false, "198.51.100.1": false,
		"203.0.113.1": false, "240.0.0.1": false,
		"::1": false, "::": false, "fe80::1": false, "fe80::1%eth0": false, "2606:4700::1%eth0": true, "fd00::1": false, "fd00:ec2::254": false,
		"fec0::1": false, "ff02::1": false, "::127.0.0.1": false, "::ffff:127.0.0.1": false, "::ffff:10.0.0.1": false, "::ffff:169.254.169.254": false,
		"64:ff9b::7f00:1": false, "64:ff9b::a9fe:a9fe": false, "64:ff9b:1::a00:1": false, "2002:7f00:1::": false, "2002:a9fe:a9fe::1": false,
		"2001::1": false, "2001:db8::1": false, "100::1": false, "3fff::1": false, "5f00::1": false,
	} {
		at := netip.AddrPortFrom(netip.MustParseAddr(address), 443).String()
		if err := guard(network(address), at, nil); (err == nil) != ok || !ok && !errors.Is(err, egress.ErrAddress) {
			t.Errorf("%s: %v", address, err)
		}
	}
}

func TestWhatIsAllowedIsAllowedHoweverItIsWritten(t *testing.T) {
	guard := egress.Guard([]netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")}, 80, 443)
	for address, want := range map[string]error{
		"10.0.0.1:8080": nil, "[::ffff:10.0.0.1]:8080": nil, "[fd00::1]:8080": nil, "[fd00::1%eth0]:1": nil,
		"127.0.0.1:80": egress.ErrAddress, "[fe80::1]:443": egress.ErrAddress, "11.0.0.1:8080": egress.ErrPort,
		"11.0.0.1:80": nil, "11.0.0.1:443": nil, "11.0.0.1:22": egress.ErrPort, "127.0.0.1:22": egress.ErrAddress,
	} {
		if err := guard("tcp4", address, nil); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", address, err, want)
		}
	}
	if guard("tcp", "example.org:443", nil) == nil || guard("udp4", "8.8.8.8:443", nil) == nil {
		t.Error("what cannot be judged is let through")
	}
}

func TestWithinTheNetworksAllowedIsNowhereElse(t *testing.T) {
	within := egress.Within([]netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")})
	for address, want := range map[string]error{
		"10.0.0.1:80": nil, "10.0.0.1:8080": nil, "[::ffff:10.0.0.1]:80": nil, "8.8.8.8:80": egress.ErrPublic, "8.8.8.8:443": egress.ErrPublic,
		"[::ffff:8.8.8.8]:80": egress.ErrPublic, "127.0.0.1:80": egress.ErrAddress, "192.168.1.1:80": egress.ErrAddress,
	} {
		if err := within("tcp4", address, nil); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", address, err, want)
		}
	}
}

func network(address string) string {
	if netip.MustParseAddr(address).Is4() {
		return "tcp4"
	}
	return "tcp6"
}
