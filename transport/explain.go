package transport

import (
	"chancery/domain"
	"chancery/internal/access"
	"chancery/readmodels"
)

// explain decides and tells why. What a user of the platform holds there is not shown to tenants, nor to one tenant what another denies.
func (s *Server) explain(c *call, judge Judge, q access.Question, known bool) (decision, int64, error) {
	e := judge.Explain(q)
	d := decision{Decision: e.Allowed && known, Context: &decisionContext{Position: new(readmodels.Position(e.Position)), Reason: e.Why}}
	if !known {
		d.Context.Reason = "resource-unknown"
		return d, e.Position, nil
	}
	if e.Staff && c.caller.Stands() != domain.Root {
		return d, e.Position, nil
	}
	names, err := s.eventNames(c, e.Positions())
	if err != nil {
		return d, 0, err
	}
	for _, weighed := range e.Steps {
		r := reason{Rule: weighed.Rule, Counts: weighed.Counts, Note: weighed.Note}
		if t := weighed.From; !t.IsZero() && t != c.caller.Tenant && c.caller.Stands() != t && c.caller.Stands() != domain.Root {
			d.Context.Reasons = append(d.Context.Reasons, reason{Rule: weighed.Rule, Counts: weighed.Counts, Note: "by another tenant"})
			continue
		}
		for _, l := range weighed.Links {
			r.Path = append(r.Path, step{l.Kind, l.ID, readmodels.Position(l.Position), names[l.Position]})
		}
		d.Context.Reasons = append(d.Context.Reasons, r)
	}
	return d, e.Position, nil
}

// eventNames are those of the tenant's events, and of the platform's for one of the platform.
func (s *Server) eventNames(c *call, positions []int64) (map[int64]*eventName, error) {
	names := map[int64]*eventName{}
	if len(positions) == 0 {
		return names, nil
	}
	visible := []domain.TenantID{c.tenant}
	if c.caller.Tenant != c.tenant {
		visible = append(visible, c.caller.Tenant)
	}
	for _, t := range visible {
		refs, err := s.config.Queries.EventsAt(c.ctx(), t, positions)
		if err != nil {
			return nil, err
		}
		for _, r := range refs {
			names[int64(r.Position)] = &eventName{r.ID, r.Type}
		}
	}
	return names, nil
}
