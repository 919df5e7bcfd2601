package commands

import (
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"chancery/domain"
	"chancery/internal/dcb"
)

// ForIssuer is the purpose of the tickets of those who are at their issuer; they may take IssuerTicketLife there.
const (
	ForIssuer        = "oidc"
	IssuerTicketLife = 10 * time.Minute
)

// Vouched is what an issuer says of somebody, verified.
type Vouched struct {
	Issuer        domain.IssuerID
	URL           string
	Client        string // to whom it was said
	Subject       string
	Email         string
	EmailVerified bool
	Name          string
	Groups        []string  // the values of the groups claim
	Many          bool      // several factors were shown
	SeenAt        time.Time // when the issuer last saw them prove who they are; zero if it does not say
}

// mostGroups is how many values of a groups claim are looked at.
const mostGroups = 2000

func (v Vouched) key() dcb.Claim { return domain.IdentityClaim(v.URL, v.Subject) }

// holds refuses what is not the word of an issuer as it is trusted now.
func (v Vouched) holds(i domain.Issuer) error {
	if !i.Exists() || !i.Enabled || i.URL != v.URL || i.ClientID != v.Client {
		return domain.ErrIssuerChanged
	}
	return domain.CheckSubject("/sub", v.Subject)
}

// SignInByIssuer starts a session for whom an issuer vouches. Who that is follows from the issuer and its subject alone, never from an
// address. Somebody unknown is registered where the issuer's terms allow it. Memberships follow the groups claim, but for those that a
// constraint forbids: nobody is kept out for what their issuer says of them.
type SignInByIssuer struct {
	ID     domain.SessionID
	Ticket domain.TicketID // of the sign-in: it starts one session
	Vouched
}

func (c *SignInByIssuer) NewID() *uuid.UUID { return &c.ID.UUID }
func (c SignInByIssuer) Target() dcb.Tagger { return c.ID }

// made is the id of something that comes with the session: the same each time it is decided.
func (c SignInByIssuer) made(what string) uuid.UUID { return uuid.NewSHA1(c.ID.UUID, []byte(what)) }

func (c SignInByIssuer) Decide(env Env) dcb.Decision {
	if len(c.Groups) > mostGroups {
		c.Groups = c.Groups[:mostGroups]
	}
	issuer, used, holder := domain.IssuerOf(c.Issuer), domain.TicketUsed(c.Ticket), domain.IdentityHolder(c.key())
	var known *guest
	var groups *followed
	var newcomer *newcomer
	joins := func() []dcb.Event { return append(newcomer.events(known), groups.events(c)...) }
	duties := env.duties(env.Tenant, joins)
	return dcb.From(issuer, used, holder).Then(func() []dcb.AnyFact {
		switch {
		case used.Value || c.holds(issuer.Value) != nil || known != nil:
			return nil
		case holder.Value == uuid.Nil:
			newcomer = env.newcomer(c, issuer.Value)
			known = env.guest(c, domain.UserID{UUID: c.made("user")})
			return append(newcomer.facts(), known.facts()...)
		}
		known = env.guest(c, domain.UserID{UUID: holder.Value})
		return known.facts()
	}).Then(func() []dcb.AnyFact {
		if known == nil || groups != nil {
			return nil
		}
		groups = known.follow(issuer.Value)
		return groups.facts()
	}).Then(duties.next).Decide(func() ([]dcb.Event, error) {
		if used.Value {
			return nil, domain.ErrTicket
		}
		if err := c.holds(issuer.Value); err != nil {
			return nil, err
		}
		switch {
		case newcomer != nil && !newcomer.welcome():
			return nil, domain.ErrIdentityAlone
		case newcomer == nil && !known.session.active():
			return nil, domain.ErrUserNotActive
		}
		events, err := duties.spared(joins())
		return append(events, known.started(c)), err
	})
}

// Reveal is the session's token.
func (c SignInByIssuer) Reveal(env Env) (name, value string) {
	return "token", env.Secret("session", c.ID.UUID)
}

// guest is somebody on the way in.
type guest struct {
	signIn  SignInByIssuer
	user    domain.UserID
	session *newSession
	places  *dcb.Fact[map[domain.GroupID]domain.Membership]
}

func (env Env) guest(c SignInByIssuer, user domain.UserID) *guest {
	return &guest{c, user, env.newSession(c.ID, user), domain.MembershipsOf(user)}
}

func (a *guest) facts() []dcb.AnyFact { return append(a.session.facts(), a.places) }

func (a *guest) started(c SignInByIssuer) domain.SessionStarted {
	methods := []string{domain.ByIssuer}
	if c.Many {
		methods = append(methods, domain.ByMany)
	}
	e := a.session.started(methods, c.Ticket, c.Issuer)
	if c.SeenAt.Before(a.session.env.Now) {
		e.ProvenAt = c.SeenAt
	}
	return e
}

// followed are the groups that a claim leads to, beside the places that its user has.
type followed struct {
	*guest
	wanted []domain.GroupID
	fresh  map[domain.GroupID]*dcb.Fact[domain.Group]
}

