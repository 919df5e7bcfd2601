package domain

import (
	"encoding/base64"
	"fmt"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"code.dny.dev/ssrf"
	"github.com/google/uuid"
)

// DefaultTerms are those of which nothing is said.
func DefaultTerms(kind EndpointKind) EndpointTerms {
	t := EndpointTerms{Body: Thin}
	switch kind {
	case Webhook:
		t.Concurrency = DefaultConcurrency
	case Pull:
		t.Lease, t.Attempts = DefaultLease, DefaultAttempts
	}
	return t
}

// Settled are the terms as they are recorded: each type once, in order. What is refused names types by their place, so it comes last.
func (t EndpointTerms) Settled() EndpointTerms {
	t.Types = sorted(t.Types)
	return t
}

// Check refuses terms that an endpoint of the kind cannot have. Private says that receivers may be in networks that are not public.
func (t EndpointTerms) Check(kind EndpointKind, private bool) error {
	if err := FirstError(CheckText("/description", t.Description), t.checkTypes(), t.checkBody()); err != nil {
		return err
	}
	if _, err := t.Compile(); err != nil {
		return err
	}
	switch kind {
	case Webhook:
		return FirstError(checkWebhookURL("/url", t.URL, private), checkOrder("/order_by", t.OrderBy),
			between("/concurrency", t.Concurrency, 1, MostConcurrency), between("/per_second", t.PerSecond, 0, MostPerSecond),
			absent(kind, "/lease_seconds", t.Lease != 0), absent(kind, "/max_attempts", t.Attempts != 0))
	case Pull:
		return FirstError(absent(kind, "/url", t.URL != ""), absent(kind, "/order_by", t.OrderBy != ""),
			absent(kind, "/concurrency", t.Concurrency != 0), absent(kind, "/per_second", t.PerSecond != 0),
			between("/lease_seconds", t.Lease, 1, MostLease), between("/max_attempts", t.Attempts, 1, MostAttempts))
	}
	return Invalid("/kind", "must be webhook or pull")
}

func (t EndpointTerms) checkTypes() error {
	if len(t.Types) == 0 || len(t.Types) > MostTypes {
		return Invalid("/types", "must be 1 to %d types of events, or patterns of them", MostTypes)
	}
	for i, p := range t.Types {
		if err := p.Check(fmt.Sprintf("/types/%d", i)); err != nil {
			return err
		}
	}
	return nil
}

func (t EndpointTerms) checkBody() error {
	if t.Body != Thin && t.Body != Full {
		return Invalid("/body", "must be thin or full")
	}
	return nil
}

func between(pointer string, n, least, most int) error {
	if n < least || n > most {
		return Invalid(pointer, "must be a number from %d to %d", least, most)
	}
	return nil
}

func absent(kind EndpointKind, pointer string, given bool) error {
	if given {
		return Invalid(pointer, "is nothing for an endpoint of the kind %s", kind)
	}
	return nil
}

// BeyondReach are the types among those asked for that an app may not be sent, with the reason for each.
func (t EndpointTerms) BeyondReach(consumes, deliverable []EventPattern) (places []Place) {
	for i, p := range t.Types {
		at := fmt.Sprintf("/types/%d", i)
		if !Covered(consumes, p) {
			places = append(places, Place{at, fmt.Sprintf("the manifest of the app's version at work does not consume %s", p)})
		} else if !Covered(deliverable, p) {
			places = append(places, Place{at, fmt.Sprintf("the tenant's policy %s does not allow %s", EventsDeliverable.Key, p)})
		}
	}
	return places
}

