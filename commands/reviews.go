package commands

import (
	"time"

	"github.com/google/uuid"

	"chancery/domain"
	"chancery/internal/dcb"
)

// StartReview begins a review of who has access: of those to whom a role is assigned, of the members of a group, or of all
// assignments in the tenant.
type StartReview struct {
	ID      domain.ReviewID `json:"id,omitzero" description:"id of the new review; made if absent"`
	Name    string          `json:"name" required:"true" description:"what it is called"`
	Role    domain.RoleID   `json:"role_id,omitzero" description:"review the assignments of this role; at most one of role_id and group_id, none for all assignments in the tenant"`
	Group   domain.GroupID  `json:"group_id,omitzero" description:"review the members of this group"`
	DueAt   time.Time       `json:"due_at" required:"true" description:"when silence decides; from an hour to a year ahead"`
	Silence domain.Silence  `json:"on_silence" required:"true" enum:"keep,revoke" description:"what becomes of items on which nobody decides"`
	Confirm string          `json:"confirm,omitzero" description:"where on_silence is revoke: the words revoke everybody on silence"`
}

func (c *StartReview) NewID() *uuid.UUID { return &c.ID.UUID }
func (c StartReview) Target() dcb.Tagger { return c.ID }

func (c StartReview) Decide(env Env) dcb.Decision {
	used, all := domain.Used[domain.ReviewStarted](c.ID), env.census(c.Role, c.Group)
	return dcb.From(append(all.facts(), used)...).Then(all.next).Decide(func() ([]dcb.Event, error) {
		if err := domain.FirstError(domain.CheckName("/name", c.Name), c.checkDue(env.Now), c.checkSilence(), all.refusal()); err != nil {
			return nil, err
		}
		items := all.items()
		switch {
		case used.Value:
			return nil, domain.At("/id", domain.ErrIDTaken)
		case len(items) == 0:
			return nil, domain.ErrReviewEmpty
		case len(items) > domain.MostReviewed:
			return nil, domain.ErrReviewLarge
		}
		return dcb.Emit(domain.ReviewStarted{
			Review: c.ID, Name: c.Name, Role: c.Role, Group: c.Group, Items: items, DueAt: c.DueAt, Silence: c.Silence,
		})
	})
}

func (c StartReview) checkDue(now time.Time) error {
	if c.DueAt.Before(now.Add(time.Hour)) || c.DueAt.After(now.AddDate(1, 0, 0)) {
		return domain.Invalid("/due_at", "must be from an hour to a year ahead")
	}
	return nil
}

func (c StartReview) checkSilence() error {
	switch {
	case c.Silence != domain.KeepOnSilence && c.Silence != domain.RevokeOnSilence:
		return domain.Invalid("/on_silence", "must be keep or revoke")
	case c.Silence == domain.RevokeOnSilence && c.Confirm != domain.RevokeEverybody:
		return domain.At("/confirm", domain.ErrReviewSilence)
	}
	return nil
}

// DecideReviewItem keeps an item under review, or takes it back at once.
type DecideReviewItem struct {
	Review   domain.ReviewID `json:"review_id" required:"true" description:"the review"`
	Item     uuid.UUID       `json:"item_id" required:"true" description:"the assignment, or the membership"`
	Decision domain.Silence  `json:"decision" required:"true" enum:"keep,revoke" description:"what becomes of it; there is one decision"`
	Reason   string          `json:"reason,omitzero" description:"why, for the record; revoke needs one"`
}

func (c DecideReviewItem) Target() dcb.Tagger { return c.Review }

func (c DecideReviewItem) Decide(env Env) dcb.Decision {
	review, mine := domain.ReviewOf(c.Review), env.belonging()
	var back *takingBack
	return dcb.From(append(mine.facts(), review)...).Then(mine.next).Then(func() []dcb.AnyFact {
		item, known := review.Value.Item(c.Item)
		switch {
		case !known:
			return nil
		case back == nil:
			back = env.takingBack(item)
			return back.facts()
		}
		return back.next()
	}).Decide(func() ([]dcb.Event, error) {
		r, keep := review.Value, c.Decision == domain.KeepOnSilence
		item, known := r.Item(c.Item)
		before, decided := r.Decisions[c.Item]
		if err := c.check(); err != nil {
			return nil, err
		}
		switch {
		case !r.Known():
			return nil, domain.At("/review_id", domain.ErrReviewUnknown)
		case !known:
			return nil, domain.At("/item_id", domain.ErrReviewItem)
		case decided && before.Keep == keep:
			return nil, nil
		case decided:
			return nil, domain.At("/item_id", domain.ErrReviewDecided)
		}
		if err := c.may(r, item, mine); err != nil {
			return nil, err
		}
		e := domain.ReviewDecided{
			Review: c.Review, Item: c.Item, Keep: keep, By: env.Rights.Actor(), Reason: c.Reason, Already: back.ended(item), Decided: len(r.Decisions) + 1,
		}
		events := []dcb.Event{e}
		if !keep && !e.Already {
			if err := back.refusal(item); err != nil {
				return nil, err
			}
			events = append(events, back.events(item, c.Reason)...)
		}
		if e.Decided == len(r.Items) {
			events = append(events, domain.ReviewClosed{Review: c.Review, Reason: domain.ReviewDone})
		}
		return events, nil
	})
}

