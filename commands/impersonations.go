package commands

import (
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"chancery/domain"
	"chancery/internal/dcb"
)

// StartImpersonation lets the caller act as a user of the tenant, for an hour at most, with those of the user's rights that the
// caller has too. The answer shows the token once; only its hash is kept. It ends with the session or the API token by which it was
// started. Where the tenant's policy wants consent, it is started under the id of the request for it.
type StartImpersonation struct {
	ID        domain.ImpersonationID `json:"id,omitzero" description:"of the request that was consented to; where no consent is needed, id of the new impersonation, made if absent"`
	User      domain.UserID          `json:"target_user_id" required:"true" description:"the user to act as"`
	Reason    string                 `json:"reason,omitzero" description:"why, for the user and for the record; needed unless a request has named it"`
	Reference string                 `json:"reference,omitzero" description:"of a ticket elsewhere"`
	Minutes   int                    `json:"minutes,omitzero" description:"how long, from 1 to 60; the most that is allowed if absent"`
	Scopes    []domain.Pattern       `json:"scopes,omitzero" description:"the most that may be done in it, as privileges or patterns; no bound if absent"`
}

func (c *StartImpersonation) NewID() *uuid.UUID { return &c.ID.UUID }
func (c StartImpersonation) Target() dcb.Tagger { return c.ID }

func (c StartImpersonation) Decide(env Env) dcb.Decision {
	i := env.impersonating(c.ID, c.User)
	return dcb.From(i.facts()...).Decide(func() ([]dcb.Event, error) {
		if err := i.refusal(c.Reference, c.Minutes); err != nil {
			return nil, err
		}
		asked, err := i.consented(c)
		if err != nil {
			return nil, err
		}
		e := domain.ImpersonationStarted{
			Impersonation: c.ID, Admin: env.Rights.Actor(), AdminTenant: domain.HomeIn(env.Home), Target: c.User, Scopes: c.Scopes,
			Reason: c.Reason, Reference: c.Reference, Session: env.Session, Token: env.Token, Consent: domain.Allowed,
		}
		most := i.longest.Value.Number()
		if asked.Known() {
			e.Reason, e.Reference, e.Consent = asked.Reason, asked.Reference, domain.OnRequest
			most = min(most, asked.Minutes)
		}
		if len(e.Scopes) == 0 {
			e.Scopes = []domain.Pattern{domain.Everything}
		}
		if err := domain.FirstError(domain.CheckName("/reason", e.Reason), i.bounds(e.Scopes), i.free()); err != nil {
			return nil, err
		}
		if e.ExpiresAt, err = i.end(c.Minutes, most); err != nil {
			return nil, err
		}
		_, e.Hash = env.Hash(env.Secret("impersonation", c.ID.UUID))
		return dcb.Emit(e)
	})
}

// Reveal is the token itself.
func (c StartImpersonation) Reveal(env Env) (name, value string) {
	return "token", env.Secret("impersonation", c.ID.UUID)
}

// RequestImpersonation asks for the consent to act as a user of the tenant: the user's own, or that of an administrator of their
// tenant. It is good for a day.
type RequestImpersonation struct {
	ID        domain.ImpersonationID `json:"id,omitzero" description:"id of the request, and of the impersonation that is started under it; made if absent"`
	User      domain.UserID          `json:"target_user_id" required:"true" description:"the user to act as"`
	Reason    string                 `json:"reason" required:"true" description:"why, for whoever consents and for the record"`
	Reference string                 `json:"reference,omitzero" description:"of a ticket elsewhere"`
	Minutes   int                    `json:"minutes,omitzero" description:"how long, from 1 to 60; the most that the tenant allows if absent"`
}

func (c *RequestImpersonation) NewID() *uuid.UUID { return &c.ID.UUID }
func (c RequestImpersonation) Target() dcb.Tagger { return c.ID }

