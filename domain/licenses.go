package domain

import (
	"cmp"
	"iter"
	"slices"
	"time"

	"chancery/internal/dcb"
)

// LicenseIssued lets a tenant use an app, on terms. Like all events about licences it is recorded in the holder's tenant and, as a
// copy, in the vendor's. Only the holder's copy counts for what the holder may do.
type LicenseIssued struct {
	License  LicenseID `json:"license"`
	Holder   HomeID    `json:"holder"`
	Vendor   HomeID    `json:"vendor"`
	App      OfApp     `json:"app"`
	Held     Held      `json:"held"`
	Name     App       `json:"name"` // of the app
	Revision int       `json:"revision"`
	Terms    Terms     `json:"terms"`
	File     File      `json:"file"`
	Imported bool      `json:"imported,omitzero"` // it came as a blob that was signed elsewhere
}

// LicenseRenewed gives a licence a later end, and may give it other terms as well.
type LicenseRenewed struct {
	License  LicenseID `json:"license"`
	Holder   HomeID    `json:"holder"`
	Vendor   HomeID    `json:"vendor"`
	App      OfApp     `json:"app"`
	Held     Held      `json:"held"`
	Name     App       `json:"name"`
	Revision int       `json:"revision"`
	Terms    Terms     `json:"terms"`
	File     File      `json:"file"`
	Imported bool      `json:"imported,omitzero"`
}

// LicenseChanged gives a licence other terms.
type LicenseChanged struct {
	License  LicenseID `json:"license"`
	Holder   HomeID    `json:"holder"`
	Vendor   HomeID    `json:"vendor"`
	App      OfApp     `json:"app"`
	Held     Held      `json:"held"`
	Name     App       `json:"name"`
	Revision int       `json:"revision"`
	Terms    Terms     `json:"terms"`
	File     File      `json:"file"`
	Imported bool      `json:"imported,omitzero"`
}

// LicenseSigned gives a licence a file with a later end; the terms stay.
type LicenseSigned struct {
	License LicenseID `json:"license"`
	Holder  HomeID    `json:"holder"`
	Vendor  HomeID    `json:"vendor"`
	App     OfApp     `json:"app"`
	Held    Held      `json:"held"`
	File    File      `json:"file"`
}

// LicenseSuspended stops a licence for a while.
type LicenseSuspended struct {
	License LicenseID `json:"license"`
	Holder  HomeID    `json:"holder"`
	Vendor  HomeID    `json:"vendor"`
	App     OfApp     `json:"app"`
	Held    Held      `json:"held"`
	Reason  string    `json:"reason,omitzero"`
}

// LicenseReinstated ends that.
type LicenseReinstated struct {
	License LicenseID `json:"license"`
	Holder  HomeID    `json:"holder"`
	Vendor  HomeID    `json:"vendor"`
	App     OfApp     `json:"app"`
	Held    Held      `json:"held"`
}

// LicenseRevoked ends a licence for good.
type LicenseRevoked struct {
	License LicenseID `json:"license"`
	Holder  HomeID    `json:"holder"`
	Vendor  HomeID    `json:"vendor"`
	App     OfApp     `json:"app"`
	Held    Held      `json:"held"`
	Reason  string    `json:"reason,omitzero"`
}

// LicenseExpired says that the window of a licence is over; its time of grace, if it has one, begins.
type LicenseExpired struct {
	License LicenseID `json:"license"`
	Holder  HomeID    `json:"holder"`
	Vendor  HomeID    `json:"vendor"`
	App     OfApp     `json:"app"`
	Held    Held      `json:"held"`
	Ended   time.Time `json:"ended"` // when the window was over
}

// LicenseEnded says that the time of grace is over, too. A renewal brings the licence back.
type LicenseEnded struct {
	License LicenseID `json:"license"`
	Holder  HomeID    `json:"holder"`
	Vendor  HomeID    `json:"vendor"`
	App     OfApp     `json:"app"`
	Held    Held      `json:"held"`
	Ended   time.Time `json:"ended"` // when the time of grace was over
}

func (LicenseIssued) EventType() string     { return "license.issued" }
func (LicenseRenewed) EventType() string    { return "license.renewed" }
func (LicenseChanged) EventType() string    { return "license.changed" }
func (LicenseSigned) EventType() string     { return "license.signed" }
func (LicenseSuspended) EventType() string  { return "license.suspended" }
func (LicenseReinstated) EventType() string { return "license.reinstated" }
func (LicenseRevoked) EventType() string    { return "license.revoked" }
func (LicenseExpired) EventType() string    { return "license.expired" }
func (LicenseEnded) EventType() string      { return "license.ended" }

var licenseEvents = dcb.Kind("license",
	dcb.Of[LicenseIssued](), dcb.Of[LicenseRenewed](), dcb.Of[LicenseChanged](), dcb.Of[LicenseSigned](), dcb.Of[LicenseSuspended](),
	dcb.Of[LicenseReinstated](), dcb.Of[LicenseRevoked](), dcb.Of[LicenseExpired](), dcb.Of[LicenseEnded]())

