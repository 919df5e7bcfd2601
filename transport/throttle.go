package transport

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"chancery/commands"
	"chancery/domain"
	"chancery/internal/throttle"
)

// Throttle bounds how often things may be tried. *throttle.Throttle is one.
type Throttle interface {
	// Take takes from all buckets, or from none and tells how long to wait.
	Take(ctx context.Context, now time.Time, tries ...throttle.Try) (retryAfter time.Duration, err error)
	Forget(ctx context.Context, keys ...string) error
}

// admit lets a try through, or says when to come again; the answer is the same whoever it is about.
func (s *Server) admit(c *call, tries []throttle.Try) error {
	if s.config.Throttle == nil {
		return nil
	}
	wait, err := s.config.Throttle.Take(c.ctx(), c.now, tries...)
	switch {
	case err != nil:
		return unavailable("attempts cannot be counted; try again", err)
	case wait == 0:
		return nil
	}
	p := newProblem(http.StatusTooManyRequests, "too-many-attempts", "there were too many attempts; try again later")
	p.retry = strconv.Itoa(int(math.Ceil(wait.Seconds())))
	return p
}

// forgive gives back what attempts used up that turned out well.
func (s *Server) forgive(c *call, keys []string) {
	if s.config.Throttle == nil || len(keys) == 0 {
		return
	}
	if err := s.config.Throttle.Forget(c.ctx(), keys...); err != nil {
		s.log.WarnContext(c.ctx(), "attempts were not forgotten", "request_id", c.id, "error", err)
	}
}

// attempt is one of somebody who has not signed in, at no account yet. A tenant that does not exist is counted by what was typed.
func (c *call) attempt(tenant domain.TenantID) throttle.Attempt {
	a := throttle.Attempt{Tenant: tenant.String(), Address: c.origin().IP}
	if tenant == nowhere {
		a.Tenant = c.Param("tenant")
	}
	return a
}

// proving is the attempt of somebody who has a session to prove who they are. The session is a device that is known.
func (c *call) proving() throttle.Attempt {
	return throttle.Attempt{
		Tenant: c.caller.Tenant.String(), Account: accountOf(c.caller.User), Address: c.origin().IP, Device: c.caller.Session.String(),
	}
}

// accountOf names the account of one whose password was right, apart from the account whose password is being guessed.
func accountOf(u domain.UserID) string { return "factor of " + u.String() }

const (
	headerDevice  = "Chancery-Device"
	deviceLife    = 365 * 24 * time.Hour
	longestTicket = 8 << 10
)

// device is what the caller carries of an earlier sign-in; zero if there is none.
func (s *Server) device(c *call, tenant domain.TenantID) commands.Ticket {
	text := c.header(headerDevice)
	if text == "" {
		text, _ = s.cookie(c, deviceCookie)
	}
	if text == "" || len(text) > longestTicket {
		return commands.Ticket{}
	}
	t, ok := s.config.Authn.OpenTicket(commands.ForDevice, text, c.now)
	if !ok || t.Tenant != tenant {
		return commands.Ticket{}
	}
	return t
}

// remember gives the caller a ticket by which the device is known again when somebody signs in to this account on it.
func (s *Server) remember(c *call, old commands.Ticket, tenant domain.TenantID, user domain.UserID, account string, cookie bool) {
	id := old.ID
	if id == (domain.TicketID{}) || old.User != user {
		id = domain.TicketID{UUID: uuid.Must(uuid.NewV7())}
	}
	end := c.now.Add(deviceLife)
	text := s.config.Authn.Ticket(commands.Ticket{
		ID: id, Purpose: commands.ForDevice, Tenant: tenant, User: user, State: []byte(digest(account)), Until: end,
	})
	if cookie {
		s.setCookie(c, deviceCookie, text, end)
		return
	}
	c.Response().Header().Set(headerDevice, text)
}

func digest(account string) string {
	sum := sha256.Sum256([]byte(account))
	return hex.EncodeToString(sum[:])
}

// canonical is what counts as one account, however the address is typed. What is no address is marked: it MUST NOT be taken for
// what accountOf names, or whoever knows a user's id could use their tries up.
func canonical(email string) string {
	if address, err := domain.ParseEmail("", email); err == nil {
		return string(address)
	}
	return "no address " + strings.ToLower(strings.TrimSpace(email))
}
