package commands

import (
	"context"
	"errors"
	"unicode/utf8"

	"chancery/domain"
	"chancery/internal/dcb"
)

// SignIn starts a session for whoever shows a password, then a second factor if they have one, or a passkey. It is given as
// an order of nobody (SignInOrder). Whatever is wrong, it is refused with SignInFailed, and the same is read and computed
// whether or not there is such a tenant, user or password: neither the answer nor its time tells.
type SignIn struct {
	Session domain.SessionID // of the session that starts

	Email, Password string // the first request
	Ticket          string // the second one, or that of a passkey alone
	Shown
}

// SignInFailed is ErrSignIn, with whose account it is about where that is known, for the record.
type SignInFailed struct{ User domain.UserID }

func (e *SignInFailed) Error() string { return domain.ErrSignIn.Error() }
func (e *SignInFailed) Unwrap() error { return domain.ErrSignIn }

// FactorNeeded is ErrFactor: the password was right, and something more must be shown with the ticket.
type FactorNeeded struct {
	User    domain.UserID
	Ticket  string
	Factors []domain.CredentialKind
	Passkey []byte // options for the browser; none if the user has no passkey
	Rehash  *Rehash
}

func (e *FactorNeeded) Error() string { return domain.ErrFactor.Error() }
func (e *FactorNeeded) Unwrap() error { return domain.ErrFactor }

// SignInOrder is the order for it. It is decided in whatever tenant, even one that does not exist.
func SignInOrder(c SignIn, t domain.TenantID, by dcb.Provenance) Order {
	o := AnonymousOrder("sign-in", c, t, by)
	o.ungated = true // the rule asks for the tenant itself, late
	return o
}

func (c SignIn) Target() dcb.Tagger { return c.Session }

// Reveal is the session's token.
func (c SignIn) Reveal(env Env) (name, value string) {
	return "token", env.Secret("session", c.Session.UUID)
}

func (c SignIn) Decide(env Env) dcb.Decision {
	if c.Ticket != "" {
		return c.answering(env)
	}
	return c.knowing(env)
}

// arrival is somebody on their way in.
type arrival struct {
	env         Env
	tenant      *dcb.Fact[domain.Tenant]
	session     *newSession
	credentials *dcb.Fact[domain.Credentials]
	changed     *dcb.Fact[int64]
}

// is says who it may be. Of one whom nobody knows the same is asked.
func (a *arrival) is(id domain.SessionID, u domain.UserID) []dcb.AnyFact {
	a.session, a.credentials, a.changed = a.env.newSession(id, u), domain.CredentialsOf(u), domain.LastCredentialChange(u)
	return append(a.session.facts(), a.credentials, a.changed)
}

// welcome reports whether this user may sign in at all.
func (a *arrival) welcome() bool { return a.tenant.Value.Refusal() == nil && a.session.active() }

func (env Env) arrival() *arrival { return &arrival{env: env, tenant: domain.TenantOf(env.Tenant)} }

// nobody stands for the user of an address, or of a passkey, that nobody has.
func (env Env) nobody(name string) domain.UserID {
	return domain.UserID{UUID: domain.NamedID(env.Tenant, "nobody", name)}
}

// known is a password on its way to be compared.
type known struct {
	*arrival
	address  domain.Email
	password string
	ok       bool
	rehash   string // the hash of today, where the stored one is not of today
}

// verify does the same work whatever there is to compare with.
func (k *known) verify(ctx context.Context) error {
	hash, password := k.credentials.Value.Password(), k.password
	if !k.welcome() || utf8.RuneCountInString(password) > domain.MaxPassword {
		hash, password = "", "x"
	}
	account, strong := k.env.account(string(k.address)), k.env.powerful(k.session.user)
	ok, stale, err := k.env.Authn.VerifyPassword(ctx, hash, password, account, strong)
	if err == nil && ok && stale {
		k.rehash, err = k.env.Authn.HashPassword(ctx, password, account, strong)
	}
	k.ok = ok
	return err
}

