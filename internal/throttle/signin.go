package throttle

import (
	"net/netip"
	"strings"
	"time"
)

// The limits of those who try to prove who they are. A try is counted before anything is looked at, and given back by a
// success. What is counted is what was typed: an account that does not exist is throttled like one that does.
//
// A device that has signed in to the account before shows a sealed ticket and has buckets of its own (OWASP, device
// cookies): whatever strangers do to the account or from the same address, its owner gets in. The other way back is a
// link by mail, which forgets what strangers used up; see Attempt.Redeemed.
//
// One-time codes are an account of their own, whose guesses a link does not give back: who reads the mail would guess on. A
// passkey or a recovery code cannot be guessed and counts for its address alone, so these get the owner in.
//
//	bucket                           at once   then one per   for
//	address                          50        3 s            guessing at many accounts from one place; IPv6 by its /64
//	account and address              10        1 min          guessing at one account from one place
//	account, unknown devices         30        2 min          guessing at one account from many places
//	account, unknown devices, in a row  100    1 day          NIST SP 800-63B-4, section 3.2.2
//	known device                     10        1 min          guessing on a stolen device
//	known device, in a row           100       1 day          as above; six digits are guessed with a chance of 1 in 3,333
var (
	perAddress        = Limit{50, 3 * time.Second}
	perAccountAddress = Limit{10, time.Minute}
	perAccount        = Limit{30, 2 * time.Minute}
	perDevice         = Limit{10, time.Minute}
	inARow            = Limit{100, 24 * time.Hour} // one a day helps no guesser, and lets an owner in who has no other way
)

// Attempt is a try to sign in, to step up, or to answer with a code.
type Attempt struct {
	Tenant  string // as in the path
	Account string // what was typed, made canonical; none: nothing was, as with a passkey that names its user itself
	Address string // of the network
	Device  string // id in the device ticket that was sealed for this account; none: an unknown device
}

// Tries are the buckets to take from.
func (a Attempt) Tries() []Try {
	if a.Device != "" {
		return []Try{{a.device(), perDevice}, {a.device() + rowMark, inARow}}
	}
	tries := []Try{{key("address", a.network()), perAddress}}
	if a.Account != "" {
		tries = append(tries, Try{a.here(), perAccountAddress}, Try{a.account(), perAccount}, Try{a.account() + rowMark, inARow})
	}
	return tries
}

// Passed are the keys to forget when the attempt was a success: failures are no longer in a row, and what this place or
// device has used up is given back. What strangers elsewhere have used up of the account is not: it would let them go on.
func (a Attempt) Passed() []string {
	if a.Device != "" {
		return []string{a.device(), a.device() + rowMark}
	}
	if a.Account == "" {
		return nil
	}
	return []string{a.here(), a.account() + rowMark}
}

// Redeemed are the keys to forget when the account's owner has followed a link.
func (a Attempt) Redeemed() []string { return []string{a.here(), a.account(), a.account() + rowMark} }

const rowMark = "\x00row"

func (a Attempt) account() string { return key("account", a.Tenant, a.Account) }
func (a Attempt) here() string    { return key("here", a.Tenant, a.Account, a.network()) }
func (a Attempt) device() string  { return key("device", a.Tenant, a.Account, a.Device) }

// network is the address, or the /64 of it: whoever has one IPv6 address has all of these.
func (a Attempt) network() string { return Network(a.Address) }

// Network is what a limit by address counts: an IPv4 address, or the /64 of an IPv6 address. What is neither stays as it is.
func Network(address string) string {
	ip, err := netip.ParseAddr(address)
	if err != nil {
		return address
	}
	ip = ip.Unmap().WithZone("")
	if ip.Is4() {
		return ip.String()
	}
	net, err := ip.Prefix(64)
	if err != nil {
		return address
	}
	return net.String()
}

// The limits of asking for a link by mail, counted whether or not the account exists: nobody's mailbox is flooded.
//
//	address               20 at once   then one per minute
//	account               3 at once    then one per 20 minutes
var (
	linksPerAddress = Limit{20, time.Minute}
	linksPerAccount = Limit{3, 20 * time.Minute}
)

// Links are the buckets to take from when somebody asks for a link by mail.
func (a Attempt) Links() []Try {
	return []Try{
		{key("links-address", a.network()), linksPerAddress},
		{key("links-account", a.Tenant, a.Account), linksPerAccount},
	}
}

// Followed are the buckets to take from when somebody shows the token of a link.
func (a Attempt) Followed() []Try { return []Try{{key("links-followed", a.network()), perAddress}} }

// key joins words that hold no NUL.
func key(words ...string) string {
	for i, w := range words {
		words[i] = strings.ReplaceAll(w, "\x00", "")
	}
	return strings.Join(words, "\x00")
}
