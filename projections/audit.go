package projections

import (
	"context"
	"fmt"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/google/uuid"

	"chancery/domain"
	"chancery/internal/dcb"
	"chancery/projections/internal/rows"
)

// object says what a type of event is about.
type object struct {
	event string
	ref   func(dcb.Event) string // kind:id
}

// about names the thing that a type of event is about.
func about[E dcb.Event](thing func(E) dcb.Tagger) object {
	var zero E
	return object{zero.EventType(), func(e dcb.Event) string {
		return string(thing(e.(E)).Tag()) // the type's name led here
	}}
}

// unseen are the events that change no core table and are only audited.
var unseen = feature{
	writes: []handler{
		ignoring[domain.InstallationBootstrapped](),
		ignoring[domain.CommandRefused](),
	},
	objects: []object{
		about(func(e domain.InstallationBootstrapped) dcb.Tagger { return e.Installation }),
		about(func(e domain.CommandRefused) dcb.Tagger { return domain.Key(e.Object) }),
	},
}

// audit panics on a type described twice: that is a mistake in the program.
func audit(features ...feature) *Projector {
	p := &Projector{name: "audit", tables: []string{"audit_log"}, writes: map[string]write{}}
	for _, f := range features {
		for _, o := range f.objects {
			if _, twice := p.writes[o.event]; twice {
				panic("projections: two objects of " + o.event)
			}
			p.writes[o.event] = func(ctx context.Context, q *rows.Queries, r dcb.Recorded) error {
				return writeAudit(ctx, q, r, o.ref(r.Event))
			}
		}
	}
	return p
}

// particulars is the metadata of an audit row: how it came about. It MUST NOT hold personal data, so nothing
// of an event's payload is in it but what is listed here.
type particulars struct {
	Command     string    `json:"command,omitzero"`
	Target      uuid.UUID `json:"target,omitzero"`
	Correlation string    `json:"correlation,omitzero"`
	Request     uuid.UUID `json:"request,omitzero"`
	Token       uuid.UUID `json:"token,omitzero"`
	Session     uuid.UUID `json:"session,omitzero"`
	App         string    `json:"app,omitzero"`
	ActorTenant uuid.UUID `json:"actor_tenant,omitzero"`
	Causation   uuid.UUID `json:"causation,omitzero"`
	SourceApp   string    `json:"source_app,omitzero"`

	Chain []uuid.UUID `json:"delegation_chain,omitzero"` // the delegations that it rests on, the first one first

	// Of command.refused.
	Code  string    `json:"code,omitzero"`
	Count int       `json:"count,omitzero"`
	First time.Time `json:"first,omitzero"`
	Last  time.Time `json:"last,omitzero"`
}

func writeAudit(ctx context.Context, q *rows.Queries, r dcb.Recorded, object string) error {
	metadata, err := json.Marshal(particularsOf(r))
	if err != nil {
		return fmt.Errorf("encode the metadata: %w", err)
	}
	effective := r.Effective
	if effective == uuid.Nil {
		effective = r.Actor
	}
	return q.WriteAudit(ctx, rows.WriteAuditParams{
		TenantID: r.Tenant, Position: r.Position, ID: r.ID,
		ActorUserID: orNull(r.Actor), EffectiveUserID: orNull(effective),
		Action: r.Event.EventType(), ObjectRef: object, Metadata: metadata,
		IsDelegated: r.Delegation != uuid.Nil, IsImpersonated: r.Impersonation != uuid.Nil,
		DelegationID: orNull(r.Delegation), ImpersonationID: orNull(r.Impersonation),
		OccurredAt: r.At, CreatedAt: r.RecordedAt, Ip: orNull(r.IP.Ciphertext()), UserAgent: orNull(r.Agent.Ciphertext()),
	})
}

func particularsOf(r dcb.Recorded) particulars {
	p := particulars{
		Command: r.Command, Target: r.Target, Correlation: r.Correlation, Request: r.Request, Token: r.Token,
		Session: r.Session, App: r.App, ActorTenant: r.ActorTenant, Causation: r.Causation, SourceApp: r.SourceApp, Chain: r.Chain,
	}
	if e, ok := r.Event.(domain.CommandRefused); ok {
		p.Command, p.Code, p.Count, p.First, p.Last = e.Command, e.Code, e.Count, e.First, e.Last
	}
	return p
}
