package domain

import (
	"regexp"
	"time"

	"github.com/google/uuid"

	"chancery/internal/dcb"
)

// Entitlement is one thing that a licence allows.
type Entitlement struct {
	Name   string          `json:"name"`
	Kind   EntitlementKind `json:"kind"`
	Limit  int64           `json:"limit,omitzero"`  // of a limit, the most there may be; of a meter, the most in a period
	Period Period          `json:"period,omitzero"` // of a meter
	Soft   bool            `json:"soft,omitzero"`   // of a meter: more is recorded, and said to be over
}

// EntitlementKind is what an entitlement allows.
type EntitlementKind string

// The kinds.
const (
	Feature EntitlementKind = "feature" // it may be used
	Limit   EntitlementKind = "limit"   // there may be so many; the app counts
	Meter   EntitlementKind = "meter"   // so much may be consumed in a period; Chancery counts
)

// Period is how often a meter begins anew, by the calendar in UTC.
type Period string

// The periods.
const (
	PerDay   Period = "day"
	PerMonth Period = "month"
	PerYear  Period = "year"
	Once     Period = "once" // never anew
)

// Name is the period in which an instant lies, such as 2026-11.
func (p Period) Name(at time.Time) string {
	switch p {
	case PerDay:
		return at.UTC().Format("2006-01-02")
	case PerMonth:
		return at.UTC().Format("2006-01")
	case PerYear:
		return at.UTC().Format("2006")
	case Once:
	}
	return string(Once)
}

// Ends is when that period ends; zero if it never does.
func (p Period) Ends(at time.Time) time.Time {
	y, m, d := at.UTC().Date()
	switch p {
	case PerDay:
		return time.Date(y, m, d+1, 0, 0, 0, 0, time.UTC)
	case PerMonth:
		return time.Date(y, m+1, 1, 0, 0, 0, 0, time.UTC)
	case PerYear:
		return time.Date(y+1, 1, 1, 0, 0, 0, 0, time.UTC)
	case Once:
	}
	return time.Time{}
}

// PeriodNamed is the kind of period that has such a name.
func PeriodNamed(name string) Period {
	switch len(name) {
	case len("2026-11-23"):
		return PerDay
	case len("2026-11"):
		return PerMonth
	}
	if name == string(Once) {
		return Once
	}
	return PerYear
}

var entitlementName = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,99}$`)

// The bounds of entitlements.
const (
	MostEntitlements = 200
	MaxAllowance     = int64(1) << 50
)

// Check refuses an entitlement that is not well formed.
func (e Entitlement) Check(pointer string) error {
	if !entitlementName.MatchString(e.Name) {
		return Invalid(pointer+"/name", "must be 1 to 100 of a-z, 0-9, '.', '_' and '-', beginning with a letter or digit")
	}
	switch e.Kind {
	case Feature:
		if e.Limit != 0 || e.Period != "" || e.Soft {
			return Invalid(pointer, "a feature has no limit and no period")
		}
		return nil
	case Limit:
		if e.Period != "" || e.Soft {
			return Invalid(pointer, "a limit has no period; what Chancery is to count is a meter")
		}
	case Meter:
		switch e.Period {
		case PerDay, PerMonth, PerYear, Once:
		default:
			return Invalid(pointer+"/period", "must be day, month, year or once")
		}
	default:
		return Invalid(pointer+"/kind", "must be feature, limit or meter")
	}
	if e.Limit < 0 || e.Limit > MaxAllowance {
		return Invalid(pointer+"/limit", "must be a whole number from 0 to %d", MaxAllowance)
	}
	return nil
}

// UsageRecorded says that something metered was consumed.
type UsageRecorded struct {
	Usage   UsageID   `json:"usage"`
	Meter   Key       `json:"meter"`
	License OfLicense `json:"license"`
	App     App       `json:"app"`
	Name    string    `json:"name"` // of the entitlement
	Amount  int64     `json:"amount"`
	Period  string    `json:"period"`        // see Period.Name
	Total   int64     `json:"total"`         // of the meter in that period, with this
	Over    bool      `json:"over,omitzero"` // beyond a soft limit
	Note    string    `json:"note,omitzero"`
}

// UsageReversed takes a consumption back.
type UsageReversed struct {
	Usage   UsageID   `json:"usage"`
	Meter   Key       `json:"meter"`
	License OfLicense `json:"license"`
	App     App       `json:"app"`
	Name    string    `json:"name"`
	Amount  int64     `json:"amount"`
	Period  string    `json:"period"` // in which it was consumed
	Total   int64     `json:"total"`  // of that period, without it
	Reason  string    `json:"reason,omitzero"`
}

func (UsageRecorded) EventType() string { return "usage.recorded" }
func (UsageReversed) EventType() string { return "usage.reversed" }

var usageEvents = dcb.Kind("usage", dcb.Of[UsageRecorded](), dcb.Of[UsageReversed]())

var (
	ErrNotEntitled  = refuse("not-entitled", "no licence in force allows it")
	ErrNotMetered   = refuse("not-metered", "the entitlement is no meter")
	ErrAllowance    = refuse("allowance-exceeded", "the rest of the allowance does not suffice")
	ErrUsageUnknown = &Refusal{Missing, "not-found", "there is no such consumption here"}
	ErrUsageOld     = refuse("usage-period-over", "it was consumed in a period that is over")
)

// MeterKey is the meter of an entitlement of a licence. Whatever is counted by it carries its tag.
func MeterKey(l LicenseID, name string) Key { return Key("meter:" + l.String() + "/" + name) }

// Entitlement is the id of what a licence allows under a name.
func (id LicenseID) Entitlement(name string) uuid.UUID {
	return uuid.NewSHA1(id.UUID, []byte("entitlement:"+name))
}

// Tally is what a meter shows; of a pool of endpoints, how many there are.
type Tally struct {
	Period string
	Total  int64
}

// In is how much was consumed in a period; a meter shows the newest alone.
func (t Tally) In(period string) int64 {
	if t.Period != period {
		return 0
	}
	return t.Total
}

// Fold takes an event of the meter into it.
func (t *Tally) Fold(event dcb.Event) {
	switch e := event.(type) {
	case UsageRecorded:
		*t = Tally{e.Period, e.Total}
	case UsageReversed:
		if e.Period == t.Period {
			t.Total = e.Total
		}
	case EndpointCreated:
		t.Total++
	case EndpointDeleted:
		t.Total--
	}
}

// Consumption is one that was recorded.
type Consumption struct {
	UsageRecorded
	Known    bool
	Reversed bool
}

// ConsumptionOf is one consumption.
func ConsumptionOf(id UsageID) *dcb.Fact[Consumption] {
	return dcb.Ask(Consumption{}, tags(id),
		dcb.On(func(c *Consumption, e UsageRecorded) { c.UsageRecorded, c.Known = e, true }),
		dcb.On(func(c *Consumption, _ UsageReversed) { c.Reversed = true }),
	)
}

// Tallied watches a meter or a pool: nobody else takes of it at the same time. How much is taken Env tells, which has seen all that the
// decision has.
func Tallied(k Key) dcb.AnyFact { return dcb.Watch([]dcb.Tag{k.Tag()}) }

// IsZero reports whether it is absent.
func (id OfLicense) IsZero() bool { return id.UUID == uuid.Nil }
