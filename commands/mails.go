package commands

import (
	"context"
	"slices"
	"time"

	"chancery/domain"
	"chancery/internal/dcb"
)

// LinkMail is what the mail of a link is made of. Address and Token are in the clear: they MUST go into the mail alone.
type LinkMail struct {
	domain.Link
	Organisation   string // the tenant's name
	Address, Token string
	Over           bool   // there is nothing to be sent any more
	Hopeless       string // why there never will be; empty if the mail can be sent
	Waits          bool   // not while the tenant is suspended
}

// LinkMail reads what is to be sent, as the log knows it now.
func (e *Engine) LinkMail(ctx context.Context, t domain.TenantID, id domain.LinkID) (LinkMail, error) {
	link, tenant := domain.LinkOf(id), domain.TenantOf(t)
	var person *dcb.Fact[domain.Person]
	var live *dcb.Fact[[]domain.LiveLink]
	err := e.Ask(ctx, t, dcb.From(link, tenant).Then(func() []dcb.AnyFact {
		if person != nil || !link.Value.Known() {
			return nil
		}
		person, live = domain.PersonOf(link.Value.User), domain.LinksOf(link.Value.User)
		return []dcb.AnyFact{person, live}
	}).Opening().Unsealing())
	if err != nil {
		return LinkMail{}, err
	}
	m := LinkMail{Link: link.Value, Organisation: tenant.Value.Name}
	if m.Over = !m.Known() || !m.Live || m.Mail != domain.MailWaits; m.Over {
		return m, nil
	}
	m.Address, m.Token = person.Value.Email.Reveal(), m.Link.Token.Reveal()
	works := slices.ContainsFunc(live.Value, func(l domain.LiveLink) bool { return l.ID == id })
	m.Hopeless = m.hopeless(works, e.Now())
	m.Waits = tenant.Value.Refusal() != nil
	return m, nil
}

func (m LinkMail) hopeless(works bool, now time.Time) string {
	switch {
	case m.Address == "" || m.Token == "":
		return domain.MailNoAddress
	case !works:
		return domain.MailWithdrawn
	case !now.Before(m.ExpiresAt):
		return domain.MailExpired
	}
	return ""
}

// LinkMailed puts on record that the mail was taken or, with a reason, given up.
func (e *Engine) LinkMailed(ctx context.Context, t domain.TenantID, l domain.Link, reason string) error {
	_, err := e.Execute(ctx, SystemOrder("record-mail", recordMail{l.ID, reason}, t, dcb.Provenance{Causation: l.Issued}))
	return err
}

type recordMail struct {
	link   domain.LinkID
	reason string // why it was given up; empty: it was not
}

func (c recordMail) Target() dcb.Tagger { return c.link }

// Decide records one end of one mail. A link that was followed meanwhile needs none.
func (c recordMail) Decide(Env) dcb.Decision {
	l := domain.LinkOf(c.link)
	return dcb.From(l).Decide(func() ([]dcb.Event, error) {
		switch {
		case !l.Value.Live || l.Value.Mail != domain.MailWaits:
			return nil, nil
		case c.reason != "":
			return dcb.Emit(domain.LinkUndeliverable{Link: c.link, User: l.Value.User, Reason: c.reason})
		}
		return dcb.Emit(domain.LinkMailed{Link: c.link, User: l.Value.User})
	})
}