func (c RequestImpersonation) Decide(env Env) dcb.Decision {
	i := env.impersonating(c.ID, c.User)
	return dcb.From(i.facts()...).Decide(func() ([]dcb.Event, error) {
		if err := domain.FirstError(domain.CheckName("/reason", c.Reason), i.refusal(c.Reference, c.Minutes)); err != nil {
			return nil, err
		}
		most := i.longest.Value.Number()
		switch {
		case i.used.Value:
			return nil, domain.At("/id", domain.ErrIDTaken)
		case i.consent.Value.Value == domain.Allowed:
			return nil, domain.ErrConsentNotNeeded
		case i.waits():
			return nil, domain.At("/target_user_id", domain.ErrConsentRequested)
		case c.Minutes > most:
			return nil, domain.At("/minutes", domain.ErrImpersonationTooLong)
		case c.Minutes == 0:
			c.Minutes = most
		}
		return dcb.Emit(domain.ImpersonationRequested{
			Impersonation: c.ID, Admin: env.Rights.Actor(), AdminTenant: domain.HomeIn(env.Home), Target: c.User, Reason: c.Reason,
			Reference: c.Reference, Minutes: c.Minutes, ExpiresAt: env.Now.Add(domain.RequestLife),
		})
	})
}

// ConsentToImpersonation allows that somebody acts as a user: the user themselves allows it, or an administrator of their tenant.
// Nobody consents to what they asked for, or who asked for it delegates to them, or acts for.
type ConsentToImpersonation struct {
	ID domain.ImpersonationID `json:"id" required:"true" description:"the request"`
}

func (c ConsentToImpersonation) Target() dcb.Tagger { return c.ID }

func (c ConsentToImpersonation) Decide(env Env) dcb.Decision {
	asked, consent := domain.ImpersonationOf(c.ID), domain.PolicyOf(env.Tenant, domain.ImpersonationWord)
	by := domain.UserStatusOf(env.Rights.Actor())
	eyes := env.fourEyes()
	return dcb.From(asked, consent, by).Then(func() []dcb.AnyFact { return eyes.start(asked.Value.Admin) }).Then(eyes.next).Decide(func() ([]dcb.Event, error) {
		i := asked.Value
		if err := env.mayAnswer(i); err != nil {
			return nil, err
		}
		switch {
		case !by.Value.Exists(), eyes.acts(env.Rights.Actor(), i.Admin), eyes.acts(i.Admin, env.Rights.Actor()):
			return nil, domain.ErrMayNotConsent
		case !i.Waits(env.Now):
			return nil, domain.At("/id", domain.ErrImpersonationOver)
		case consent.Value.Value == domain.Forbade:
			return nil, domain.ErrImpersonationForbidden
		case i.Status == domain.ImpersonationGranted:
			return nil, nil
		}
		return dcb.Emit(domain.ImpersonationConsented{Impersonation: c.ID, Admin: i.Admin, Target: i.Target, By: env.Rights.Actor()})
	})
}

// RefuseImpersonation forbids it, or takes the consent back while nobody has made use of it.
type RefuseImpersonation struct {
	ID     domain.ImpersonationID `json:"id" required:"true" description:"the request"`
	Reason string                 `json:"reason,omitzero" description:"why, for who asked and for the record"`
}

func (c RefuseImpersonation) Target() dcb.Tagger { return c.ID }

func (c RefuseImpersonation) Decide(env Env) dcb.Decision {
	asked := domain.ImpersonationOf(c.ID)
	return dcb.From(asked).Decide(func() ([]dcb.Event, error) {
		i := asked.Value
		if err := domain.FirstError(domain.CheckText("/reason", c.Reason), env.mayAnswer(i)); err != nil {
			return nil, err
		}
		switch {
		case i.Status == domain.ImpersonationDenied:
			return nil, nil
		case !i.Waits(env.Now):
			return nil, domain.At("/id", domain.ErrImpersonationOver)
		}
		return dcb.Emit(domain.ImpersonationRefused{
			Impersonation: c.ID, Admin: i.Admin, Target: i.Target, By: env.Rights.Actor(), Reason: c.Reason,
		})
	})
}

