package commands

import (
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"chancery/domain"
	"chancery/internal/dcb"
)

// Consume takes something of a metered allowance. It never takes more than a hard limit leaves, however many ask at once.
type Consume struct {
	ID          domain.UsageID `json:"id,omitzero" description:"id of the consumption; made if absent"`
	App         domain.App     `json:"app" required:"true" description:"the app whose licences allow it"`
	Entitlement string         `json:"entitlement" required:"true" description:"what is consumed, as the licences call it"`
	Amount      int64          `json:"amount" required:"true" description:"how much, at least 1"`
	Note        string         `json:"note,omitzero" description:"what for; no personal data"`
}

func (c *Consume) NewID() *uuid.UUID  { return &c.ID.UUID }
func (c Consume) Target() dcb.Tagger  { return c.ID }
func (c Consume) Scope() domain.Scope { return c.App.Scope() }

// Lane is one for all meters of the tenant, so that who takes something back, named by its id alone, goes by it, too.
func (c Consume) Lane() string { return usageLane }

const usageLane = "usage"

func (c Consume) Decide(env Env) dcb.Decision {
	switch err := domain.FirstError(c.App.Check("/app"), domain.CheckName("/entitlement", c.Entitlement), domain.CheckText("/note", c.Note)); {
	case err != nil:
		return refused(err)
	case c.Amount < 1 || c.Amount > domain.MaxAllowance:
		return refused(domain.Invalid("/amount", "must be a whole number from 1 to %d", domain.MaxAllowance))
	case !env.mayFor(c.App, "core.entitlements.consume"):
		return refused(domain.ErrNotAllowed)
	}
	used, held := domain.Used[domain.UsageRecorded](c.ID), domain.LicensesFor(env.Tenant, c.App)
	var meters []meter
	return dcb.From(used, held).Then(func() (facts []dcb.AnyFact) {
		if meters != nil {
			return nil
		}
		meters = c.meters(held.Value, env.Now)
		for _, m := range meters {
			facts = append(facts, domain.Tallied(m.key))
		}
		return facts
	}).Decide(func() ([]dcb.Event, error) {
		switch {
		case used.Value:
			return nil, domain.At("/id", domain.ErrIDTaken)
		case len(meters) == 0:
			return nil, c.notMetered(held.Value, env.Now)
		}
		return c.take(env, meters)
	})
}

// meter is what one licence allows to consume.
type meter struct {
	domain.Entitlement
	license domain.License
	key     domain.Key
}

// meters are those of the licences in force. That which ends first comes first.
func (c Consume) meters(held domain.Licenses, now time.Time) []meter {
	found := []meter{} // not nil: they were looked for
	for _, l := range byEnd(held) {
		if e, has := l.Entitlement(c.Entitlement); has && e.Kind == domain.Meter && l.State(now).InForce() {
			found = append(found, meter{e, l, domain.MeterKey(l.ID, c.Entitlement)})
		}
	}
	return found
}

// byEnd are licences in the order in which they end.
func byEnd(held domain.Licenses) domain.Licenses {
	ordered := slices.Clone(held)
	slices.SortStableFunc(ordered, func(a, b domain.License) int {
		x, y := a.Terms.GraceUntil(), b.Terms.GraceUntil()
		switch {
		case x.IsZero() && y.IsZero():
			return 0
		case x.IsZero():
			return 1
		case y.IsZero():
			return -1
		}
		return x.Compare(y)
	})
	return ordered
}

// notMetered says why there is nothing to consume of.
func (c Consume) notMetered(held domain.Licenses, now time.Time) error {
	inForce := false
	for _, l := range held {
		if !l.State(now).InForce() {
			continue
		}
		inForce = true
		if _, has := l.Entitlement(c.Entitlement); has {
			return domain.At("/entitlement", domain.ErrNotMetered)
		}
	}
	if len(held) > 0 && !inForce {
		return domain.At("/app", notInForce(held, now))
	}
	return domain.At("/entitlement", domain.ErrNotEntitled)
}

// notInForce says why none of the licences is.
func notInForce(held domain.Licenses, now time.Time) *domain.Refusal {
	if !slices.ContainsFunc(held, func(l domain.License) bool { return !l.Revoked }) {
		return domain.ErrLicenseRevoked
	}
	return held.State(now).Refusal()
}