var (
	ErrLicenseUnknown   = &Refusal{Missing, "not-found", "there is no such licence here"}
	ErrLicenseRevoked   = refuse("license-revoked", "the licence is revoked")
	ErrLicenseSuspended = refuse("license-suspended", "the licence is suspended")
	ErrLicenseOver      = refuse("license-over", "the licence has ended, and its time of grace too")
	ErrLicenseEarly     = refuse("license-not-begun", "the licence has not begun yet")
	ErrLicenseImported  = refuse("license-imported", "the licence was signed elsewhere; import its next revision")
	ErrLicenseBlob      = refuse("license-blob-invalid", "the licence file does not verify")
	ErrLicenseNotHere   = refuse("license-of-another", "the licence file is of another tenant or app")
	ErrLicenseStale     = refuse("license-outdated", "a later revision of the licence is known")
	ErrNotRenewed       = refuse("license-not-renewed", "a renewal must end later than the licence does")
)

// Terms are what a licence allows, and when.
type Terms struct {
	Window       Window        `json:"window"` // Until zero: it never ends
	GraceDays    int           `json:"grace_days,omitzero"`
	Seats        *int          `json:"seats,omitzero"`         // absent: seats are not counted
	Seating      Seating       `json:"seating,omitzero"`       // where they are
	LeaseSeconds int           `json:"lease_seconds,omitzero"` // of a floating seat: how long without a heartbeat
	Activations  *int          `json:"activations,omitzero"`   // absent: activations are not counted; 0: there are none
	Entitlements []Entitlement `json:"entitlements,omitzero"`
	Notes        string        `json:"notes,omitzero"` // the holder can read them
}

// Seating is how the seats of a licence are held.
type Seating string

// The ways.
const (
	Named    Seating = "named"    // by users of the holder, until they are taken back
	Floating Seating = "floating" // by whoever asks first, as long as they are heard of
)

// File is a licence as a signed file: a JWS in compact form (RFC 7515). It has an end of its own, by which it must be fetched anew.
type File struct {
	Blob      string    `json:"blob"`
	Kid       string    `json:"kid"`
	ExpiresAt time.Time `json:"expires_at"`
}

// GraceUntil is when the time of grace is over; zero if the licence never ends.
func (t Terms) GraceUntil() time.Time {
	if t.Window.Until.IsZero() {
		return time.Time{}
	}
	return t.Window.Until.AddDate(0, 0, t.GraceDays)
}

// LicenseState is how a licence stands at an instant.
type LicenseState string

// The states. Only of the first two is a licence in force.
const (
	LicenseIsActive    LicenseState = "active"
	LicenseInGrace     LicenseState = "grace"
	LicenseIsEarly     LicenseState = "not-begun"
	LicenseIsOver      LicenseState = "ended"
	LicenseIsSuspended LicenseState = "suspended"
	LicenseIsRevoked   LicenseState = "revoked"
)

// InForce reports whether what the licence allows may be used.
func (s LicenseState) InForce() bool { return s == LicenseIsActive || s == LicenseInGrace }

// Refusal says why a licence that is not in force gives nothing.
func (s LicenseState) Refusal() *Refusal {
	switch s {
	case LicenseIsEarly:
		return ErrLicenseEarly
	case LicenseIsSuspended:
		return ErrLicenseSuspended
	case LicenseIsRevoked:
		return ErrLicenseRevoked
	case LicenseIsActive, LicenseInGrace, LicenseIsOver:
	}
	return ErrLicenseOver
}

// License is what decisions need to know of one. The access index keeps licences by the same fold.
type License struct {
	Known     bool
	ID        LicenseID
	Holder    HomeID
	Vendor    HomeID
	Name      App
	Revision  int
	Terms     Terms
	File      File
	Imported  bool
	Suspended bool
	Revoked   bool
	Expired   time.Time // the end of the window that was said to be over; zero for none
	Ended     time.Time // likewise of the time of grace
}

// State is how it stands at an instant. It never waits for an event that says so; but once its end is on record it is over at whatever
// instant, so that no clock that is behind brings it back.
func (l License) State(at time.Time) LicenseState {
	switch {
	case l.Revoked:
		return LicenseIsRevoked
	case l.Suspended:
		return LicenseIsSuspended
	case at.Before(l.Terms.Window.From):
		return LicenseIsEarly
	case l.EndRecorded():
		return LicenseIsOver
	case l.Terms.Window.Contains(at):
		return LicenseIsActive
	case at.Before(l.Terms.GraceUntil()):
		return LicenseInGrace
	}
	return LicenseIsOver
}

// EndRecorded reports whether the end that it has now, and not only an earlier one, was said to have come.
func (l *License) EndRecorded() bool {
	if l.Ended.IsZero() || l.Terms.Window.Until.IsZero() {
		return false
	}
	return !l.Ended.Before(l.Terms.GraceUntil())
}

// Entitlement is the one of that name.
func (l License) Entitlement(name string) (e Entitlement, ok bool) {
	i := slices.IndexFunc(l.Terms.Entitlements, func(e Entitlement) bool { return e.Name == name })
	if i < 0 {
		return e, false
	}
	return l.Terms.Entitlements[i], true
}