// mayAnswer holds that a request is answered by the user, or by who has the privilege, and that nobody does it for them.
func (env Env) mayAnswer(i domain.Impersonation) error {
	switch {
	case env.acting():
		return domain.ErrActing
	case !i.Known(), !env.Privileged && !env.Mine(i.Target) && !env.Self(i.Admin):
		return domain.At("/id", domain.ErrImpersonationUnknown)
	case env.Self(i.Admin):
		return domain.ErrMayNotConsent
	}
	return nil
}

// EndImpersonation ends an impersonation, or withdraws a request for one. Who acts, and as whom, may do it whatever they lack.
type EndImpersonation struct {
	ID     domain.ImpersonationID `json:"id" required:"true" description:"the impersonation, or the request"`
	Reason string                 `json:"reason,omitzero" description:"why, for the record"`
}

func (c EndImpersonation) Target() dcb.Tagger { return c.ID }

func (c EndImpersonation) Decide(env Env) dcb.Decision {
	begun := domain.ImpersonationOf(c.ID)
	return dcb.From(begun).Decide(func() ([]dcb.Event, error) {
		if err := domain.CheckText("/reason", c.Reason); err != nil {
			return nil, err
		}
		i := begun.Value
		_, system := env.Rights.(System)
		theirs := env.Rights.Actor() == i.Admin || env.Mine(i.Target) && !env.acting()
		switch {
		case !i.Known(), !system && !env.Privileged && !theirs:
			return nil, domain.At("/id", domain.ErrImpersonationUnknown)
		case !i.Open(env.Now):
			return nil, nil
		}
		return dcb.Emit(domain.ImpersonationEnded{Impersonation: c.ID, Admin: i.Admin, Target: i.Target, Reason: c.Reason})
	})
}

// ExpireImpersonation puts on record that the time of an impersonation, or of a request for one, is over. Chancery orders it itself.
type ExpireImpersonation struct{ ID domain.ImpersonationID }

func (c ExpireImpersonation) Target() dcb.Tagger { return c.ID }

func (c ExpireImpersonation) Decide(env Env) dcb.Decision {
	begun := domain.ImpersonationOf(c.ID)
	return dcb.From(begun).Decide(func() ([]dcb.Event, error) {
		i := begun.Value
		if !i.Lapsed(env.Now) {
			return nil, nil
		}
		return dcb.Emit(domain.ImpersonationExpired{Impersonation: c.ID, Admin: i.Admin, Target: i.Target})
	})
}

// impersonating is the caller on the way to act as a user.
type impersonating struct {
	env     Env
	user    domain.UserID
	asked   *dcb.Fact[domain.Impersonation] // the request of that id
	used    *dcb.Fact[bool]
	target  *dcb.Fact[domain.User]
	others  *dcb.Fact[domain.Impersonations] // of the caller, wherever
	consent *dcb.Fact[domain.Policy]
	longest *dcb.Fact[domain.Policy]
}

func (env Env) impersonating(id domain.ImpersonationID, user domain.UserID) *impersonating {
	return &impersonating{
		env: env, user: user, asked: domain.ImpersonationOf(id), used: domain.ImpersonationUsed(id), target: domain.UserStatusOf(user),
		others: domain.ImpersonationsOf(env.Rights.Actor()), consent: domain.PolicyOf(env.Tenant, domain.ImpersonationWord),
		longest: domain.PolicyOf(env.Tenant, domain.ImpersonationMost),
	}
}

func (i *impersonating) facts() []dcb.AnyFact {
	return []dcb.AnyFact{i.asked, i.used, i.target, i.others, i.consent, i.longest}
}

