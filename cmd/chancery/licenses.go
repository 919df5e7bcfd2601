package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"chancery/internal/app"
)

type licenseVerify struct {
	File        string    `arg:"" help:"The licence file, or - for the standard input."`
	JWKS        string    `name:"jwks" help:"The vendor's keys: a file, or an address such as https://chancery.example.org/v1/tenants/vendor/jwks.json." required:"" env:"CHANCERY_JWKS"`
	Vendor      string    `help:"Id of the vendor's tenant; whoever has the keys if absent." env:"CHANCERY_VENDOR"`
	Tenant      string    `help:"Id of the tenant whose licence it must be; anybody's if absent." env:"CHANCERY_TENANT"`
	App         string    `help:"Name of the app for which it must be; any if absent." env:"CHANCERY_APP"`
	Fingerprint string    `help:"The machine's: the file is that of a checked-out activation." env:"CHANCERY_FINGERPRINT"`
	Witness     string    `help:"A file that remembers the latest time seen, so that setting the clock back is noticed; made where there is none." env:"CHANCERY_WITNESS" xor:"time"`
	At          time.Time `help:"Verify as of that time (RFC 3339) instead of now." env:"CHANCERY_AT" xor:"time"`
}

// errUnjudged says that a file was neither accepted nor refused.
var errUnjudged = errors.New("the licence could not be verified")

// Run verifies.
func (c licenseVerify) Run(ctx context.Context) error {
	err := app.VerifyLicense(ctx, app.LicenseCheck{
		File: c.File, Keys: c.JWKS, Issuer: c.Vendor, Tenant: c.Tenant, App: c.App, Fingerprint: c.Fingerprint, Witness: c.Witness, At: c.At,
	}, os.Stdin, os.Stdout, os.Stderr)
	if err == nil || errors.Is(err, app.ErrNotAccepted) || errors.Is(err, context.Canceled) {
		return err
	}
	return fmt.Errorf("%w: %w", errUnjudged, err)
}
