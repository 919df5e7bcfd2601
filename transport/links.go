package transport

import (
	"net/http"

	"github.com/google/uuid"

	"chancery/commands"
	"chancery/domain"
	"chancery/internal/apitoken"
	"chancery/internal/dcb"
	"chancery/internal/throttle"
)

// Resets carries out what people ask for who have not signed in; it must not wait. *commands.Resets is one.
type Resets interface {
	Ask(t domain.TenantID, email string, by dcb.Provenance)
}

type (
	resetBody struct {
		Email string `json:"email" required:"true" description:"the address of the user who forgot the password"`
	}
	resetAnswer struct {
		Detail string `json:"detail" description:"the same whether or not there is such a user"`
	}
	redeemBody struct {
		Token    string `json:"token" required:"true" description:"what follows # in the link that came by mail"`
		Password string `json:"password" required:"true" description:"at least as long as passwords.min-length says, at most 256 characters; of whatever characters"`
	}
	redeemAnswer struct {
		UserID uuid.UUID `json:"user_id" description:"whose link it was; they may sign in now"`
	}
)

// requestReset has a link mailed to whoever has the address. The answer, and all that is done before it, is the same for an
// address that nobody has and for a tenant that does not exist.
func (s *Server) requestReset(c *call) error {
	var in resetBody
	if err := c.body(&in); err != nil {
		return err
	}
	tenant, err := s.visited(c)
	if err != nil {
		return err
	}
	if err := s.admit(c, c.attemptAt(tenant, in.Email).Links()); err != nil {
		return err
	}
	if s.config.Resets != nil {
		s.config.Resets.Ask(tenant, in.Email, c.visitor())
	}
	return c.Blob(http.StatusAccepted, "application/json", encode(resetAnswer{"if there is such a user, a mail is on its way"}))
}

// redeem follows a link: its user gets the password that they chose. What is wrong with a link is not told.
func (s *Server) redeem(c *call) error {
	var in redeemBody
	if err := c.body(&in); err != nil {
		return err
	}
	tenant, err := s.visited(c)
	if err != nil {
		return err
	}
	if err := s.admit(c, c.attempt(tenant).Followed()); err != nil {
		return err
	}
	token, err := apitoken.Parse(in.Token)
	if err != nil || token.Kind != apitoken.Link {
		return domain.ErrLinkDead // it names no link, and is no event in anybody's tenant
	}
	// One at a time: those that come with it find it used before they have cost the memory and the time that a password takes to hash.
	// Other processes are kept off by the log alone.
	done, err := s.following.Take(c.ctx(), domain.LinkID{UUID: token.ID})
	if err != nil {
		return unavailable("the link is being followed by somebody else; try again", err)
	}
	defer done()
	var whose commands.Account
	result, err := s.config.Commands.Execute(c.ctx(), commands.RedeemOrder(commands.RedeemLink{
		Link: domain.LinkID{UUID: token.ID}, Hash: token.Hash, Password: in.Password, Whose: &whose,
	}, tenant, c.visitor()))
	if err != nil {
		s.noteRefused(tenant, domain.UserID{}, "redeem-link", domain.LinkID{}, err)
		return err
	}
	s.forgive(c, c.attemptAt(tenant, whose.Email).Redeemed())
	c.position(result.Position)
	return c.secretly(redeemAnswer{whose.User.UUID})
}

// attemptAt is an attempt at the account of an address.
func (c *call) attemptAt(tenant domain.TenantID, email string) throttle.Attempt {
	a := c.attempt(tenant)
	a.Account = canonical(email)
	return a
}
