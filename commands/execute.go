package commands

import (
	"context"
	"errors"
	"math/rand/v2"
	"reflect"
	"slices"
	"time"

	"github.com/google/uuid"

	"chancery/domain"
	"chancery/internal/dcb"
)

// Engine decides commands against history and appends what they decide.
type Engine struct {
	Store    dcb.Store
	Now      func() time.Time
	Resolver Resolver
	Mint     func(purpose, seed string, id uuid.UUID) string // an API token; the same for the same arguments
	Hash     func(token string) (prefix string, hash []byte)
	Authn    Authn
	// Powerful reports whether a user holds so much that their password is worth more work. May be nil: nobody does.
	Powerful func(domain.UserID) bool
	// Judge says what the constraints of a tenant make of a change. It MUST have seen what Follow has. May be nil: there are none.
	Judge func(domain.Change) domain.Verdict
	// Assigned are the roles that are assigned in a tenant, as Rights know. May be nil: none are.
	Assigned func(domain.TenantID) []domain.RoleID
	// Begins reports whether privileges of the platform begin with an app's name, as Rights know. May be nil: nobody knows.
	Begins func(domain.App) bool
	// Keygen makes the seed of a private key; the same for the same arguments.
	Keygen func(seed string, id uuid.UUID) [32]byte
	// Tally and Seats tell what was taken of licences. They MUST have seen what Follow has.
	Tally func(domain.Key) domain.Tally
	Seats func(domain.Key) domain.Seats
	// Recorded reports whether a tenant has an event of that id, and Reached whether it has one of that tenant_seq. May be nil: none has.
	Recorded func(context.Context, domain.TenantID, uuid.UUID) (bool, error)
	Reached  func(ctx context.Context, t domain.TenantID, seq int64) (bool, error)
	// Delivers reports whether an event was or is to be delivered to an endpoint of a tenant. May be nil: none is.
	Delivers func(context.Context, domain.TenantID, domain.EndpointID, uuid.UUID) (bool, error)
	// Checkpoint is how far the consumer of a tenant's pull endpoint has come. May be nil: none has.
	Checkpoint func(context.Context, domain.TenantID, domain.EndpointID) (domain.Checkpoint, error)
	// Mails says that mail can be sent from here.
	Mails bool
	// PrivateWebhooks says that webhooks may go to networks of the operator's own.
	PrivateWebhooks bool
	// Version is that of Chancery itself, against which apps say with which they work.
	Version string
	Observe func(command, outcome string, took time.Duration, attempts int) // may be nil
	// Follow returns when Rights have seen the position; so that who is not known to them has no rights from before it. May be nil.
	Follow func(ctx context.Context, position int64) error
	// Settle returns when the tables have seen the position; nothing is disclosed before. May be nil.
	Settle func(ctx context.Context, position int64) error
	// Erased returns when the erasures up to the position are on record outside of the database. May be nil.
	Erased func(ctx context.Context, position int64) error

	lanes     lanes
	appEvents appEvents
}

// ErrAborted says that an atomic batch was given up because of another of its commands.
var ErrAborted = errors.New("another command of the batch was refused")

const (
	attempts = 8
	// mostEvents bounds one append: everybody else's wait for it, and one that the log cannot take in time would be tried for ever.
	mostEvents = 20_000
)

// patience bounds a batch, so that a caller of a database without room or reach gets an answer. What happened is then
// unknown; the same request may be sent again under its key.
const patience = 30 * time.Second

// Execute decides one command and appends its events, deciding again when history moved.
// Errors: a domain.Refusal, dcb.ErrConflict, dcb.ErrKeyReused; anything else is a fault.
func (e *Engine) Execute(ctx context.Context, o Order) (Result, error) {
	if l, contended := laneOf(o); contended {
		return e.inLane(ctx, l, o)
	}
	return e.alone(ctx, o)
}

// alone is Execute past all lanes.
func (e *Engine) alone(ctx context.Context, o Order) (Result, error) {
	outcomes, err := e.Batch(ctx, o.Tenant, []Order{o}, true)
	if err != nil {
		return Result{}, err
	}
	return outcomes[0].Result, outcomes[0].Err
}