// take takes it all from one licence: from the first that has enough left, or else from the first that lets more be recorded.
func (c Consume) take(env Env, meters []meter) ([]dcb.Event, error) {
	left := int64(0) // of that which has most
	for _, m := range meters {
		_, total := m.now(env)
		if total+c.Amount <= m.Limit {
			return dcb.Emit(c.of(env, m))
		}
		left = max(left, m.Limit-total)
	}
	for _, m := range meters {
		if _, total := m.now(env); m.Soft && total+c.Amount <= mostRecorded {
			return dcb.Emit(c.of(env, m))
		}
	}
	return nil, &domain.InputError{Refusal: domain.ErrAllowance, Pointer: "/amount", Detail: lack(meters[0].Entitlement, left, env.Now)}
}

// mostRecorded keeps what is recorded beyond soft limits a number that every reader of JSON can read.
const mostRecorded = 1<<53 - 1

func lack(e domain.Entitlement, left int64, now time.Time) string {
	text := fmt.Sprintf("no more than %d is left", left)
	if resets := e.Period.Ends(now); !resets.IsZero() {
		text += " until " + resets.Format(time.RFC3339)
	}
	return text
}

// now is the present period of the meter and what was taken in it.
func (m meter) now(env Env) (period string, total int64) {
	tally := env.tally(m.key)
	period = m.Period.Name(env.Now)
	if domain.PeriodNamed(tally.Period) == m.Period && tally.Period > period {
		period = tally.Period // another process's clock, a little ahead of ours, has seen the next one begin
	}
	return period, tally.In(period)
}

func (c Consume) of(env Env, m meter) domain.UsageRecorded {
	period, total := m.now(env)
	total += c.Amount
	return domain.UsageRecorded{
		Usage: c.ID, Meter: m.key, License: domain.OfLicense(m.license.ID), App: c.App, Name: c.Entitlement, Amount: c.Amount,
		Period: period, Total: total, Over: total > m.Limit, Note: c.Note,
	}
}

// mayFor holds for those with the privilege on the app, and for the app itself: a token of its own needs no more than that nothing is
// denied to its user and that it was not issued for less.
func (env Env) mayFor(app domain.App, p domain.Pattern) bool {
	if env.Rights.Holds(p, app.Scope()) {
		return true
	}
	return env.App != "" && domain.App(env.App) == app &&
		env.Rights.WithinCeiling([]domain.Pattern{p}) && !env.Rights.Denied(p, app.Scope())
}

// ReverseUsage takes a consumption back, within its period.
type ReverseUsage struct {
	ID     domain.UsageID `json:"id" required:"true" description:"the consumption"`
	Reason string         `json:"reason,omitzero" description:"why, for the record"`
}

func (c ReverseUsage) Target() dcb.Tagger { return c.ID }
func (c ReverseUsage) Lane() string       { return usageLane }

func (c ReverseUsage) Decide(env Env) dcb.Decision {
	was, watched := domain.ConsumptionOf(c.ID), false
	return dcb.From(was).Then(func() []dcb.AnyFact {
		if watched || !was.Value.Known {
			return nil
		}
		watched = true
		return []dcb.AnyFact{domain.Tallied(was.Value.Meter)}
	}).Decide(func() ([]dcb.Event, error) {
		u := was.Value
		switch {
		case !u.Known || !env.mayFor(u.App, "core.entitlements.reverse"):
			return nil, domain.At("/id", domain.ErrUsageUnknown)
		case u.Reversed:
			return nil, nil
		}
		if err := domain.CheckText("/reason", c.Reason); err != nil {
			return nil, err
		}
		tally := env.tally(u.Meter)
		if tally.Period != u.Period || domain.PeriodNamed(u.Period).Name(env.Now) > u.Period {
			return nil, domain.At("/id", domain.ErrUsageOld)
		}
		return dcb.Emit(domain.UsageReversed{
			Usage: c.ID, Meter: u.Meter, License: u.License, App: u.App, Name: u.Name, Amount: u.Amount,
			Period: u.Period, Total: tally.Total - u.Amount, Reason: c.Reason,
		})
	})
}
