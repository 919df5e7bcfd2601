package transport

import (
	"context"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"

	"chancery/commands"
	"chancery/domain"
	"chancery/internal/access"
	"chancery/readmodels"
)

// Foreseen is what a command would come to.
type Foreseen struct {
	Position int64 // that the decision saw
	Events   []string
	Changes  []access.Change
	Total    int // of changes; there may be more than are told
}

// Foresee decides a command without recording it, and tells whose rights in its tenant would differ at an instant, at most so many.
// Errors: those of the command; ErrBusy.
type Foresee func(ctx context.Context, o commands.Order, at time.Time, most int) (Foreseen, error)

type (
	previewRequest struct {
		Command string         `json:"command" required:"true" description:"the name of a command"`
		Body    jsontext.Value `json:"body" required:"true" description:"its body"`
		At      time.Time      `json:"at,omitzero" description:"the instant at which windows are judged; now if absent"`
	}
	previewAnswer struct {
		Position  readmodels.Position `json:"position" required:"true" description:"what the answer has seen"`
		Events    []string            `json:"events" required:"true" nullable:"false" description:"the types of the events that the command would record"`
		Changes   []accessChange      `json:"changes" required:"true" nullable:"false" description:"who would gain and who would lose what; the first thousand"`
		Total     int                 `json:"total" required:"true" description:"how many there are"`
		Truncated bool                `json:"truncated,omitzero" description:"not all are told"`
	}
	accessChange struct {
		UserID       uuid.UUID  `json:"user_id" required:"true"`
		DelegationID *uuid.UUID `json:"delegation_id,omitzero" description:"of one who acts under it: what changes for them there"`
		Gained       []held     `json:"gained" required:"true" nullable:"false"`
		Lost         []held     `json:"lost" required:"true" nullable:"false"`
	}
	held struct {
		Privilege domain.Privilege `json:"privilege" required:"true"`
		Scope     domain.Scope     `json:"scope,omitzero" description:"type:id of a resource; absent: the whole tenant"`
	}
)

const mostChanges = 1000

// preview tells who would gain and who would lose what by a command, and changes nothing. It needs what the command needs, and leave to
// ask about others.
func (s *Server) preview(c *call) error {
	var r previewRequest
	if err := c.body(&r); err != nil {
		return err
	}
	if err := s.may(c, "core.access.evaluate"); err != nil {
		return err
	}
	spec, ok := commands.Named(r.Command)
	if !ok {
		return badBody(inputError{Pointer: "/command", Detail: "there is no such command"})
	}
	o, err := s.order(c, spec, r.Body)
	if err != nil {
		return err
	}
	if o.Tenant != c.tenant {
		return badBody(inputError{Pointer: "/body/id", Detail: "must be of the tenant that is asked"})
	}
	o = s.keyed(c, o, "", spec.Name)
	if r.At.IsZero() {
		r.At = c.now
	}
	would, err := s.config.Foresee(c.ctx(), o, r.At, mostChanges)
	if err != nil {
		return err
	}
	c.position(would.Position)
	return c.answer(would.answer())
}

func (f Foreseen) answer() previewAnswer {
	a := previewAnswer{
		Position: readmodels.Position(f.Position), Events: f.Events, Changes: make([]accessChange, len(f.Changes)),
		Total: f.Total, Truncated: f.Total > len(f.Changes),
	}
	if a.Events == nil {
		a.Events = []string{}
	}
	for i, ch := range f.Changes {
		a.Changes[i] = accessChange{ch.User.UUID, present(ch.Delegation.UUID), listed(ch.Gained), listed(ch.Lost)}
	}
	return a
}

func listed(rights []domain.Right) []held {
	out := make([]held, len(rights))
	for i, r := range rights {
		out[i] = held(r)
	}
	return out
}
