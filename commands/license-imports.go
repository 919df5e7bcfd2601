package commands

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/google/uuid"

	"chancery/domain"
	"chancery/internal/dcb"
	"chancery/license"
)

// ImportLicense makes known a licence that its vendor signed elsewhere, or its next revision. It is sent to the tenant that holds it.
// Nothing is recorded before the file is verified by the vendor's own keys.
type ImportLicense struct {
	ID   domain.LicenseID `json:"id,omitzero" description:"the licence that the file must be of; whichever it is of if absent"`
	Blob string           `json:"blob" required:"true" description:"the licence file: a JWS in compact form"`
}

// Target is the licence that is named, or else the one that the file says it is of.
func (c ImportLicense) Target() dcb.Tagger {
	if c.ID.IsZero() {
		said, _ := unverified(c.Blob)
		return said.license
	}
	return c.ID
}

func (c ImportLicense) Decide(env Env) dcb.Decision {
	said, ok := unverified(c.Blob)
	if !ok {
		return refused(badBlob(unreadable(c.Blob)))
	}
	if !c.ID.IsZero() && c.ID != said.license {
		return refused(domain.At("/blob", domain.ErrLicenseNotHere))
	}
	vendor, keys, app := domain.VendorOf(said.vendor), domain.SigningKeysOf(said.vendor), domain.AppNamed(said.app)
	known, used := domain.LicenseOf(env.Tenant, said.license), domain.Used[domain.LicenseIssued](said.license)
	return dcb.From(vendor, keys, app, known, used).Decide(func() ([]dcb.Event, error) {
		claims, kid, err := verified(c.Blob, keys.Value.Trusted(), env.Now)
		if err != nil {
			return nil, badBlob(err)
		}
		next := domain.LicenseIssued{
			License: said.license, Holder: domain.HomeIn(env.Tenant), Vendor: domain.HomeIn(said.vendor), App: domain.OfApp(said.app.ID()), Held: said.app.HeldBy(env.Tenant), Name: said.app,
			Revision: claims.Revision, Terms: ofFile(claims.Terms), Imported: true,
			File: domain.File{Blob: c.Blob, Kid: kid, ExpiresAt: claims.ExpiresAt.Time().UTC()},
		}
		switch {
		case !vendor.Value:
			return nil, domain.At("/blob", domain.ErrNotVendor)
		case claims.Tenant != env.Tenant.String(), !sells(said.vendor, app.Value):
			return nil, domain.At("/blob", domain.ErrLicenseNotHere)
		}
		if err := checkImported(next); err != nil {
			return nil, err
		}
		if !known.Value.Known {
			return env.importFirst(next, used.Value)
		}
		return env.importNext(next, known.Value)
	})
}

func (env Env) importFirst(next domain.LicenseIssued, used bool) ([]dcb.Event, error) {
	switch {
	case used:
		return nil, domain.At("/blob", domain.ErrIDTaken)
	case (domain.License{Terms: next.Terms}).State(env.Now) == domain.LicenseIsOver:
		return nil, domain.At("/blob", domain.ErrLicenseOver)
	}
	return ofBoth(next.Holder, next.Vendor, next), nil
}

// importNext is a file of a licence that is known. It may be the same file, or a fresher one of the same revision.
func (env Env) importNext(next domain.LicenseIssued, now domain.License) ([]dcb.Event, error) {
	same := equalTerms(next.Terms, now.Terms)
	switch {
	case now.Vendor != next.Vendor, now.Name != next.Name, now.Holder != next.Holder:
		return nil, domain.At("/blob", domain.ErrLicenseNotHere)
	case now.Revoked:
		return nil, domain.At("/blob", domain.ErrLicenseRevoked)
	case next.Revision < now.Revision:
		return nil, domain.At("/blob", domain.ErrLicenseStale)
	case next.Revision == now.Revision && !same:
		return nil, badBlob(errors.New("another file of the same revision is known, with other terms"))
	case next.Revision == now.Revision && !next.File.ExpiresAt.After(now.File.ExpiresAt):
		return nil, nil
	case next.Revision == now.Revision:
		e := domain.LicenseSigned{License: next.License, Holder: next.Holder, Vendor: next.Vendor, App: next.App, Held: next.Held, File: next.File}
		return ofBoth(next.Holder, next.Vendor, e), nil
	case (domain.License{Terms: next.Terms}).State(env.Now) == domain.LicenseIsOver:
		return nil, domain.At("/blob", domain.ErrLicenseOver)
	case endsLater(next.Terms.Window.Until, now.Terms.Window.Until):
		return ofBoth(next.Holder, next.Vendor, domain.LicenseRenewed(next)), nil
	}
	return ofBoth(next.Holder, next.Vendor, domain.LicenseChanged(next)), nil
}

