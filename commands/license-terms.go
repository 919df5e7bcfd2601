package commands

import (
	"fmt"
	"slices"
	"time"

	"chancery/domain"
	"chancery/license"
)

// The bounds of what licences say. Times stay within years that every format can write, with their grace.
const (
	mostCounted   = 1_000_000 // seats, activations
	shortestLease = 30
	longestLease  = 24 * 60 * 60
	usualLease    = 5 * 60
	usualFileDays = 30
	firstYear     = 1970
	lastYear      = 8999
)

// completed are terms as they are kept: what follows from the rest is filled in.
func completed(t domain.Terms) domain.Terms {
	t.Window = domain.Window{From: moment(t.Window.From), Until: moment(t.Window.Until)}
	if t.Seats != nil && t.Seating == "" {
		t.Seating = domain.Named
	}
	if t.Seating == domain.Floating && t.LeaseSeconds == 0 {
		t.LeaseSeconds = usualLease
	}
	return t
}

// checkTerms refuses terms that say nothing sensible, whenever they are looked at.
func checkTerms(t domain.Terms) error {
	return domain.FirstError(checkSpan(t), checkSeating(t), checkCount("/activations", t.Activations),
		checkEntitlements(t.Entitlements), domain.CheckText("/notes", t.Notes))
}

func checkSpan(t domain.Terms) error {
	from, until := t.Window.From, t.Window.Until
	switch {
	case from.Year() < firstYear || from.Year() > lastYear:
		return domain.Invalid("/starts_at", "must lie in the years %d to %d", firstYear, lastYear)
	case until.Year() > lastYear:
		return domain.Invalid("/ends_at", "must not lie after the year %d; leave it out for a licence that never ends", lastYear)
	case !until.IsZero() && !from.Before(until):
		return domain.Invalid("/ends_at", "must be after starts_at")
	case until.IsZero() && t.GraceDays != 0:
		return domain.Invalid("/grace_days", "must be absent: a licence that never ends has no time of grace")
	}
	return checkDays("/grace_days", t.GraceDays)
}

func checkSeating(t domain.Terms) error {
	switch {
	case t.Seats == nil && t.Seating != "":
		return domain.Invalid("/seating", "must be absent: the licence counts no seats")
	case t.Seats != nil && t.Seating != domain.Named && t.Seating != domain.Floating:
		return domain.Invalid("/seating", "must be named or floating")
	case t.Seating != domain.Floating && t.LeaseSeconds != 0:
		return domain.Invalid("/lease_seconds", "must be absent: only floating seats are leased")
	case t.Seating == domain.Floating && (t.LeaseSeconds < shortestLease || t.LeaseSeconds > longestLease):
		return domain.Invalid("/lease_seconds", "must be a number of seconds from %d to %d", shortestLease, longestLease)
	}
	return checkCount("/seats", t.Seats)
}

func checkCount(pointer string, n *int) error {
	if n != nil && (*n < 0 || *n > mostCounted) {
		return domain.Invalid(pointer, "must be a number from 0 to %d", mostCounted)
	}
	return nil
}

func checkEntitlements(all []domain.Entitlement) error {
	if len(all) > domain.MostEntitlements {
		return domain.Invalid("/entitlements", "must be no more than %d", domain.MostEntitlements)
	}
	names := make(map[string]bool, len(all))
	for i, e := range all {
		pointer := fmt.Sprintf("/entitlements/%d", i)
		if err := e.Check(pointer); err != nil {
			return err
		}
		if names[e.Name] {
			return domain.Invalid(pointer+"/name", "is the name of an earlier one, too")
		}
		names[e.Name] = true
	}
	return nil
}

// checkFileDays refuses what is no number of days; 0 stands for the usual one.
func checkFileDays(days int) error {
	if days < 0 || days > mostDays {
		return domain.Invalid("/file_days", "must be a number of days from 1 to %d, or absent for %d", mostDays, usualFileDays)
	}
	return nil
}

// fileEnd is when a file made now must be fetched anew: after so many days, and no later than the licence itself is over.
func fileEnd(t domain.Terms, days int, now time.Time) time.Time {
	if days == 0 {
		days = usualFileDays
	}
	end := now.AddDate(0, 0, days)
	if over := t.GraceUntil(); !over.IsZero() && over.Before(end) {
		end = over
	}
	if end = end.Truncate(time.Second); end.Sub(now) < time.Second { // a JWS knows whole seconds
		end = now.Truncate(time.Second).Add(time.Second)
	}
	return end
}

// inFile are terms as a licence file says them.
func inFile(t domain.Terms) license.Terms {
	f := license.Terms{
		StartsAt: t.Window.From, EndsAt: t.Window.Until, GraceDays: t.GraceDays, Seats: t.Seats, Seating: string(t.Seating),
		LeaseSeconds: t.LeaseSeconds, Activations: t.Activations, Notes: t.Notes,
	}
	for _, e := range t.Entitlements {
		f.Entitlements = append(f.Entitlements, license.Entitlement{
			Name: e.Name, Kind: string(e.Kind), Limit: e.Limit, Period: string(e.Period), Soft: e.Soft,
		})
	}
	return f
}

// ofFile is the inverse of inFile. Nothing is filled in: a file that leaves out what it must say is refused.
func ofFile(f license.Terms) domain.Terms {
	t := domain.Terms{
		Window: domain.Window{From: moment(f.StartsAt), Until: moment(f.EndsAt)}, GraceDays: f.GraceDays, Seats: f.Seats,
		Seating: domain.Seating(f.Seating), LeaseSeconds: f.LeaseSeconds, Activations: f.Activations, Notes: f.Notes,
	}
	for _, e := range f.Entitlements {
		t.Entitlements = append(t.Entitlements, domain.Entitlement{
			Name: e.Name, Kind: domain.EntitlementKind(e.Kind), Limit: e.Limit, Period: domain.Period(e.Period), Soft: e.Soft,
		})
	}
	return t
}

func equalTerms(a, b domain.Terms) bool {
	return a.Window.From.Equal(b.Window.From) && a.Window.Until.Equal(b.Window.Until) && a.GraceDays == b.GraceDays &&
		sameCount(a.Seats, b.Seats) && a.Seating == b.Seating && a.LeaseSeconds == b.LeaseSeconds && sameCount(a.Activations, b.Activations) &&
		slices.Equal(a.Entitlements, b.Entitlements) && a.Notes == b.Notes
}

func sameCount(a, b *int) bool {
	return a == nil && b == nil || a != nil && b != nil && *a == *b
}

// endsLater reports whether an end comes after another one; zero is never.
func endsLater(a, b time.Time) bool {
	return !b.IsZero() && (a.IsZero() || a.After(b))
}