// Batch decides commands of one tenant in order, a later one seeing what the earlier ones decided, and appends all
// of their events in one go. With atomic set a refusal of one gives up all. The error is a fault, or dcb.ErrConflict.
func (e *Engine) Batch(ctx context.Context, tenant domain.TenantID, orders []Order, atomic bool) ([]Outcome, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	began := time.Now()
	var err error
	var outcomes []Outcome
	n := 1
	for ; n <= attempts; n++ {
		outcomes, err = e.attempt(ctx, tenant, orders, atomic)
		if err = e.tooEarly(ctx, orders, atomic, &outcomes, err); err == nil || !again(err) {
			break
		}
		if err := pause(ctx, n); err != nil {
			return nil, err
		}
	}
	if _, twin := errors.AsType[*dcb.DuplicateError](err); twin {
		err = dcb.ErrConflict
	}
	if errors.Is(err, dcb.ErrErased) {
		outcomes, err = e.ofTheErased(ctx, orders, atomic), nil
	}
	if errors.Is(err, dcb.ErrKeyReused) && len(orders) == 1 {
		outcomes, err = []Outcome{{Err: dcb.ErrKeyReused}}, nil
	}
	e.observe(orders, outcomes, err, time.Since(began), n)
	return outcomes, err
}

// again reports whether deciding anew may help.
func again(err error) bool {
	_, duplicate := errors.AsType[*dcb.DuplicateError](err)
	return duplicate || errors.Is(err, dcb.ErrConflict) || errors.Is(err, dcb.ErrErased)
}

