package domain

import (
	"fmt"
	"log/slog"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"chancery/internal/dcb"
)

// LicenseActivated binds a licence to a machine. Of what the machine says of itself only a keyed hash is kept.
type LicenseActivated struct {
	Activation  ActivationID `json:"activation"`
	Pool        Key          `json:"pool"`
	License     OfLicense    `json:"license"`
	App         App          `json:"app"`
	Fingerprint dcb.Claim    `json:"fingerprint"`
	Label       string       `json:"label,omitzero"` // as its users know the machine; no personal data
}

// ActivationCheckedOut hands a machine a file by which it may go on without us until its end. Until then the activation counts, also
// if it is ended. Of several files, none checked in, the last one ends last.
type ActivationCheckedOut struct {
	Activation ActivationID `json:"activation"`
	Pool       Key          `json:"pool"`
	License    OfLicense    `json:"license"`
	Revision   int          `json:"revision"` // of the licence, whose terms the file states
	Kid        string       `json:"kid"`      // of the key that signs it
	IssuedAt   time.Time    `json:"issued_at"`
	Until      time.Time    `json:"until"`
}

// ActivationCheckedIn says that the machine has given the file up.
type ActivationCheckedIn struct {
	Activation ActivationID `json:"activation"`
	Pool       Key          `json:"pool"`
	License    OfLicense    `json:"license"`
}

// LicenseDeactivated ends an activation.
type LicenseDeactivated struct {
	Activation ActivationID `json:"activation"`
	Pool       Key          `json:"pool"`
	License    OfLicense    `json:"license"`
	Released   dcb.Claim    `json:"released"` // the fingerprint
	Reason     string       `json:"reason,omitzero"`
}

func (LicenseActivated) EventType() string     { return "activation.created" }
func (ActivationCheckedOut) EventType() string { return "activation.checked-out" }
func (ActivationCheckedIn) EventType() string  { return "activation.checked-in" }
func (LicenseDeactivated) EventType() string   { return "activation.ended" }

var activationEvents = dcb.Kind("activation",
	dcb.Of[LicenseActivated](), dcb.Of[ActivationCheckedOut](), dcb.Of[ActivationCheckedIn](), dcb.Of[LicenseDeactivated]())

var (
	ErrActivationUnknown = &Refusal{Missing, "not-found", "there is no such activation here"}
	ErrNoActivation      = refuse("no-activation-left", "the licence is active on as many machines as it allows")
	ErrNotActivated      = refuse("not-checked-out", "the activation is not checked out")
	ErrFingerprint       = refuse("fingerprint-mismatch", "the activation is of another machine")
	ErrActivationEnded   = refuse("activation-ended", "the activation has ended; activate the licence anew")
)

// Fingerprint is what a machine says of itself, on its way in. However it is printed, it prints as [fingerprint].
type Fingerprint string

// MaxFingerprint is the length of the longest, in bytes.
const MaxFingerprint = 500

// Check refuses what is no fingerprint. It never says what was sent. White space around it is a mistake, such as the line break at
// the end of a file, by which one machine would be two.
func (f Fingerprint) Check(pointer string) error {
	switch {
	case len(f) > MaxFingerprint:
		return Invalid(pointer, "is longer than %d bytes", MaxFingerprint)
	case !utf8.ValidString(string(f)):
		return Invalid(pointer, "must be text in UTF-8; encode anything else, as in base64")
	}
	return checkText(pointer, string(f), 1, MaxFingerprint, false)
}

func (Fingerprint) Format(f fmt.State, _ rune)   { _, _ = f.Write([]byte(fingerprintText)) }
func (Fingerprint) String() string               { return fingerprintText }
func (Fingerprint) LogValue() slog.Value         { return slog.StringValue(fingerprintText) }
func (Fingerprint) MarshalText() ([]byte, error) { return []byte(fingerprintText), nil }

const fingerprintText = "[fingerprint]"

// Privileges that decisions ask for themselves, on an app.
const (
	ActivationsRead Privilege = "core.activations.read"
	LicensesRead    Privilege = "core.licenses.read"
)