func (a *guest) follow(i domain.Issuer) *followed {
	f := &followed{guest: a, wanted: i.Groups(a.signIn.Groups), fresh: map[domain.GroupID]*dcb.Fact[domain.Group]{}}
	for _, g := range f.wanted {
		if !a.places.Value[g].Exists() {
			f.fresh[g] = domain.GroupOf(g)
		}
	}
	return f
}

func (f *followed) facts() []dcb.AnyFact {
	var facts []dcb.AnyFact
	for _, g := range f.wanted {
		if fact := f.fresh[g]; fact != nil {
			facts = append(facts, fact)
		}
	}
	return facts
}

// events put the user into the groups that the claim leads to, and take them out of those that it led to at an earlier sign-in. What
// somebody did by hand stays as it is; groups that are no more are passed over.
func (f *followed) events(c SignInByIssuer) []dcb.Event {
	if f == nil {
		return nil
	}
	var events []dcb.Event
	for _, m := range inOrder(f.places.Value, func(m domain.Membership) uuid.UUID { return m.Group.UUID }) {
		if m.Issuer == c.Issuer && !slices.Contains(f.wanted, m.Group) {
			events = append(events, domain.MemberRemoved{Membership: m.ID, Group: m.Group, User: f.user, Role: m.Role})
		}
	}
	for _, g := range f.wanted {
		if fact := f.fresh[g]; fact != nil && fact.Value.Exists {
			events = append(events, domain.MemberAdded{
				Membership: domain.MembershipID{UUID: c.made("membership in " + g.String())}, Group: g, User: f.user, Role: domain.Member, Issuer: c.Issuer,
			})
		}
	}
	return events
}

// newcomer is somebody whom nobody here knows.
type newcomer struct {
	signIn  SignInByIssuer
	issuer  domain.Issuer
	address *address
	domains *dcb.Fact[domain.Domains]
}

func (env Env) newcomer(c SignInByIssuer, i domain.Issuer) *newcomer {
	return &newcomer{c, i, env.address(c.Email), domain.DomainsOf(env.Tenant)}
}

func (n *newcomer) facts() []dcb.AnyFact { return append(n.address.facts(), n.domains) }

// welcome reports whether they may be registered: the issuer has seen to it that the address is theirs, the tenant that its domain is
// the tenant's, and nobody has it. One whose address somebody has is not taken for that somebody.
func (n *newcomer) welcome() bool {
	email := n.address.email
	return n.issuer.Provisioning == domain.ProvisionVerifiedDomain && n.signIn.EmailVerified && email != "" &&
		n.domains.Value.Named(email.Domain()).Verified && n.address.refusal(domain.UserID{}) == nil
}

// events register them; they are none for nobody new.
func (n *newcomer) events(who *guest) []dcb.Event {
	if n == nil {
		return nil
	}
	user := who.user
	email := n.address.email
	name := strings.TrimSpace(n.signIn.Name)
	if domain.CheckName("", name) != nil {
		name, _, _ = strings.Cut(string(email), "@")
	}
	return []dcb.Event{
		domain.UserRegistered{
			User: user, Email: dcb.Plain(string(email)), EmailKey: email.Claim(), DisplayName: dcb.Plain(name), Status: domain.UserActive,
		},
		domain.IdentityLinked{
			Identity: domain.IdentityID{UUID: n.signIn.made("identity")}, User: user, Issuer: n.signIn.URL,
			Subject: dcb.Plain(n.signIn.Subject), Key: n.signIn.key(),
		},
	}
}

// LinkByIssuer links whom an issuer vouches for to the user who, in a session, asked for it.
type LinkByIssuer struct {
	ID      domain.IdentityID
	Session domain.SessionID
	User    domain.UserID
	Vouched
}

func (c *LinkByIssuer) NewID() *uuid.UUID { return &c.ID.UUID }
func (c LinkByIssuer) Target() dcb.Tagger { return c.ID }

func (c LinkByIssuer) Decide(Env) dcb.Decision {
	issuer, holder := domain.IssuerOf(c.Issuer), domain.IdentityHolder(c.key())
	session, user := domain.SessionOf(c.Session), domain.UserStatusOf(c.User)
	return dcb.From(issuer, holder, session, user).Decide(func() ([]dcb.Event, error) {
		if err := c.holds(issuer.Value); err != nil {
			return nil, err
		}
		switch {
		case !session.Value.Live || session.Value.User != c.User || user.Value.Status != domain.UserActive:
			return nil, domain.ErrLinkSession
		case holder.Value == c.User.UUID:
			return nil, nil
		case holder.Value != uuid.Nil:
			return nil, domain.ErrIdentityTaken
		}
		return dcb.Emit(domain.IdentityLinked{
			Identity: c.ID, User: c.User, Issuer: c.URL, Subject: dcb.Plain(c.Subject), Key: c.key(),
		})
	})
}