// Fold takes an event about this licence into it.
func (l *License) Fold(event dcb.Event) {
	terms := func(e LicenseIssued) {
		l.Known, l.ID, l.Holder, l.Vendor, l.Name = true, e.License, e.Holder, e.Vendor, e.Name
		l.Revision, l.Terms, l.File, l.Imported = e.Revision, e.Terms, e.File, e.Imported
	}
	switch e := event.(type) {
	case LicenseIssued:
		terms(e)
	case LicenseRenewed:
		terms(LicenseIssued(e))
	case LicenseChanged:
		terms(LicenseIssued(e))
	case LicenseSigned:
		l.File = e.File
	case LicenseSuspended:
		l.Suspended = true
	case LicenseReinstated:
		l.Suspended = false
	case LicenseRevoked:
		l.Revoked = true
	case LicenseExpired:
		l.Expired = e.Ended
	case LicenseEnded:
		l.Ended = e.Ended
	}
}

// AboutLicense is the licence that an event is about, and who holds it, if it is about one.
func AboutLicense(event dcb.Event) (id LicenseID, holder HomeID, is bool) {
	switch e := event.(type) {
	case LicenseIssued:
		return e.License, e.Holder, true
	case LicenseRenewed:
		return e.License, e.Holder, true
	case LicenseChanged:
		return e.License, e.Holder, true
	case LicenseSigned:
		return e.License, e.Holder, true
	case LicenseSuspended:
		return e.License, e.Holder, true
	case LicenseReinstated:
		return e.License, e.Holder, true
	case LicenseRevoked:
		return e.License, e.Holder, true
	case LicenseExpired:
		return e.License, e.Holder, true
	case LicenseEnded:
		return e.License, e.Holder, true
	}
	return id, holder, false
}

// LicenseOf is one licence as a tenant has it: its holder, or the vendor.
func LicenseOf(t TenantID, id LicenseID) *dcb.Fact[License] {
	fold := func(l *License, e dcb.Event) { l.Fold(e) }
	signed := dcb.On(func(l *License, e LicenseSigned) { l.Fold(e) })
	return dcb.Ask(License{}, tags(id), append(licenseFolds(fold), signed)...).Only(t.UUID)
}

// HeldBy is what stands for all licences that a tenant holds for the app.
func (a App) HeldBy(t TenantID) Held { return Held(a.In(t)) }

// LicensesFor are the licences that a tenant holds for an app, without their newest files.
func LicensesFor(holder TenantID, name App) *dcb.Fact[Licenses] {
	fold := func(ls *Licenses, e dcb.Event) {
		if id, is, _ := AboutLicense(e); is.Tenant() == holder { // a vendor's tenant has copies of those of others
			ls.fold(id, e)
		}
	}
	return dcb.Ask(Licenses(nil), tags(name.HeldBy(holder)), licenseFolds(fold)...).Only(holder.UUID)
}

// licenseFolds take in what says how licences stand; their files apart.
func licenseFolds[S any](fold func(*S, dcb.Event)) []dcb.Fold[S] {
	return []dcb.Fold[S]{
		dcb.On(func(s *S, e LicenseIssued) { fold(s, e) }),
		dcb.On(func(s *S, e LicenseRenewed) { fold(s, e) }),
		dcb.On(func(s *S, e LicenseChanged) { fold(s, e) }),
		dcb.On(func(s *S, e LicenseSuspended) { fold(s, e) }),
		dcb.On(func(s *S, e LicenseReinstated) { fold(s, e) }),
		dcb.On(func(s *S, e LicenseRevoked) { fold(s, e) }),
		dcb.On(func(s *S, e LicenseExpired) { fold(s, e) }),
		dcb.On(func(s *S, e LicenseEnded) { fold(s, e) }),
	}
}

// Licenses are those of a tenant for an app, the first issued first.
type Licenses []License

func (ls *Licenses) fold(id LicenseID, e dcb.Event) {
	i := slices.IndexFunc(*ls, func(l License) bool { return l.ID == id })
	if i < 0 {
		i, *ls = len(*ls), append(*ls, License{ID: id})
	}
	(*ls)[i].Fold(e)
}

// State is the best of theirs: in force if one is.
func (ls Licenses) State(at time.Time) LicenseState {
	return BestState(func(yield func(LicenseState) bool) {
		for _, l := range ls {
			if !yield(l.State(at)) {
				return
			}
		}
	})
}

// BestState is the best of the states of licences; of none at all it is as of one that is over.
func BestState(states iter.Seq[LicenseState]) LicenseState {
	best := LicenseState("")
	for s := range states {
		if best == "" || s.rank() < best.rank() {
			best = s
		}
	}
	return cmp.Or(best, LicenseIsOver)
}

// rank puts the best first.
func (s LicenseState) rank() int {
	switch s {
	case LicenseIsActive:
		return 0
	case LicenseInGrace:
		return 1
	case LicenseIsEarly:
		return 2
	case LicenseIsSuspended:
		return 3
	case LicenseIsOver:
		return 4
	case LicenseIsRevoked:
	}
	return 5
}
