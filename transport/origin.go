package transport

import (
	"net"
	"net/netip"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/labstack/echo/v4"
)

// Origin is where a request came from; empty where that is not known.
type Origin struct {
	IP    string // the address, in its shortest form
	Agent string // the program, as it calls itself
}

// addressOf finds the address of a caller: that of the connection or, if a trusted proxy holds the other end, the right-most one in
// X-Forwarded-For that is no trusted proxy's. What stands to its left anybody may have written.
func addressOf(proxies []netip.Prefix) echo.IPExtractor {
	if len(proxies) == 0 {
		return echo.ExtractIPDirect()
	}
	trust := []echo.TrustOption{echo.TrustLoopback(false), echo.TrustLinkLocal(false), echo.TrustPrivateNet(false)}
	for _, p := range proxies {
		p = p.Masked()
		trust = append(trust, echo.TrustIPRange(&net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())}))
	}
	return echo.ExtractIPFromXFFHeader(trust...)
}

// origin is found once.
func (c *call) origin() Origin {
	if c.from == nil {
		c.from = &Origin{Agent: agent(c.header("User-Agent"))}
		if a, err := netip.ParseAddr(c.RealIP()); err == nil {
			c.from.IP = a.Unmap().WithZone("").String()
		}
	}
	return *c.from
}

const longestAgent = 256

// agent is what can be printed of a program's name for itself, and no more than is of use.
func agent(text string) string {
	text = text[:min(len(text), 4*longestAgent)]
	text = strings.TrimSpace(strings.Map(func(r rune) rune {
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, text))
	for len(text) > longestAgent {
		_, size := utf8.DecodeLastRuneInString(text)
		text = text[:len(text)-size]
	}
	return text
}