// may refuses a decision that comes too late, or is not the caller's to make.
func (c DecideReviewItem) may(r domain.Review, item domain.ReviewItem, mine *belonging) error {
	switch {
	case r.Over(mine.env.Now):
		return domain.At("/review_id", domain.ErrReviewOver)
	case mine.env.acting():
		return domain.ErrActing
	case mine.has(item):
		return domain.ErrReviewOwn
	}
	return nil
}

func (c DecideReviewItem) check() error {
	switch {
	case c.Decision != domain.KeepOnSilence && c.Decision != domain.RevokeOnSilence:
		return domain.Invalid("/decision", "must be keep or revoke")
	case c.Decision == domain.RevokeOnSilence && c.Reason == "":
		return domain.Invalid("/reason", "must say why it is revoked")
	}
	return domain.CheckText("/reason", c.Reason)
}

// CloseReview ends a review before it is due. Items on which nobody has decided stay as they are.
type CloseReview struct {
	ID     domain.ReviewID `json:"id" required:"true" description:"the review"`
	Reason string          `json:"reason,omitzero" description:"why, for the record"`
}

func (c CloseReview) Target() dcb.Tagger { return c.ID }

func (c CloseReview) Decide(env Env) dcb.Decision {
	review := domain.ReviewOf(c.ID)
	return dcb.From(review).Decide(func() ([]dcb.Event, error) {
		if err := domain.CheckText("/reason", c.Reason); err != nil {
			return nil, err
		}
		switch r := review.Value; {
		case !r.Known():
			return nil, domain.At("/id", domain.ErrReviewUnknown)
		case r.Closed:
			return nil, nil
		case r.Over(env.Now): // what silence means is not evaded so
			return nil, domain.At("/id", domain.ErrReviewOver)
		}
		return dcb.Emit(domain.ReviewClosed{Review: c.ID, Reason: c.Reason})
	})
}

// FinishReview decides on items on which nobody did before the review was due, as its start says, and closes it when none is left. It
// decides on so many at a time; whoever gives the order repeats it until it changes nothing. It is no command of callers.
type FinishReview struct{ ID domain.ReviewID }

// portion is how many items one order decides on.
const portion = 500

func (c FinishReview) Target() dcb.Tagger { return c.ID }

func (c FinishReview) Decide(env Env) dcb.Decision {
	review := domain.ReviewOf(c.ID)
	var back *takingBack
	due := func() bool { return review.Value.Known() && !review.Value.Closed && review.Value.Over(env.Now) }
	return dcb.From(review).Then(func() []dcb.AnyFact {
		switch {
		case !due():
			return nil
		case back == nil:
			back = env.takingBack(review.Value.Undecided(portion)...).liftingNothing()
			return back.facts()
		}
		return back.next()
	}).Decide(func() (events []dcb.Event, _ error) {
		if !due() {
			return nil, nil
		}
		r := review.Value
		decided := len(r.Decisions)
		for _, item := range r.Undecided(portion) {
			decided++
			e := domain.ReviewDecided{
				Review: c.ID, Item: item.Item, Keep: r.Silence == domain.KeepOnSilence, Reason: domain.ReviewSilent, Already: back.ended(item), Decided: decided,
			}
			var ends []dcb.Event
			if !e.Keep && !e.Already {
				err := back.refusal(item)
				refusal, no := domain.IsRefusal(err)
				switch {
				case no:
					e.Keep, e.Reason = true, domain.ReviewSilent+"; it is kept: "+refusal.Text
				case err != nil:
					return nil, err
				default:
					ends = back.events(item, e.Reason)
				}
			}
			events = append(append(events, e), ends...)
		}
		if decided == len(r.Items) {
			events = append(events, domain.ReviewClosed{Review: c.ID, Reason: domain.ReviewDue})
		}
		return events, nil
	})
}
