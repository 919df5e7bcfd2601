package transport

import (
	"strconv"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"

	"chancery/domain"
	"chancery/internal/access"
	"chancery/readmodels"
)

type (
	entitlementRequest struct {
		App         domain.App          `json:"app,omitzero" description:"the app, by its name"`
		Entitlement string              `json:"entitlement,omitzero" description:"what of it, as its licences call it"`
		Checks      []entitlementCheck  `json:"checks,omitzero" description:"several questions at once, in place of one; at most 100"`
		Context     *entitlementContext `json:"context,omitzero"`
	}
	entitlementCheck struct {
		App         domain.App `json:"app" required:"true" description:"the app, by its name"`
		Entitlement string     `json:"entitlement" required:"true" description:"what of it, as its licences call it"`
	}
	entitlementContext struct {
		AsOf        jsontext.Value `json:"as_of,omitzero" description:"a position or a time: answer as of then"`
		MinPosition jsontext.Value `json:"min_position,omitzero" description:"the answer must have seen this position"`
		Explain     bool           `json:"explain,omitzero" description:"name the licences that were looked at, and the events by which they stand so"`
	}

	entitlementAnswer struct {
		entitled
		Checks   []entitled          `json:"checks,omitzero" description:"the answers in the order of the questions, where several were asked"`
		Position readmodels.Position `json:"position" required:"true" description:"what the answer has seen"`
	}
	entitled struct {
		Allowed  *bool                  `json:"allowed,omitzero" description:"whether it may be used: a feature is there, a limit is more than none, of a meter something is left or may be owed"`
		Kind     domain.EntitlementKind `json:"kind,omitzero" enum:"feature,limit,meter" description:"absent: no licence in force has it"`
		Limit    *int64                 `json:"limit,omitzero" description:"of a limit, or of a meter in its period; over all licences in force"`
		Used     *int64                 `json:"used,omitzero" description:"of a meter, in its period"`
		Left     *int64                 `json:"left,omitzero" description:"of a meter, in its period"`
		ResetsAt *time.Time             `json:"resets_at,omitzero" description:"when a meter begins anew; absent: never"`
		State    domain.LicenseState    `json:"license_state,omitzero" enum:"active,grace,not-begun,ended,suspended,revoked" description:"of the best licence for the app; absent: the tenant has none"`
		EndsAt   *time.Time             `json:"ends_at,omitzero" description:"when the last licence that gives it ends, with its time of grace; absent: never, or none gives it"`
		Grounds  []ground               `json:"grounds,omitzero" description:"every licence of the tenant for the app, where an explanation was asked for"`
	}
	ground struct {
		LicenseID   uuid.UUID           `json:"license_id" required:"true"`
		State       domain.LicenseState `json:"license_state" required:"true"`
		Counts      bool                `json:"counts" required:"true" description:"it is part of the answer"`
		Entitlement *domain.Entitlement `json:"entitlement,omitzero" description:"what it gives of this; absent: nothing"`
		Used        int64               `json:"used,omitzero" description:"of its meter, in the period"`
		Events      []groundEvent       `json:"events" required:"true" nullable:"false" description:"the newest that say how it stands, and what was used of it"`
	}
	groundEvent struct {
		Position readmodels.Position `json:"position" required:"true"`
		Event    *eventName          `json:"event,omitzero"`
	}
)

const mostChecks = 100

// entitled answers what the tenant may use of its apps, from memory.
func (s *Server) entitled(c *call) error {
	var r entitlementRequest
	for name := range c.QueryParams() { // such as as_of: whoever asks of the past must not be told of today
		return badParameter(name, errParameter.Error())
	}
	if err := c.body(&r); err != nil {
		return err
	}
	if err := r.check(); err != nil {
		return err
	}
	for _, q := range r.questions() {
		if err := s.allowApp(c, "core.entitlements.read", q.App); err != nil {
			return err
		}
	}
	var rc *requestContext
	if r.Context != nil {
		rc = &requestContext{AsOf: r.Context.AsOf, MinPosition: r.Context.MinPosition, Explain: r.Context.Explain}
	}
	judge, when, err := s.judge(c, rc)
	if err != nil {
		return err
	}
	var out entitlementAnswer
	for _, q := range r.questions() {
		e, at, err := s.entitlement(c, judge, q, when, rc.explains())
		if err != nil {
			return err
		}
		if out.Position = readmodels.Position(at); r.Checks == nil {
			out.entitled = e
		} else {
			out.Checks = append(out.Checks, e)
		}
	}
	c.position(int64(out.Position))
	return c.answer(out)
}

// check refuses what is no question, and what is one and several.
func (r entitlementRequest) check() error {
	single := r.App != "" || r.Entitlement != ""
	switch {
	case single && r.Checks != nil:
		return badBody(inputError{Pointer: "/checks", Detail: "stands in place of app and entitlement"})
	case r.Checks == nil && r.App == "":
		return badBody(inputError{Pointer: "/app", Detail: "is required"})
	case r.Checks == nil && r.Entitlement == "":
		return badBody(inputError{Pointer: "/entitlement", Detail: "is required"})
	case r.Checks == nil:
		return r.App.Check("/app")
	case len(r.Checks) == 0 || len(r.Checks) > mostChecks:
		return badBody(inputError{Pointer: "/checks", Detail: "must hold 1 to " + strconv.Itoa(mostChecks) + " questions"})
	}
	for i, q := range r.Checks {
		at := "/checks/" + strconv.Itoa(i)
		switch {
		case q.App == "":
			return badBody(inputError{Pointer: at + "/app", Detail: "is required"})
		case q.Entitlement == "":
			return badBody(inputError{Pointer: at + "/entitlement", Detail: "is required"})
		}
		if err := q.App.Check(at + "/app"); err != nil {
			return err
		}
	}
	return nil
}

func (r entitlementRequest) questions() []entitlementCheck {
	if r.Checks != nil {
		return r.Checks
	}
	return []entitlementCheck{{r.App, r.Entitlement}}
}

func (s *Server) entitlement(c *call, judge Judge, q entitlementCheck, at time.Time, explain bool) (entitled, int64, error) {
	if !explain {
		e := judge.Entitlement(c.tenant, q.App, q.Entitlement, at)
		return entitledAs(e), e.Position, nil
	}
	e, grounds := judge.ExplainEntitlement(c.tenant, q.App, q.Entitlement, at)
	out := entitledAs(e)
	var positions []int64
	for _, g := range grounds {
		positions = append(positions, g.Events...)
	}
	names, err := s.eventNames(c, positions)
	if err != nil {
		return out, 0, err
	}
	out.Grounds = make([]ground, len(grounds))
	for i, g := range grounds {
		told := ground{LicenseID: g.License.UUID, State: g.State, Counts: g.Counts, Entitlement: g.Gives, Used: g.Used}
		for _, p := range g.Events {
			told.Events = append(told.Events, groundEvent{readmodels.Position(p), names[p]})
		}
		out.Grounds[i] = told
	}
	return out, e.Position, nil
}

func entitledAs(e access.Entitled) entitled {
	out := entitled{Allowed: &e.Allowed, Kind: e.Kind, ResetsAt: instantOf(e.Resets), EndsAt: instantOf(e.Ends)}
	if e.Held > 0 {
		out.State = e.State
	}
	if e.Kind == domain.Limit || e.Kind == domain.Meter {
		out.Limit = &e.Limit
	}
	if e.Kind == domain.Meter {
		out.Used, out.Left = &e.Used, &e.Left
	}
	return out
}

func instantOf(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}