// ActivationPool is all activations of a licence.
func ActivationPool(l LicenseID) Key { return Key("activations:" + l.String()) }

// FingerprintClaim is what a machine says of itself, bound to the licence: the same machine under two licences is not seen to be one.
func FingerprintClaim(l LicenseID, f Fingerprint) dcb.Claim {
	return dcb.Claimed("fingerprint", l.String()+"/"+string(f))
}

// Activation is one of a licence.
type Activation struct {
	ID          ActivationID
	License     OfLicense
	App         App
	Fingerprint dcb.Claim
	Out         time.Time // until when it is checked out; zero: it is not
	Ended       bool
}

// Pool is all activations of its licence.
func (a Activation) Pool() Key { return ActivationPool(LicenseID(a.License)) }

// Counts reports whether it takes one of those that the licence allows.
func (a Activation) Counts(at time.Time) bool { return !a.Ended || at.Before(a.Out) }

// Activations are some of a licence, the first first.
type Activations []Activation

// Counting is how many count at an instant.
func (as Activations) Counting(at time.Time) (n int) {
	for _, a := range as {
		if a.Counts(at) {
			n++
		}
	}
	return n
}

func (as Activations) change(id ActivationID, change func(*Activation)) {
	if i := slices.IndexFunc(as, func(a Activation) bool { return a.ID == id }); i >= 0 {
		change(&as[i])
	}
}

// counted are those of a licence that may count at some instant to come: few, also where many have come and gone.
func (as Activations) counted() Activations {
	return slices.DeleteFunc(as, func(a Activation) bool { return a.Ended && a.Out.IsZero() })
}

// ActivationsOf are those of a licence that have not ended, or whose file is still out.
func ActivationsOf(l LicenseID) *dcb.Fact[Activations] {
	return activations(ActivationPool(l), Activations.counted)
}

// ActivationOf is one activation, ended or not; none if there never was one.
func ActivationOf(id ActivationID) *dcb.Fact[Activations] {
	return activations(id, func(as Activations) Activations { return as })
}

func activations(of dcb.Tagger, kept func(Activations) Activations) *dcb.Fact[Activations] {
	return dcb.Ask(Activations(nil), tags(of),
		dcb.On(func(as *Activations, e LicenseActivated) {
			*as = append(*as, Activation{ID: e.Activation, License: e.License, App: e.App, Fingerprint: e.Fingerprint})
		}),
		dcb.On(func(as *Activations, e ActivationCheckedOut) {
			as.change(e.Activation, func(a *Activation) { a.Out = e.Until })
		}),
		dcb.On(func(as *Activations, e ActivationCheckedIn) {
			as.change(e.Activation, func(a *Activation) { a.Out = time.Time{} })
			*as = kept(*as)
		}),
		dcb.On(func(as *Activations, e LicenseDeactivated) {
			as.change(e.Activation, func(a *Activation) { a.Ended = true })
			*as = kept(*as)
		}),
	)
}

// FingerprintHolder is the activation of a licence that a machine has, nil if it has none.
func FingerprintHolder(claim dcb.Claim) *dcb.Fact[uuid.UUID] {
	return holderOf(claim.Tag(),
		dcb.On(func(h *uuid.UUID, e LicenseActivated) { *h = e.Activation.UUID }),
		dcb.On(func(h *uuid.UUID, _ LicenseDeactivated) { *h = uuid.Nil }),
	)
}

// TermsOf are a licence at one of its revisions, as a tenant has it.
func TermsOf(t TenantID, l LicenseID, revision int) *dcb.Fact[LicenseIssued] {
	take := func(terms *LicenseIssued, e LicenseIssued) {
		if e.Revision == revision {
			*terms = e
		}
	}
	return dcb.Ask(LicenseIssued{}, tags(l),
		dcb.On(take),
		dcb.On(func(terms *LicenseIssued, e LicenseRenewed) { take(terms, LicenseIssued(e)) }),
		dcb.On(func(terms *LicenseIssued, e LicenseChanged) { take(terms, LicenseIssued(e)) }),
	).Only(t.UUID)
}