// checkImported refuses what a vendor signed, and could not have issued here.
func checkImported(l domain.LicenseIssued) error {
	if l.Revision < 1 || l.Revision > mostCounted {
		return badBlob(fmt.Errorf("revision must be a number from 1 to %d", mostCounted))
	}
	if y := l.File.ExpiresAt.Year(); y < firstYear || y > lastYear {
		return badBlob(fmt.Errorf("exp must lie in the years %d to %d", firstYear, lastYear))
	}
	err := domain.FirstError(l.Name.Check("/aud"), checkTerms(l.Terms))
	if at, ok := errors.AsType[*domain.InputError](err); ok {
		return badBlob(errors.New("what it says is not allowed: " + strings.TrimPrefix(at.Pointer, "/") + " " + at.Detail))
	}
	return err
}

// badBlob refuses a licence file in the words of what is wrong with it.
func badBlob(err error) error {
	return &domain.InputError{Refusal: domain.ErrLicenseBlob, Pointer: "/blob", Detail: err.Error()}
}

// said is what a file says before it is verified: whose keys verify it, and what it is about. Nothing else rests on it.
type said struct {
	vendor  domain.TenantID
	license domain.LicenseID
	app     domain.App
}

func unverified(blob string) (s said, ok bool) {
	_, rest, _ := strings.Cut(blob, ".")
	payload, _, _ := strings.Cut(rest, ".")
	text, err := base64.RawURLEncoding.DecodeString(payload)
	if err != nil {
		return said{}, false
	}
	var claims struct {
		Issuer  string `json:"iss"`
		License string `json:"jti"`
		App     string `json:"aud"`
	}
	if json.Unmarshal(text, &claims) != nil {
		return said{}, false
	}
	vendor, license := canonical(claims.Issuer), canonical(claims.License)
	if vendor == uuid.Nil || license == uuid.Nil {
		return said{}, false
	}
	return said{domain.TenantID{UUID: vendor}, domain.LicenseID{UUID: license}, domain.App(claims.App)}, true
}

// unreadable is why a file does not even say whose it is.
func unreadable(blob string) error {
	_, _, err := license.Open(blob, nil)
	if err == nil || errors.Is(err, license.ErrKeyID) {
		return errors.New("iss and jti must be the ids of the vendor's tenant and of the licence")
	}
	return err
}

// canonical is an id that is written in the one way that counts; else none.
func canonical(text string) uuid.UUID {
	id, err := uuid.Parse(text)
	if err != nil || id.String() != text {
		return uuid.Nil
	}
	return id
}

// verified is what a licence file says, and with which of the keys (JWKs) it was signed, if it was, and is in time. Whether the licence
// is, is another question.
func verified(blob string, jwks []string, now time.Time) (license.Claims, string, error) {
	var keys license.Keys
	for _, jwk := range jwks {
		key, err := license.ParseKey([]byte(jwk))
		if err != nil {
			return license.Claims{}, "", err
		}
		keys = append(keys, key)
	}
	c, kid, err := license.Open(blob, keys)
	switch {
	case err != nil:
		return license.Claims{}, "", err
	case !now.Before(c.ExpiresAt.Time()):
		return license.Claims{}, "", license.ErrFileExpired
	case c.IssuedAt.Time().After(now.Add(clocksApart)):
		return license.Claims{}, "", errors.New("the file was issued at a time that has not come yet")
	}
	return c, kid, nil
}

// clocksApart is how far the vendor's clock may be ahead.
const clocksApart = 5 * time.Minute
