package commands

import (
	"errors"

	"chancery/domain"
	"chancery/internal/dcb"
)

// ApproveRequest gives what somebody else asked for. It is judged anew: what has become impossible since is refused, and whoever
// approves the giving of a role must hold what it gives now.
type ApproveRequest struct {
	ID     domain.ApprovalID `json:"id" required:"true" description:"the request; it has the id of the assignment or the delegation that it is about"`
	Reason string            `json:"reason,omitzero" description:"why, for the record"`
}

func (c ApproveRequest) Target() dcb.Tagger { return c.ID }

func (c ApproveRequest) Decide(env Env) dcb.Decision {
	asked, eyes := domain.ApprovalOf(c.ID), env.fourEyes()
	var due judged
	return dcb.From(asked).Then(func() []dcb.AnyFact {
		a := asked.Value
		if due != nil || a.Status != domain.ApprovalPending {
			return nil
		}
		due = env.judged(a.ApprovalRequested)
		return append(due.facts(), eyes.start(a.By, a.For, a.User)...)
	}).Then(eyes.next).Then(func() []dcb.AnyFact {
		if due == nil {
			return nil
		}
		return due.next()
	}).Decide(func() ([]dcb.Event, error) {
		a := asked.Value
		if err := domain.FirstError(domain.CheckText("/reason", c.Reason), answerable(env, a, domain.ApprovalIsGiven)); err != nil || a.Status != domain.ApprovalPending {
			return nil, err
		}
		if err := domain.FirstError(eyes.refusal(a.By, a.For, a.User), due.known(), due.refusal()); err != nil {
			return nil, moot(err)
		}
		given := domain.ApprovalGiven{Approval: c.ID, By: env.Rights.Actor(), Reason: c.Reason}
		return append([]dcb.Event{given}, due.events()...), nil
	})
}

// DenyRequest refuses what somebody asked for.
type DenyRequest struct {
	ID     domain.ApprovalID `json:"id" required:"true" description:"the request"`
	Reason string            `json:"reason,omitzero" description:"why, for the record"`
}

func (c DenyRequest) Target() dcb.Tagger { return c.ID }

func (c DenyRequest) Decide(env Env) dcb.Decision {
	asked := domain.ApprovalOf(c.ID)
	return dcb.From(asked).Decide(func() ([]dcb.Event, error) {
		a := asked.Value
		if err := domain.FirstError(domain.CheckText("/reason", c.Reason), answerable(env, a, domain.ApprovalIsDenied)); err != nil || a.Status != domain.ApprovalPending {
			return nil, err
		}
		if env.acting() {
			return nil, domain.ErrActing
		}
		return dcb.Emit(domain.ApprovalDenied{Approval: c.ID, By: env.Rights.Actor(), Reason: c.Reason})
	})
}

// CancelRequest withdraws a request: one's own, or somebody else's.
type CancelRequest struct {
	ID     domain.ApprovalID `json:"id" required:"true" description:"the request"`
	Reason string            `json:"reason,omitzero" description:"why, for the record"`
}

func (c CancelRequest) Target() dcb.Tagger { return c.ID }

func (c CancelRequest) Decide(env Env) dcb.Decision {
	asked := domain.ApprovalOf(c.ID)
	return dcb.From(asked).Decide(func() ([]dcb.Event, error) {
		a := asked.Value
		if !env.Privileged && !env.Mine(a.By) && !env.Mine(a.For) {
			return nil, domain.At("/id", domain.ErrApprovalUnknown)
		}
		if err := domain.FirstError(domain.CheckText("/reason", c.Reason), answerable(env, a, domain.ApprovalWithdrawn)); err != nil || a.Status != domain.ApprovalPending {
			return nil, err
		}
		return dcb.Emit(domain.ApprovalCancelled{Approval: c.ID, Reason: c.Reason})
	})
}

// answerable refuses an answer to a request that is not there, has had another one, or has waited for too long. The same answer
// again is none of these.
func answerable(env Env, a domain.Approval, answer domain.ApprovalStatus) error {
	switch {
	case a.Status == domain.ApprovalUnknown:
		return domain.At("/id", domain.ErrApprovalUnknown)
	case a.Over(env.Now):
		return domain.At("/id", domain.ErrApprovalExpired)
	case a.Status != domain.ApprovalPending && a.Status != answer:
		return domain.At("/id", domain.ErrApprovalOver)
	}
	return nil
}

// ExpireApproval says that nobody answered a request in time. It is no command of callers: Chancery gives it to itself when that is
// due. Saying it twice changes nothing.
type ExpireApproval struct{ ID domain.ApprovalID }

func (c ExpireApproval) Target() dcb.Tagger { return c.ID }

func (c ExpireApproval) Decide(env Env) dcb.Decision {
	asked := domain.ApprovalOf(c.ID)
	return dcb.From(asked).Decide(func() ([]dcb.Event, error) {
		if asked.Value.Status != domain.ApprovalPending || !asked.Value.Over(env.Now) {
			return nil, nil
		}
		return dcb.Emit(domain.ApprovalExpired{Approval: c.ID})
	})
}

// DropApproval withdraws a request that has lost its object. It is no command of callers: Chancery gives it to itself.
type DropApproval struct {
	ID     domain.ApprovalID
	Reason string
}

func (c DropApproval) Target() dcb.Tagger { return c.ID }

func (c DropApproval) Decide(env Env) dcb.Decision {
	asked := domain.ApprovalOf(c.ID)
	return dcb.From(asked).Decide(func() ([]dcb.Event, error) {
		if asked.Value.Status != domain.ApprovalPending || asked.Value.Over(env.Now) {
			return nil, nil
		}
		return dcb.Emit(domain.ApprovalCancelled{Approval: c.ID, Reason: c.Reason})
	})
}

// judged is something to be given: judged when it is asked for, and again when somebody approves it.
type judged interface {
	facts() []dcb.AnyFact
	next() []dcb.AnyFact
	known() error   // what it needs is there
	refusal() error // nothing forbids it
	events() []dcb.Event
}

// judged is what a request is about, to be judged anew.
func (env Env) judged(e domain.ApprovalRequested) judged {
	if !e.Delegation.Delegation.IsZero() {
		return offered{env.offer(e.Delegation)}
	}
	return env.assigning(e.Assignment)
}

// offered is a delegation that somebody else approves. It hands on what its grantor has and will have, so the approver needs none of it.
type offered struct{ *offer }

func (offered) known() error { return nil }

func (o offered) events() []dcb.Event { return copies(o.terms, o.terms) }

// moot says of the request what is said of a field in the command that made it.
func moot(err error) error {
	in, placed := errors.AsType[*domain.InputError](err)
	switch {
	case !placed:
		return err
	case in.Kind == domain.Missing:
		return &domain.InputError{Refusal: domain.ErrApprovalMoot, Pointer: "/id", Detail: in.Detail}
	}
	return &domain.InputError{Refusal: in.Refusal, Pointer: "/id", Detail: in.Detail}
}
