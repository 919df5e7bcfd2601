package commands

import (
	"context"
	"slices"
	"strings"

	"chancery/domain"
	"chancery/internal/dcb"
)

// Shown is one thing that somebody shows besides a password.
type Shown struct {
	Code         string // of a time-based one-time password
	RecoveryCode string
	Passkey      []byte // what the browser made of the options
}

// factor is what is shown on its way to be judged. Whatever works once is asked about, so that of many who show the same at
// once one gets through.
type factor struct {
	Shown
	env     Env
	state   ticketState
	held    *dcb.Fact[domain.HeldPasskey]
	counted *dcb.Fact[uint32]
	uses    map[domain.Key]*dcb.Fact[bool]
	spent   *dcb.Fact[int] // of recovery codes

	user domain.UserID
	all  *dcb.Fact[domain.Credentials]

	method string // how; empty if it was not accepted
	used   domain.CredentialUsed
}

func (env Env) factor(s Shown, t Ticket) *factor {
	keyID := ""
	if len(s.Passkey) > 0 {
		keyID, _, _ = env.Authn.PasskeyID(s.Passkey) // what is none is nobody's
	}
	return &factor{Shown: s, env: env, state: t.state(), held: domain.PasskeyHolder(domain.PasskeyClaim(keyID))}
}

// facts are those that need no user.
func (f *factor) facts() []dcb.AnyFact {
	if len(f.Passkey) == 0 {
		return nil
	}
	return []dcb.AnyFact{f.held}
}

// of says whose factor it must be, and asks what was used of theirs.
func (f *factor) of(u domain.UserID, all *dcb.Fact[domain.Credentials]) (facts []dcb.AnyFact) {
	if f.uses != nil {
		return nil
	}
	f.user, f.all, f.uses = u, all, map[domain.Key]*dcb.Fact[bool]{}
	if len(f.Passkey) > 0 {
		f.counted = domain.Counted(f.held.Value.Credential)
		return []dcb.AnyFact{f.counted}
	}
	ask := func(k domain.Key) {
		f.uses[k] = domain.UsedUp(k)
		facts = append(facts, f.uses[k])
	}
	if f.Code != "" {
		for _, c := range all.Value.Of(domain.TOTP) {
			for _, step := range f.env.Authn.NearSteps(f.env.Now) {
				ask(c.ID.Use(step))
			}
		}
	}
	if c, n := f.recovery(); n >= 0 {
		ask(c.ID.Use(int64(n)))
		f.spent = domain.CodesUsed(c.ID)
		facts = append(facts, f.spent)
	}
	return facts
}

// recovery is which code of which credential was shown; -1 if it is none.
func (f *factor) recovery() (domain.Credential, int) {
	if f.RecoveryCode == "" {
		return domain.Credential{}, -1
	}
	hash := f.env.Authn.CodeHash(f.RecoveryCode)
	for _, c := range f.all.Value.Of(domain.RecoveryCodes) {
		if n := slices.Index(strings.Fields(c.Material.Reveal()), hash); n >= 0 {
			return c, n
		}
	}
	return domain.Credential{}, -1
}

// judge finds out whether it is accepted. It is slow for passkeys.
func (f *factor) judge() {
	switch {
	case len(f.Passkey) > 0:
		f.judgePasskey()
	case f.Code != "":
		f.judgeCode()
	default:
		if c, n := f.recovery(); n >= 0 && !f.uses[c.ID.Use(int64(n))].Value {
			left := len(strings.Fields(c.Material.Reveal())) - f.spent.Value - 1
			f.accept(domain.ByRecovery, domain.CredentialUsed{Credential: c.ID, Use: c.ID.Use(int64(n)), Left: &left})
		}
	}
}

func (f *factor) judgeCode() {
	for _, c := range f.all.Value.Of(domain.TOTP) {
		step, ok := f.env.Authn.TOTP(c.Material.Reveal(), f.Code, f.env.Now)
		if asked, near := f.uses[c.ID.Use(step)]; ok && near && !asked.Value {
			f.accept(domain.ByOneTimeCode, domain.CredentialUsed{Credential: c.ID, Use: c.ID.Use(step)})
			return
		}
	}
}

func (f *factor) judgePasskey() {
	c, ok := f.all.Value.Named(f.held.Value.Credential)
	if !ok || c.Kind != domain.Passkey || f.state.Passkey == nil {
		return
	}
	who := PasskeyUser{ID: f.user.UUID, Passkeys: passkeys(f.all.Value)}
	counter, err := f.env.Authn.Passkey(who, c.Material.Reveal(), f.state.Passkey, f.Passkey, f.counted.Value)
	if err == nil {
		f.accept(domain.ByPasskey, domain.CredentialUsed{Credential: c.ID, Counter: counter})
	}
}

func (f *factor) accept(method string, used domain.CredentialUsed) {
	f.method, f.used = method, used
	f.used.User = f.user
}

// StepUp proves once more who the user of a session is. It is given as an order of the session itself.
type StepUp struct {
	Session  domain.SessionID
	User     domain.UserID
	Password string
	Ticket   string // with a passkey
	Shown
}

// StepUpOrder is the order for it.
func StepUpOrder(c StepUp, t domain.TenantID, by dcb.Provenance) Order {
	return SystemOrder("step-up", c, t, by)
}

func (c StepUp) Target() dcb.Tagger { return c.Session }

func (c StepUp) Decide(env Env) dcb.Decision {
	t, ok := Ticket{}, true
	if len(c.Passkey) > 0 {
		t, ok = env.ticket(ForStepUp, c.Ticket)
	}
	if !ok || t.User != c.User && len(c.Passkey) > 0 {
		return refused(domain.ErrTicket)
	}
	session, all, person := domain.SessionOf(c.Session), domain.CredentialsOf(c.User), domain.PersonOf(c.User)
	used, factor := domain.TicketUsed(t.ID), env.factor(c.Shown, t)
	known := false
	return dcb.From(append(factor.facts(), session, all, person, used)...).
		Then(func() []dcb.AnyFact { return factor.of(c.User, all) }).
		Opening().Unsealing().
		Consult(func(ctx context.Context) (err error) {
			if c.Password == "" {
				factor.judge()
				return nil
			}
			account := env.account(person.Value.Email.Reveal())
			known, _, err = env.Authn.VerifyPassword(ctx, all.Value.Password(), c.Password, account, env.powerful(c.User))
			return err
		}).
		Decide(func() ([]dcb.Event, error) {
			raised := domain.SessionElevated{Session: c.Session, User: c.User, Ticket: t.ID}
			switch {
			case !session.Value.Live || session.Value.User != c.User:
				return nil, domain.ErrSessionUnknown
			case used.Value:
				return nil, domain.ErrTicket
			case known:
				raised.Methods = []string{domain.ByPassword}
				return dcb.Emit(raised)
			case factor.method == "":
				return nil, &SignInFailed{c.User}
			}
			raised.Methods = []string{factor.method}
			if all.Value.SecondFactor() { // recovery codes stand in for one; alone they are none
				raised.Methods = append(raised.Methods, domain.ByMany)
			}
			return dcb.Emit(factor.used, raised)
		})
}
