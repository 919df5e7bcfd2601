package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"chancery/license"
)

// LicenseCheck is what chancery license verify is asked. It needs no server and no database.
type LicenseCheck struct {
	File        string // "-" for the standard input
	Keys        string // a JWK Set: a file, or an address at https
	Issuer      string
	Tenant      string
	App         string
	Fingerprint string    // given: File is that of a checked-out activation
	Witness     string    // a file; made where there is none
	At          time.Time // zero: now
}

// ErrNotAccepted says that a licence file was judged, and refused.
var ErrNotAccepted = errors.New("not accepted")

// licenseVerdict is what is printed.
type licenseVerdict struct {
	Accepted    bool                  `json:"accepted"`
	Reason      string                `json:"reason,omitzero"` // why not
	State       license.State         `json:"state,omitzero"`
	Vendor      string                `json:"vendor_tenant_id,omitzero"`
	Tenant      string                `json:"tenant_id,omitzero"`
	App         string                `json:"app,omitzero"`
	License     string                `json:"license_id,omitzero"`
	Activation  string                `json:"activation_id,omitzero"`
	Revision    int                   `json:"revision,omitzero"`
	KeyID       string                `json:"kid,omitzero"`
	StartsAt    time.Time             `json:"starts_at,omitzero"`
	EndsAt      time.Time             `json:"ends_at,omitzero"`
	GraceUntil  time.Time             `json:"grace_until,omitzero"`
	FileEnds    time.Time             `json:"file_expires_at,omitzero"`
	Seats       *int                  `json:"seats,omitzero"`
	Activations *int                  `json:"activations,omitzero"`
	Allows      []license.Entitlement `json:"entitlements,omitzero"`
	Witness     string                `json:"witness,omitzero"` // begun: there was none before
}

// VerifyLicense judges a licence file and prints the verdict. ErrNotAccepted: it was refused; another error: it could not be judged.
func VerifyLicense(ctx context.Context, c LicenseCheck, stdin io.Reader, out, words io.Writer) error {
	blob, err := licenseFile(c.File, stdin)
	if err != nil {
		return err
	}
	set, err := keysFrom(ctx, c.Keys)
	if err != nil {
		return err
	}
	keys, err := license.ParseKeys(set)
	if err != nil {
		return fmt.Errorf("%s: %w", c.Keys, err)
	}
	want := license.Want{Now: c.At, Issuer: c.Issuer, Tenant: c.Tenant, App: c.App, Fingerprint: c.Fingerprint}
	if c.At.IsZero() {
		want.Now = time.Now()
	}
	begun, err := c.begin(&want)
	if err != nil {
		return err
	}
	v, err := judgeLicense(blob, keys, want)
	switch {
	case errors.Is(err, license.ErrWitnessDamaged), err != nil && license.Reason(err) == nil:
		return err
	case err != nil:
		v = licenseVerdict{Reason: err.Error()}
	case v.State == license.Grace:
		_, _ = fmt.Fprintf(words, "chancery: the licence has ended, and works until %s\n", v.GraceUntil.Format(time.RFC3339))
	}
	v.Witness = begun
	text, failed := json.Marshal(v, jsontext.WithIndent("  "))
	if failed == nil {
		_, failed = fmt.Fprintf(out, "%s\n", text)
	}
	if failed != nil {
		return fmt.Errorf("print the verdict: %w", failed)
	}
	if err != nil {
		return fmt.Errorf("%w: %w", ErrNotAccepted, err)
	}
	return nil
}

// begin has the witness heard, and makes one where there is none.
func (c LicenseCheck) begin(want *license.Want) (begun string, err error) {
	if c.Witness == "" {
		return "", nil
	}
	w := license.Witness{Path: c.Witness}
	want.Witness = &w
	if err := w.Check(time.Time{}); !errors.Is(err, license.ErrWitnessMissing) {
		return "", nil // what is wrong with it, Verify says
	}
	return "begun", w.Begin(want.Now)
}

func judgeLicense(blob string, keys license.Keys, want license.Want) (licenseVerdict, error) {
	if want.Fingerprint != "" {
		c, err := license.VerifyCheckout(blob, keys, want)
		if err != nil {
			return licenseVerdict{}, err
		}
		return licenseVerdict{Activation: c.ID}.of(c.State, c.KeyID, c.Issuer, c.Tenant, c.App, c.License, c.ExpiresAt.Time(), c.Terms), nil
	}
	l, err := license.Verify(blob, keys, want)
	if err != nil {
		return licenseVerdict{}, err
	}
	return licenseVerdict{Revision: l.Revision}.of(l.State, l.KeyID, l.Issuer, l.Tenant, l.App, l.ID, l.ExpiresAt.Time(), l.Terms), nil
}

func (v licenseVerdict) of(state license.State, kid, vendor, tenant, app, id string, fileEnds time.Time, t license.Terms) licenseVerdict {
	v.Accepted, v.State, v.KeyID = true, state, kid
	v.Vendor, v.Tenant, v.App, v.License = vendor, tenant, app, id
	v.StartsAt, v.EndsAt, v.GraceUntil, v.FileEnds = t.StartsAt, t.EndsAt, t.GraceUntil(), fileEnds.UTC()
	v.Seats, v.Activations, v.Allows = t.Seats, t.Activations, t.Entitlements
	return v
}

const mostOfAFile = 1 << 20

// licenseFile reads the file. The line break with which editors end a file is not part of it.
func licenseFile(name string, stdin io.Reader) (string, error) {
	in := stdin
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return "", fmt.Errorf("the licence file: %w", err)
		}
		defer f.Close()
		in = f
	}
	text, err := io.ReadAll(io.LimitReader(in, mostOfAFile+3))
	if err != nil {
		return "", fmt.Errorf("the licence file: %w", err)
	}
	blob := strings.TrimSuffix(string(text), "\n")
	return strings.TrimSuffix(blob, "\r"), nil
}

// keysFrom reads a JWK Set. It is what all trust rests on, so it is fetched only where nobody on the way can change it.
func keysFrom(ctx context.Context, from string) ([]byte, error) {
	u, err := url.Parse(from)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" {
		set, err := os.ReadFile(from)
		if err != nil {
			return nil, fmt.Errorf("the keys: %w", err)
		}
		return set, nil
	}
	if !unspoilt(u) {
		return nil, fmt.Errorf("the keys: %s must begin with https", from)
	}
	client := http.Client{Timeout: 10 * time.Second, CheckRedirect: func(r *http.Request, via []*http.Request) error {
		if len(via) > 3 || !unspoilt(r.URL) {
			return errors.New("is redirected too often, or to where it could be changed on the way")
		}
		return nil
	}}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, from, http.NoBody)
	if err != nil {
		return nil, fmt.Errorf("the keys: %w", err)
	}
	answer, err := client.Do(r)
	if err != nil {
		return nil, fmt.Errorf("the keys: %w", err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the keys: %s answers %s", from, answer.Status)
	}
	set, err := io.ReadAll(io.LimitReader(answer.Body, mostOfAFile))
	if err != nil {
		return nil, fmt.Errorf("the keys: %w", err)
	}
	return set, nil
}

// unspoilt reports whether nobody on the way can change what comes from there.
func unspoilt(u *url.URL) bool {
	if u.Scheme == "https" {
		return true
	}
	address, err := netip.ParseAddr(u.Hostname())
	return u.Scheme == "http" && (u.Hostname() == "localhost" || err == nil && address.IsLoopback())
}
