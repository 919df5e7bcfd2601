package license_test

import (
	"errors"
	"fmt"
	"time"

	"chancery/license"
)

// An app keeps the vendor's jwks.json and the customer's licence file, and asks before it starts.
func Example() {
	jwks := []byte(`{"keys":[` + exampleKey.JWK() + `]}`)
	keys, err := license.ParseKeys(jwks)
	if err != nil {
		fmt.Println(err)
		return
	}
	want := license.Want{
		Now: time.Date(2026, 3, 3, 12, 0, 0, 0, time.UTC), Tenant: "0194f3a0-0000-7000-8000-00000000acce", App: "billing",
	}
	l, err := license.Verify(exampleFile(), keys, want)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(l.State, "until", l.Terms.EndsAt.Format(time.DateOnly), "and with grace until", l.Terms.GraceUntil().Format(time.DateOnly))

	want.App = "crm"
	_, err = license.Verify(exampleFile(), keys, want)
	fmt.Println(errors.Is(err, license.ErrApp), err)
	// Output:
	// grace until 2026-03-02 and with grace until 2026-03-05
	// true the licence is for another app: billing
}

// A machine that is off the network for a week runs on the file of its checked-out activation.
func ExampleVerifyCheckout() {
	keys, err := license.ParseKeys([]byte(`{"keys":[` + exampleKey.JWK() + `]}`))
	if err != nil {
		fmt.Println(err)
		return
	}
	want := license.Want{Now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC), App: "billing", Fingerprint: "board 42, disk 7"}
	c, err := license.VerifyCheckout(exampleCheckout(), keys, want)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(c.State, "until", c.ExpiresAt.Time().UTC().Format(time.DateTime))
	// Output: active until 2026-03-01 16:00:00
}

var exampleKey = public('b')

func exampleFile() string {
	file, err := license.Sign(private('b'), exampleKey.ID, claims())
	if err != nil {
		panic(err)
	}
	return file
}

func exampleCheckout() string {
	file, err := license.SignCheckout(private('b'), exampleKey.ID, checkoutClaims())
	if err != nil {
		panic(err)
	}
	return file
}
