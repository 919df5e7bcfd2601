package domain

import (
	"time"

	"github.com/google/uuid"

	"chancery/internal/dcb"
)

// ReviewStarted begins a review of who has access: each item is kept or revoked by somebody before it is due.
type ReviewStarted struct {
	Review  ReviewID     `json:"review"`
	Name    string       `json:"name"`
	Role    RoleID       `json:"role,omitzero"`  // of the assignments of this role
	Group   GroupID      `json:"group,omitzero"` // of the members of this group; neither: of all assignments in the tenant
	Items   []ReviewItem `json:"items"`
	DueAt   time.Time    `json:"due_at"`
	Silence Silence      `json:"silence"`
}

// ReviewItem is an assignment or a membership under review.
type ReviewItem struct {
	Item       uuid.UUID    `json:"item"` // the id of the assignment or of the membership
	User       UserID       `json:"user,omitzero"`
	Department DepartmentID `json:"department,omitzero"`
	Group      GroupID      `json:"group,omitzero"`
	Role       RoleID       `json:"role,omitzero"` // of an assignment; none: it is a membership of Group
}

// Silence is what becomes of an item on which nobody decides.
type Silence string

const (
	KeepOnSilence   Silence = "keep"
	RevokeOnSilence Silence = "revoke"
)

// ReviewDecided says what somebody decided of an item, or, when it was due, what silence meant.
type ReviewDecided struct {
	Review  ReviewID  `json:"review"`
	Item    uuid.UUID `json:"item"`
	Keep    bool      `json:"keep"`
	By      UserID    `json:"by,omitzero"` // nobody: silence
	Reason  string    `json:"reason,omitzero"`
	Already bool      `json:"already,omitzero"` // it had ended before
	Decided int       `json:"decided"`          // how many of the review's items are decided with this one
}

// ReviewClosed ends a review: all is decided, it was due, or somebody ended it, and the rest stays as it is.
type ReviewClosed struct {
	Review ReviewID `json:"review"`
	Reason string   `json:"reason"`
}

func (ReviewStarted) EventType() string { return "review.started" }
func (ReviewDecided) EventType() string { return "review.decided" }
func (ReviewClosed) EventType() string  { return "review.closed" }

var reviewEvents = dcb.Kind("review", dcb.Of[ReviewStarted](), dcb.Of[ReviewDecided](), dcb.Of[ReviewClosed]())

var (
	ErrReviewUnknown = &Refusal{Missing, "not-found", "there is no such review here"}
	ErrReviewItem    = &Refusal{Missing, "not-found", "there is no such item in the review"}
	ErrReviewOne     = refuse("one-thing-to-review", "name role_id or group_id, or neither to review all assignments in the tenant")
	ErrReviewEmpty   = refuse("nothing-to-review", "there is nothing to review")
	ErrReviewLarge   = refuse("review-too-large", "there are more than 5,000 items; review a role or a group at a time")
	ErrReviewSilence = refuse("silence-unconfirmed", "what nobody decides on would be taken from everybody; to want that, send it word for word in confirm: revoke everybody on silence")
	ErrReviewOver    = refuse("review-over", "the review is over: it was closed, or it was due")
	ErrReviewDecided = refuse("review-item-decided", "the item has been decided otherwise already")
	ErrReviewOwn     = &Refusal{Forbidden, "own-access", "nobody reviews their own access"}
)

const (
	// MostReviewed is how many items a review has at most; ErrReviewLarge says so too.
	MostReviewed = 5000
	// RevokeEverybody is what must be said to have silence mean revocation.
	RevokeEverybody = "revoke everybody on silence"
)

// Why Chancery decides of items and closes reviews.
const (
	ReviewSilent = "nobody decided before it was due"
	ReviewDue    = "it was due"
	ReviewDone   = "all is decided"
)

// Review is what decisions need to know of one.
type Review struct {
	ReviewStarted
	Decisions map[uuid.UUID]ReviewDecided // by the item
	Closed    bool
}

// Known reports whether there is one.
func (r Review) Known() bool { return r.Review.UUID != uuid.Nil }

// Over reports whether nobody can decide of its items any more.
func (r Review) Over(now time.Time) bool { return r.Closed || !now.Before(r.DueAt) }

// Item is one of its items.
func (r Review) Item(id uuid.UUID) (ReviewItem, bool) {
	for _, i := range r.Items {
		if i.Item == id {
			return i, true
		}
	}
	return ReviewItem{}, false
}

// Undecided are at most so many of the items that nobody has decided on.
func (r Review) Undecided(most int) []ReviewItem {
	var left []ReviewItem
	for _, i := range r.Items {
		if _, decided := r.Decisions[i.Item]; !decided && len(left) < most {
			left = append(left, i)
		}
	}
	return left
}

// ReviewOf is one review.
func ReviewOf(id ReviewID) *dcb.Fact[Review] {
	return dcb.Ask(Review{Decisions: map[uuid.UUID]ReviewDecided{}}, tags(id),
		dcb.On(func(r *Review, e ReviewStarted) { r.ReviewStarted = e }),
		dcb.On(func(r *Review, e ReviewDecided) { r.Decisions[e.Item] = e }),
		dcb.On(func(r *Review, _ ReviewClosed) { r.Closed = true }),
	)
}