// refusal is what forbids to ask for it, and to start it.
func (i *impersonating) refusal(reference string, minutes int) error {
	if reference != "" {
		if err := domain.CheckName("/reference", reference); err != nil {
			return err
		}
	}
	if minutes < 0 || minutes > domain.ImpersonationMost.Max {
		return domain.Invalid("/minutes", "must be from %d to %d", domain.ImpersonationMost.Min, domain.ImpersonationMost.Max)
	}
	switch {
	case i.env.acting():
		return domain.ErrActing
	case i.env.Home != i.env.Tenant && i.env.Home != domain.Root: // a guest has rights here, and is nobody's administrator
		return domain.ErrNotAllowed
	case !i.target.Value.Exists():
		return domain.At("/target_user_id", domain.ErrUserUnknown)
	case i.env.Self(i.user):
		return domain.ErrSelf
	case i.target.Value.Status != domain.UserActive:
		return domain.At("/target_user_id", domain.ErrUserNotActive)
	case i.consent.Value.Value == domain.Forbade:
		return domain.ErrImpersonationForbidden
	case !i.env.Rights.Covers(i.user): // not covers: who holds everything in this tenant may lack what the user has in another
		return domain.ErrMayNotImpersonate
	}
	return nil
}

// consented is the request that the impersonation is started under; none where the policy needs none.
func (i *impersonating) consented(c StartImpersonation) (domain.Impersonation, error) {
	asked := i.asked.Value
	switch {
	case !asked.Known() && i.used.Value:
		return asked, domain.At("/id", domain.ErrIDTaken)
	case !asked.Known() && i.consent.Value.Value != domain.Allowed:
		return asked, domain.ErrConsentNeeded
	case !asked.Known():
		return asked, nil
	case asked.Admin != i.env.Rights.Actor():
		return asked, domain.At("/id", domain.ErrImpersonationUnknown)
	case !asked.Waits(i.env.Now):
		return asked, domain.At("/id", domain.ErrImpersonationOver)
	case asked.Target != i.user:
		return asked, domain.Invalid("/target_user_id", "is not the user of the request")
	case asked.Status != domain.ImpersonationGranted:
		return asked, domain.At("/id", domain.ErrConsentNeeded)
	case c.Reason != "" && c.Reason != asked.Reason:
		return asked, domain.Invalid("/reason", "is that of the request; leave it out")
	case c.Reference != "" && c.Reference != asked.Reference:
		return asked, domain.Invalid("/reference", "is that of the request; leave it out")
	}
	return asked, nil
}

// bounds holds that an impersonation is worth no more than the request that starts it, and ends with something.
func (i *impersonating) bounds(scopes []domain.Pattern) error {
	for _, s := range scopes {
		if err := s.Check("/scopes"); err != nil {
			return err
		}
	}
	switch {
	case i.env.Session.IsZero() && i.env.Token.IsZero():
		return domain.ErrImpersonationUnbound
	case !i.env.Rights.WithinCeiling(scopes):
		return domain.At("/scopes", domain.ErrMayNotGive)
	}
	return nil
}

// free holds that the caller acts as nobody else, in whichever tenant.
func (i *impersonating) free() error {
	for _, o := range i.others.Value {
		if o.Admin == i.env.Rights.Actor() && o.Live(i.env.Now) {
			return fmt.Errorf("%w: end %s in the tenant %s", domain.ErrImpersonationOpen, o.ID, o.Tenant)
		}
	}
	return nil
}

// waits reports whether the caller has asked for consent to the same.
func (i *impersonating) waits() bool {
	return slices.ContainsFunc(i.others.Value, func(o *domain.Impersonation) bool {
		return o.Admin == i.env.Rights.Actor() && o.Target == i.user && o.Waits(i.env.Now)
	})
}

// end is when the impersonation is over: after the minutes, of which no more than most are allowed, and not after the request's own
// token where that is worth less than its user.
func (i *impersonating) end(minutes, most int) (time.Time, error) {
	if minutes > most {
		return time.Time{}, domain.At("/minutes", domain.ErrImpersonationTooLong)
	}
	if minutes > 0 {
		most = minutes
	}
	end := i.env.Now.Add(time.Duration(most) * time.Minute)
	switch {
	case !i.env.outlives(end):
		return end, nil
	case minutes > 0:
		return time.Time{}, domain.At("/minutes", domain.ErrMayNotGive)
	}
	return i.env.Rights.Until(), nil
}
