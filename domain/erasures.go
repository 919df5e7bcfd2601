package domain

import (
	"github.com/google/uuid"

	"chancery/internal/dcb"
)

// ErasureRequested asks for a user to be erased. Somebody else must approve it.
type ErasureRequested struct {
	Erasure ErasureID `json:"erasure"`
	User    UserID    `json:"user"`
	By      UserID    `json:"by"`
	Reason  string    `json:"reason"`
	For     UserID    `json:"for,omitzero"` // on whose behalf By asked, where they acted for somebody
}

// ErasureCancelled withdraws the request; the user stays.
type ErasureCancelled struct {
	Erasure ErasureID `json:"erasure"`
	User    UserID    `json:"user"`
}

// UserErased destroys a user's data key with the event itself: all that was sealed under it, in whatever event, table or
// backup of the log, is gone for good. The id stays, and means nobody any more.
type UserErased struct {
	User       UserID       `json:"user"`
	Erases     uuid.UUID    `json:"erases"` // whose key: the user's
	Erasure    ErasureID    `json:"erasure"`
	Department DepartmentID `json:"department,omitzero"` // in which the user was
	Released   dcb.Claim    `json:"released,omitzero"`   // the address, unless it stays reserved
	Reason     string       `json:"reason,omitzero"`
}

func (ErasureRequested) EventType() string { return "erasure.requested" }
func (ErasureCancelled) EventType() string { return "erasure.cancelled" }
func (UserErased) EventType() string       { return "user.erased" }

// ErasesSubject names whose data key the database destroys with the event.
func (e UserErased) ErasesSubject() uuid.UUID { return e.Erases }

var erasureEvents = dcb.Kind("erasure", dcb.Of[ErasureRequested](), dcb.Of[ErasureCancelled]())

var (
	ErrErasureUnknown = &Refusal{Missing, "not-found", "there is no such erasure here"}
	ErrErasureOpen    = refuse("erasure-open", "the erasure of this user is asked for already; approve or cancel it")
	ErrErasureOver    = refuse("erasure-over", "the erasure is over: it was done or cancelled")
	ErrFourEyes       = &Refusal{Forbidden, "four-eyes", "somebody else must approve: neither who asked for it nor whom it is about"}
	ErrFourEyesTied   = &Refusal{Forbidden, "four-eyes-linked", "somebody else must approve: who does, and who is concerned, act for one another by a delegation"}
	ErrActing         = &Refusal{Forbidden, "acting-for-another", "this is done on one's own account, not while acting for somebody else"}
	ErrMayNotErase    = &Refusal{Forbidden, "may-not-erase", "nobody erases a user with rights that they lack"}
	// ErrUserErased refuses what would keep something about somebody who was erased.
	ErrUserErased = refuse("user-erased", "the user was erased, and nothing about them can be kept any more")
)

// SessionErased is why the sessions of an erased user end.
const SessionErased = "user-erased"

// Erasure is what decisions need to know of one.
type Erasure struct {
	ID   ErasureID
	User UserID
	By   UserID // who asked for it; nobody where it was done at once
	For  UserID // on whose behalf
	Open bool
	Done bool
}

// Known reports whether the erasure was ever asked for, or done.
func (e Erasure) Known() bool { return !e.User.IsZero() }

// ErasureOf is one erasure.
func ErasureOf(id ErasureID) *dcb.Fact[Erasure] {
	return erasures(id, func(Erasure) bool { return true })
}

// ErasureOfUser is the latest erasure of a user. Who asks for the erasure of others is tagged with it, too, and not heard.
func ErasureOfUser(u UserID) *dcb.Fact[Erasure] {
	return erasures(u, func(e Erasure) bool { return e.User == u })
}

func erasures(of dcb.Tagger, concerns func(Erasure) bool) *dcb.Fact[Erasure] {
	put := func(x *Erasure, e Erasure) {
		if concerns(e) {
			*x = e
		}
	}
	return dcb.Ask(Erasure{}, tags(of),
		dcb.On(func(x *Erasure, e ErasureRequested) {
			put(x, Erasure{ID: e.Erasure, User: e.User, By: e.By, For: e.For, Open: true})
		}),
		dcb.On(func(x *Erasure, e ErasureCancelled) {
			put(x, Erasure{ID: e.Erasure, User: e.User, By: x.By, For: x.For})
		}),
		dcb.On(func(x *Erasure, e UserErased) {
			put(x, Erasure{ID: e.Erasure, User: e.User, By: x.By, For: x.For, Done: true})
		}),
	)
}

// ErasureUsed reports whether the id was ever given to an erasure, in whichever tenant.
func ErasureUsed(id ErasureID) *dcb.Fact[bool] {
	return Used[ErasureRequested](id).Folding(dcb.On(func(used *bool, _ UserErased) { *used = true }))
}