// pause waits a little longer each time, so that rivals do not march in step.
func pause(ctx context.Context, attempt int) error {
	t := time.NewTimer(rand.N(time.Millisecond << attempt)) //nolint:gosec // jitter needs no secrecy
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// tooEarly finds out which of several commands gave a time that has passed, by running them one by one.
func (e *Engine) tooEarly(ctx context.Context, orders []Order, atomic bool, out *[]Outcome, err error) error {
	if !errors.Is(err, dcb.ErrTooEarly) {
		return err
	}
	*out = make([]Outcome, len(orders))
	for i, o := range orders {
		switch {
		case atomic && o.At.IsZero():
			(*out)[i].Err = ErrAborted
		case len(orders) == 1 || atomic:
			(*out)[i].Err = domain.At("/at", domain.ErrTooEarly)
		default:
			(*out)[i].Result, (*out)[i].Err = e.alone(ctx, o)
		}
	}
	return nil
}

// attempt decides all orders on one view of history and appends the outcome once.
func (e *Engine) attempt(ctx context.Context, tenant domain.TenantID, orders []Order, atomic bool) ([]Outcome, error) {
	outcomes := make([]Outcome, len(orders))
	known, err := e.replays(ctx, orders, outcomes)
	if err != nil {
		return nil, err
	}
	if i := slices.IndexFunc(outcomes, func(o Outcome) bool { return o.Err != nil }); atomic && i >= 0 {
		return abort(outcomes, i), nil
	}
	view, decisions, err := e.survey(ctx, tenant, orders, known)
	if err != nil {
		return nil, err
	}
	var parts []dcb.Part
	var of []int
	var declined []Order
	for i, o := range orders {
		if known[i] {
			continue
		}
		events, err := e.decide(ctx, view, o, decisions[i])
		if _, refusal := domain.IsRefusal(err); err != nil && !refusal {
			return nil, err
		}
		if err != nil {
			outcomes[i].Err = err
			declined = append(declined, o)
			if atomic {
				return abort(outcomes, i), e.overtaken(ctx, declined)
			}
			continue
		}
		if len(events) == 0 && !o.Keyed {
			outcomes[i].Result = Result{ID: view.settled(o), Position: view.head}
			outcomes[i].Err = e.lasting(ctx, o, view.head)
			continue
		}
		parts, of = append(parts, dcb.Part{ID: o.Request, Fingerprint: o.Fingerprint, Events: events}), append(of, i)
	}
	if err := e.overtaken(ctx, declined); err != nil || len(parts) == 0 {
		return outcomes, err
	}
	return outcomes, e.append(ctx, view, orders, parts, of, outcomes)
}

// survey reads what the decisions ask first, in one go, and waits until Rights have seen as much.
func (e *Engine) survey(ctx context.Context, tenant domain.TenantID, orders []Order, known []bool) (*view, []dcb.Decision, error) {
	view := newView(ctx, e.Store, tenant.UUID)
	decisions := make([]dcb.Decision, len(orders))
	var first dcb.Query
	for i, o := range orders {
		if !known[i] {
			decisions[i] = e.decision(o, view)
			first = append(first, decisions[i].FirstQuery(view.claim)...)
			view.open |= decisions[i].Opens()
		}
	}
	if err := view.load(first); err != nil {
		return nil, nil, err
	}
	if e.Follow != nil {
		if err := e.Follow(ctx, view.head); err != nil {
			return nil, nil, err
		}
	}
	return view, decisions, nil
}

func (e *Engine) append(ctx context.Context, view *view, orders []Order, parts []dcb.Part, of []int, outcomes []Outcome) error {
	var conditions []dcb.Condition
	if len(view.asked) > 0 {
		conditions = []dcb.Condition{{Query: view.asked, After: view.head}}
	}
	receipts, events, err := e.Store.Append(ctx, parts, conditions)
	if err != nil {
		return err
	}
	for n, p := range parts {
		o := orders[of[n]]
		own := events[:len(p.Events)]
		if outcomes[of[n]].Result = e.result(o, receipts[n], own); len(own) == 0 {
			outcomes[of[n]].Result.ID = view.settled(o)
		}
		outcomes[of[n]].Err = domain.FirstError(e.tell(ctx, o, own, &outcomes[of[n]].Result), e.lasting(ctx, o, receipts[n].Last))
		events = events[len(p.Events):]
	}
	return nil
}

func abort(outcomes []Outcome, refused int) []Outcome {
	for i := range outcomes {
		if i != refused {
			outcomes[i] = Outcome{Err: ErrAborted}
		}
	}
	return outcomes
}

// decision is the command's own, guarded by the state of the tenant and by If-Match.
func (e *Engine) decision(o Order, v *view) dcb.Decision {
	env := e.env(o)
	env.Ahead, env.counts, env.Found = v.foreseen, v.counts, v.finds(o)
	d := o.Command.Decide(env)
	if kind, tags := o.target(); o.IfMatch > 0 && kind != "" {
		latest := dcb.LatestOf(domain.Catalog.KindTypes(kind), tags, func(e dcb.Event) bool { return domain.Changes(e, tags[0]) })
		fresh := func() error {
			if latest.Value.Position > o.IfMatch {
				return domain.ErrStale
			}
			return nil
		}
		if o.Spec.Own { // only Decide knows who may know that there is such a thing
			d = d.Verified(latest, fresh)
		} else {
			d = d.Guarded(latest, fresh)
		}
	}
	if o.ungated {
		return d
	}
	t := domain.TenantOf(o.Tenant)
	return d.Guarded(t, func() error {
		if o.Spec.Revives && (t.Value.Status == domain.TenantOnHold || t.Value.Status == domain.TenantEnded) {
			return nil
		}
		return t.Value.Refusal()
	})
}

func (e *Engine) env(o Order) Env {
	now := o.At
	if now.IsZero() {
		now = e.Now()
	}
	now = now.UTC().Truncate(time.Microsecond) // as the log and the tables keep it
	return e.looking(o.Tenant, Env{
		Tenant: o.Tenant, Now: now, Rights: o.Rights, Resolver: e.Resolver, Hash: e.Hash, Authn: e.Authn,
		Home: domain.TenantID{UUID: o.By.ActorTenant}, Session: domain.SessionID{UUID: o.By.Session}, Token: domain.TokenID{UUID: o.By.Token},
		App: o.app(), Privileged: o.Privileged,
		IP: o.By.IP.Reveal(), Agent: o.By.Agent.Reveal(), Powerful: e.Powerful, Mails: e.Mails, Version: e.Version, PrivateWebhooks: e.PrivateWebhooks, Judge: e.Judge,
		Delegation: domain.DelegationID{UUID: o.By.Delegation}, Impersonation: domain.ImpersonationID{UUID: o.By.Impersonation},
		Secret:   func(purpose string, id uuid.UUID) string { return e.Mint(purpose, o.Seed, id) },
		Assigned: func() []domain.RoleID { return e.assigned(o.Tenant) },
		Begins:   e.Begins,
		Keygen:   func(id domain.SigningKeyID) [32]byte { return e.Keygen(o.Seed, id.UUID) },
		Tally:    e.Tally, Seats: e.Seats,
	})
}

// looking has decisions look up events of the tenant.
func (e *Engine) looking(t domain.TenantID, env Env) Env {
	if e.Recorded != nil {
		env.Recorded = func(ctx context.Context, id uuid.UUID) (bool, error) { return e.Recorded(ctx, t, id) }
	}
	if e.Reached != nil {
		env.Reached = func(ctx context.Context, seq int64) (bool, error) { return e.Reached(ctx, t, seq) }
	}
	if e.Delivers != nil {
		env.Delivers = func(ctx context.Context, id domain.EndpointID, event uuid.UUID) (bool, error) {
			return e.Delivers(ctx, t, id, event)
		}
	}
	if e.Checkpoint != nil {
		env.Checkpoint = func(ctx context.Context, id domain.EndpointID) (domain.Checkpoint, error) {
			return e.Checkpoint(ctx, t, id)
		}
	}
	return env
}

func (e *Engine) assigned(t domain.TenantID) []domain.RoleID {
	if e.Assigned == nil {
		return nil
	}
	return e.Assigned(t)
}

// backdated refuses a time that a command may not be given.
func (e *Engine) backdated(o Order, latest time.Time) error {
	_, tells := o.Command.(Disclosing)
	switch {
	case o.At.IsZero():
		return nil
	case tells:
		return domain.Invalid("/at", "has no meaning here: a value is told now, and the record says so")
	case onlyNow(o.Command):
		return domain.Invalid("/at", "has no meaning here: it happens now")
	case o.At.Before(latest) || o.At.After(e.Now()):
		return domain.At("/at", domain.ErrTooEarly)
	}
	return nil
}

// decide runs one decision on the view and adds its events to it, for the decisions that follow.
func (e *Engine) decide(ctx context.Context, v *view, o Order, d dcb.Decision) ([]dcb.Pending, error) {
	if err := ctx.Err(); err != nil { // nobody waits for it any more
		return nil, err
	}
	if err := e.backdated(o, v.latest); err != nil {
		return nil, err
	}
	events, asked, err := d.Run(ctx, o.Tenant.UUID, v.claim, v.ask)
	v.rely(asked)
	if err != nil {
		return nil, err
	}
	if v.decided += len(events); v.decided > mostEvents {
		v.decided -= len(events)
		return nil, domain.ErrTooMuch
	}
	pending := make([]dcb.Pending, len(events))
	for i := range events {
		events[i], pending[i].Tenant = dcb.Place(events[i], o.Tenant.UUID)
	}
	actor := o.actor(events)
	for i, event := range events {
		by := actor
		by.Command, by.Target = o.Spec.Name, o.idOf(events)
		pending[i].Event, pending[i].At, pending[i].Provenance = event, o.At, by
		v.foresee(pending[i])
	}
	if len(events) > 0 && !o.At.IsZero() && pending[0].Tenant == v.tenant {
		v.latest = o.At
	}
	return pending, nil
}

// onlyNow reports whether the clock, or who comes first, is what the command is about: then nobody says that it was at another time.
func onlyNow(c Command) bool {
	switch c.(type) {
	case Contended, Handing, ImportLicense: // what is taken of licences is Contended
		return true
	}
	return false
}

func (e *Engine) result(o Order, r dcb.Receipt, events []dcb.Recorded) Result {
	result := Result{Position: r.Last, Events: make([]Ref, len(events))}
	if len(events) == 0 {
		result.ID = o.settledID()
		return result
	}
	for i, ev := range events {
		result.Events[i] = Ref{ev.Position, ev.ID, ev.Event.EventType()}
	}
	result.ID = events[0].Target
	if _, ok := o.Command.(Revealing); ok {
		again := reflect.New(reflect.TypeOf(o.Command))
		again.Elem().Set(reflect.ValueOf(o.Command))
		if c, creating := reflect.TypeAssert[Creating](again); creating {
			*c.NewID() = result.ID
		}
		result.Reveal[0], result.Reveal[1] = again.Elem().Interface().(Revealing).Reveal(e.env(o))
	}
	return result
}

func (e *Engine) observe(orders []Order, outcomes []Outcome, err error, took time.Duration, attempts int) {
	if e.Observe == nil {
		return
	}
	for i, o := range orders {
		outcome := "accepted"
		switch {
		case err != nil:
			outcome = "fault"
		case outcomes[i].Err != nil:
			outcome = "refused"
		case outcomes[i].Result.Replayed:
			outcome = "replayed"
		}
		e.Observe(o.Spec.Name, outcome, took, attempts)
	}
}
