package commands

import (
	"fmt"
	"time"

	"chancery/domain"
	"chancery/internal/dcb"
)

// EndApp disables an app that needs a licence where none is in force any more, and with it the apps that need it: what is enabled can
// rely on what it needs. Chancery gives it to itself.
type EndApp struct {
	App domain.App
	At  time.Time // of the cause: a clock that is behind it is not believed
}

func (c EndApp) Decide(env Env) dcb.Decision {
	env = env.noEarlier(c.At)
	end, licenses := env.appEnding(c.App), domain.LicensesFor(env.Tenant, c.App)
	return dcb.From(append(end.facts(), licenses)...).Then(end.next).Decide(func() ([]dcb.Event, error) {
		here := end.top().here.Value
		if !here.Enabled || !here.LicenseRequired || licenses.Value.State(env.Now).InForce() {
			return nil, nil
		}
		var events []dcb.Event
		for _, name := range end.inOrder(c.App, map[domain.App]bool{}) {
			reason := domain.AppNeedDisabled
			if name == c.App {
				reason = domain.AppLicenseEnded
			}
			events = append(events, end.disabled(name, reason))
		}
		return events, nil
	})
}

// ResumeApp enables an app again, in the version that it had, that EndApp disabled and of which that was wished. Chancery gives it to
// itself when a licence is in force again. It is refused where something else is missing by now.
type ResumeApp struct {
	App domain.App
	At  time.Time // likewise
}

func (c ResumeApp) Decide(env Env) dcb.Decision {
	env = env.noEarlier(c.At)
	ch := env.appChange(c.App, nil, func(ch *appChange) (domain.Semver, error) {
		here := ch.here.Value
		licensed := !here.LicenseRequired || ch.licenses.Value.State(env.Now).InForce()
		if here.Enabled || !here.EndedByLicense || !here.Resumes || !licensed {
			return "", nil
		}
		return here.Number, nil
	})
	tenant := domain.TenantOf(env.Tenant)
	return ch.decide(func() ([]dcb.Event, error) {
		if ch.target.Number == "" || tenant.Value.Status == domain.TenantEnded {
			return nil, nil
		}
		if err := ch.refusal(); err != nil {
			return nil, err
		}
		return ch.events(domain.AppEnabled{
			TenantApp: c.App.In(env.Tenant), Name: c.App, Number: ch.target.Number, Previous: ch.previous(), Brings: ch.brings(),
			Needs: ch.needed(), LicenseRequired: ch.to.LicenseRequired, Resumes: true,
		}), nil
	}, tenant)
}

// noEarlier judges at the time of a cause, where the clock is behind it: another process may have recorded it.
func (env Env) noEarlier(at time.Time) Env {
	if at.After(env.Now) {
		env.Now = at
	}
	return env
}

// appEnding is the end of an app in a tenant: the app itself, and all that come to rest on it.
type appEnding struct {
	env   Env
	all   []*endingApp // the app itself first
	asked int          // how many of all were followed
}

type endingApp struct {
	name domain.App
	here *dcb.Fact[domain.TenantApp]
	ever *dcb.Fact[[]domain.App] // that needed it
}

func (env Env) appEnding(name domain.App) *appEnding {
	e := &appEnding{env: env}
	e.add(name)
	return e
}

func (e *appEnding) add(name domain.App) []dcb.AnyFact {
	a := &endingApp{name, domain.TenantAppOf(e.env.Tenant, name), domain.Dependants(e.env.Tenant, name)}
	e.all = append(e.all, a)
	return []dcb.AnyFact{a.here, a.ever}
}

func (e *appEnding) top() *endingApp { return e.all[0] }

func (e *appEnding) facts() []dcb.AnyFact { return []dcb.AnyFact{e.top().here, e.top().ever} }

// next asks about what needed the apps just learnt.
func (e *appEnding) next() (facts []dcb.AnyFact) {
	for fresh := e.all[e.asked:]; len(fresh) > 0; fresh = fresh[1:] {
		e.asked++
		for _, name := range fresh[0].ever.Value {
			if e.of(name) == nil {
				facts = append(facts, e.add(name)...)
			}
		}
	}
	return facts
}

func (e *appEnding) of(name domain.App) *endingApp {
	for _, a := range e.all {
		if a.name == name {
			return a
		}
	}
	return nil
}

// needed is the refusal that names what needs the app.
func (e *appEnding) needed() error {
	var places []domain.Place
	for _, name := range e.top().ever.Value {
		if n, needs := needOf(e.of(name).here.Value, e.top().name); needs {
			places = append(places, domain.Place{Pointer: "/app", Detail: fmt.Sprintf("the app %s needs %s %s", name, n.App, n.Range)})
		}
	}
	return domain.Refused(domain.ErrAppNeeded, places)
}

// inOrder is an app that is enabled and those that need it, each after all that need it.
func (e *appEnding) inOrder(name domain.App, seen map[domain.App]bool) (names []domain.App) {
	if seen[name] {
		return nil
	}
	seen[name] = true
	for _, other := range e.of(name).ever.Value {
		if _, needs := needOf(e.of(other).here.Value, name); needs {
			names = append(names, e.inOrder(other, seen)...)
		}
	}
	return append(names, name)
}

func (e *appEnding) disabled(name domain.App, reason string) domain.AppDisabled {
	ends := domain.AppDisabled{TenantApp: name.In(e.env.Tenant), Name: name, Reason: reason}
	for _, b := range e.of(name).here.Value.Brings {
		ends.Drops = append(ends.Drops, b.Privilege)
	}
	return ends
}