// checkWebhookURL refuses what events are not sent to. Where a name leads, in the network, is judged at every attempt.
func checkWebhookURL(pointer, s string, private bool) error {
	u, err := url.Parse(s)
	switch {
	case s == "":
		return Invalid(pointer, "is required for an endpoint of the kind %s", Webhook)
	case len(s) > MaxURL:
		return Invalid(pointer, "must be a URL of at most %d bytes", MaxURL)
	case err == nil && strings.ContainsFunc(u.Hostname(), func(r rune) bool { return r > '~' }):
		return Invalid(pointer, "must have its host in ASCII: xn--bcher-kva.example stands for bücher.example")
	case err != nil, u.Hostname() == "", u.Opaque != "", u.User != nil, strings.Contains(s, "#"),
		strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' || r == '\\' }):
		return Invalid(pointer, "must be an absolute URL without user and fragment")
	case u.Scheme != "https" && (!private || u.Scheme != "http"):
		return Invalid(pointer, "must begin with https://")
	case !private && u.Port() != "" && u.Port() != "443":
		return Invalid(pointer, "must be at port 443")
	}
	return FirstError(checkPort(pointer, u), checkHost(pointer, u.Hostname(), private))
}

func checkPort(pointer string, u *url.URL) error {
	if n, err := strconv.ParseUint(u.Port(), 10, 16); u.Port() != "" && (err != nil || n == 0) {
		return Invalid(pointer, "must be at a port from 1 to 65535")
	}
	return nil
}

// checkHost refuses addresses to which nothing is ever sent. A host whose last word is a number is no name
// (https://url.spec.whatwg.org/#ends-in-a-number-checker) but an address, in whatever spelling.
func checkHost(pointer, host string, private bool) error {
	host = strings.TrimSuffix(host, ".")
	at, err := netip.ParseAddr(host)
	switch {
	case err != nil && isNumber(host[strings.LastIndexByte(host, '.')+1:]):
		return Invalid(pointer, "must have a name as its host, or an address that is written as 203.0.113.7 is")
	case err == nil && !private && ssrf.New().SafeAddr(at.Unmap().WithZone("")) != nil:
		return Invalid(pointer, "must not lead to an address that is not public")
	}
	return nil
}

func isNumber(word string) bool {
	_, err := strconv.ParseUint(word, 0, 64) // 0x7f too
	return err == nil || strings.Trim(word, "0123456789") == ""
}

// orderPointer is a pointer (RFC 6901) that is not the whole document.
var orderPointer = regexp.MustCompile(`^(/([^/~\x00-\x1f]|~[01])*)+$`)

const maxOrderPointer = 200 // bytes

func checkOrder(pointer, by string) error {
	if by != "" && by != "subject" && (len(by) > maxOrderPointer || !orderPointer.MatchString(by)) {
		return Invalid(pointer, "must be subject, or a JSON pointer into the data such as /order/id")
	}
	return nil
}

// The beginnings of the keys of a webhook (Standard Webhooks 1.0.0).
const (
	WebhookSecret  = "whsec_"
	WebhookPrivate = "whsk_"
	WebhookPublic  = "whpk_"
)

// CheckWebhookSecret refuses what is no key for HMAC-SHA256 as the standard writes them. It never says what it was.
func CheckWebhookSecret(pointer string, s SecretText) error {
	text, ok := strings.CutPrefix(string(s), WebhookSecret)
	key, err := base64.StdEncoding.Strict().DecodeString(text)
	if !ok || err != nil || len(key) < 24 || len(key) > 64 || strings.ContainsAny(text, "\r\n") {
		return Invalid(pointer, "must be %s and the base64 of 24 to 64 bytes", WebhookSecret)
	}
	return nil
}

// SecretID is the id of a version of the endpoint's keys. It follows from the number, so that deciding again decides the same.
func (id EndpointID) SecretID(number int) EndpointSecretID {
	return EndpointSecretID{uuid.NewSHA1(id.UUID, fmt.Appendf(nil, "secret %d", number))}
}

// Equal reports whether two endpoints ask for the same, in the same way.
func (t EndpointTerms) Equal(o EndpointTerms) bool {
	return slices.Equal(t.Types, o.Types) && t.Description == o.Description && t.Filter == o.Filter && t.URL == o.URL && t.Body == o.Body &&
		t.OrderBy == o.OrderBy && t.Concurrency == o.Concurrency && t.PerSecond == o.PerSecond && t.Lease == o.Lease && t.Attempts == o.Attempts
}