// knowing is the way in with a password.
func (c SignIn) knowing(env Env) dcb.Decision {
	address, err := domain.ParseEmail("", c.Email)
	if err != nil {
		address = "nobody@invalid" // no address: the same work for nothing
	}
	k, holder := &known{arrival: env.arrival(), address: address, password: c.Password}, domain.EmailHolder(address.Claim())
	asked := &FactorNeeded{}
	return dcb.From(k.tenant, holder).
		Then(func() []dcb.AnyFact {
			if k.session != nil {
				return nil
			}
			user := domain.UserID{UUID: holder.Value}
			if user.IsZero() {
				user = env.nobody(string(address))
			}
			return k.is(c.Session, user)
		}).
		Unsealing().
		Consult(func(ctx context.Context) error {
			if err := k.verify(ctx); err != nil || !k.ok || !k.credentials.Value.SecondFactor() {
				return err
			}
			return c.ask(k.arrival, string(address), asked)
		}).
		Decide(func() ([]dcb.Event, error) {
			user := k.session.user
			switch {
			case !k.ok && k.session.status.Value.Exists():
				return nil, &SignInFailed{user}
			case !k.ok:
				return nil, &SignInFailed{}
			case k.credentials.Value.SecondFactor():
				if k.rehash != "" {
					asked.Rehash = &Rehash{user, k.changed.Value, dcb.Hide(k.rehash)}
				}
				return nil, asked
			}
			events := []dcb.Event{k.session.started([]string{domain.ByPassword}, domain.TicketID{}, domain.IssuerID{})}
			if k.rehash != "" {
				events = append(events, rehashed(env.Tenant, user, dcb.Hide(k.rehash)))
			}
			return events, nil
		})
}

// ask makes the ticket and what is to be shown with it.
func (c SignIn) ask(a *arrival, account string, f *FactorNeeded) (err error) {
	all, state := a.credentials.Value, ticketState{Account: account, Changed: a.changed.Value}
	for _, kind := range []domain.CredentialKind{domain.TOTP, domain.Passkey, domain.RecoveryCodes} {
		if len(all.Of(kind)) > 0 {
			f.Factors = append(f.Factors, kind)
		}
	}
	if stored := passkeys(all); len(stored) > 0 {
		f.Passkey, state.Passkey, err = a.env.Authn.PasskeyRequest(stored)
		if err != nil && !errors.Is(err, domain.ErrPasskeysOff) { // then another factor must do
			return err
		}
	}
	f.User = a.session.user
	f.Ticket = a.env.Authn.Ticket(Ticket{
		ID: domain.TicketID(c.Session), Purpose: ForSignIn, Tenant: a.env.Tenant, User: f.User, Methods: []string{domain.ByPassword},
		State: stateOf(state), Until: a.env.Now.Add(TicketLife), // the session's id is spent: none starts under it
	})
	return nil
}

// answering is the way in with a ticket: a second factor, or a passkey alone.
func (c SignIn) answering(env Env) dcb.Decision {
	t, ok := env.ticket(ForSignIn, c.Ticket)
	if !ok && len(c.Passkey) > 0 {
		t, ok = env.ticket(ForPasskey, c.Ticket)
	}
	if !ok {
		return refused(domain.ErrTicket)
	}
	a, used, factor := env.arrival(), domain.TicketUsed(t.ID), env.factor(c.Shown, t)
	return dcb.From(append(factor.facts(), a.tenant, used)...).
		Then(func() []dcb.AnyFact {
			if a.session != nil {
				return nil
			}
			user := t.User
			if user.IsZero() {
				user = factor.held.Value.User
			}
			if user.IsZero() {
				user = env.nobody("passkey")
			}
			return a.is(c.Session, user)
		}).
		Then(func() []dcb.AnyFact { return factor.of(a.session.user, a.credentials) }).
		Unsealing().
		Consult(func(context.Context) error { factor.judge(); return nil }).
		Decide(func() ([]dcb.Event, error) {
			switch {
			case used.Value, t.Purpose == ForSignIn && a.changed.Value != t.state().Changed:
				return nil, domain.ErrTicket
			case factor.method == "" && a.session.status.Value.Exists():
				return nil, &SignInFailed{a.session.user}
			case factor.method == "", !a.welcome():
				return nil, &SignInFailed{}
			}
			methods := append(append([]string{}, t.Methods...), factor.method, domain.ByMany)
			return dcb.Emit(factor.used, a.session.started(methods, t.ID, domain.IssuerID{}))
		})
}

// Rehash gives a user the same password, hashed as of today, unless their credentials have changed since.
type Rehash struct {
	user    domain.UserID
	changed int64
	hash    dcb.Sealed
}

// RehashOrder is the order for it.
func RehashOrder(c *Rehash, t domain.TenantID, by dcb.Provenance) Order {
	return AnonymousOrder("rehash-password", *c, t, by)
}

func (c Rehash) Decide(env Env) dcb.Decision {
	changed := domain.LastCredentialChange(c.user)
	return dcb.From(changed).Decide(func() ([]dcb.Event, error) {
		if changed.Value != c.changed {
			return nil, nil
		}
		return dcb.Emit(rehashed(env.Tenant, c.user, c.hash))
	})
}

func rehashed(t domain.TenantID, u domain.UserID, hash dcb.Sealed) domain.PasswordSet {
	return domain.PasswordSet{Credential: domain.PasswordID(t, u), User: u, Hash: hash, Rehashed: true}
}
