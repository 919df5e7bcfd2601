package main

import (
	"crypto/ed25519"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4/jwt"

	"chancery/license"
)

const (
	acme    = "0194f3a0-0000-7000-8000-00000000acce"
	itsID   = "0194f3a0-0000-7000-8000-000000000001"
	machine = "board 42"
)

// files are a licence that ends in an hour and has a day of grace, a checkout of it, and the keys, in a folder.
func files(t *testing.T) (folder string, began time.Time) {
	t.Helper()
	folder, began = t.TempDir(), time.Now().UTC().Truncate(time.Second).Add(-time.Minute)
	private := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	key := license.NewKey(private.Public().(ed25519.PublicKey))
	terms := license.Terms{StartsAt: began, EndsAt: began.Add(time.Hour), GraceDays: 1, Entitlements: []license.Entitlement{{Name: "export", Kind: "feature"}}}
	file, err := license.Sign(private, key.ID, license.Claims{
		Issuer: itsID, ID: itsID, Tenant: acme, App: "billing", Revision: 1, Terms: terms,
		IssuedAt: jwt.NumericDate(began.Unix()), ExpiresAt: jwt.NumericDate(began.Add(20 * time.Hour).Unix()),
	})
	if err != nil {
		t.Fatal(err)
	}
	checkout, err := license.SignCheckout(private, key.ID, license.CheckoutClaims{
		Issuer: itsID, ID: itsID, Tenant: acme, App: "billing", License: itsID, Terms: terms, Fingerprint: license.HashFingerprint(itsID, machine),
		IssuedAt: jwt.NumericDate(began.Unix()), ExpiresAt: jwt.NumericDate(began.Add(20 * time.Hour).Unix()),
	})
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"license": file, "edited": file + "\r\n", "twice": file + "\n\n", "cut": file[:100], "checkout": checkout,
		"jwks": `{"keys":[` + key.JWK() + `]}`, "none": `{"keys":[]}`, "no-jwks": file, "damaged": "x",
	} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return folder, began
}

// ran is the exit status of chancery, and what it printed.
func ran(t *testing.T, args ...string) (status int, out, words string) {
	t.Helper()
	var files [2]*os.File
	for i, at := range []**os.File{&os.Stdout, &os.Stderr} {
		f, err := os.CreateTemp(t.TempDir(), "")
		if err != nil {
			t.Fatal(err)
		}
		was := *at
		files[i], *at = f, f
		defer func() { *at = was }()
	}
	status = run(t.Context(), args)
	for i, at := range []*string{&out, &words} {
		text, err := os.ReadFile(files[i].Name())
		if err != nil {
			t.Fatal(err)
		}
		*at = string(text)
		_ = files[i].Close()
	}
	return status, out, words
}

func TestALicenceFileIsVerifiedOffline(t *testing.T) {
	in, began := files(t)
	for name, c := range map[string]struct {
		args   string
		status int
		out    string
		words  string
	}{
		"whoever's":            {"license", 0, `"state": "active"`, ""},
		"as wanted":            {"license --app billing --tenant " + acme + " --vendor " + itsID, 0, `"app": "billing"`, ""},
		"ended by an editor":   {"edited", 0, `"accepted": true`, ""},
		"in grace":             {"license --at " + began.Add(2*time.Hour).Format(time.RFC3339), 0, `"state": "grace"`, "has ended, and works until"},
		"a checkout":           {"checkout --fingerprint=board\t42", 0, `"activation_id"`, ""},
		"another line break":   {"twice", 1, `"accepted": false`, license.ErrReencoded.Error()},
		"cut off":              {"cut", 1, `"accepted": false`, license.ErrTruncated.Error()},
		"another app":          {"license --app crm", 1, `"reason": "the licence is for another app: billing"`, license.ErrApp.Error()},
		"another tenant":       {"license --tenant " + itsID, 1, `"accepted": false`, license.ErrTenant.Error()},
		"another vendor":       {"license --vendor " + acme, 1, `"accepted": false`, license.ErrIssuer.Error()},
		"file expired":         {"license --at " + began.Add(21*time.Hour).Format(time.RFC3339), 1, `"accepted": false`, license.ErrFileExpired.Error()},
		"another machine":      {"checkout --fingerprint=board\t43", 1, `"accepted": false`, license.ErrFingerprint.Error()},
		"no machine":           {"checkout", 1, `"accepted": false`, license.ErrType.Error()},
		"no keys":              {"license --jwks " + in + "/none", 1, `"accepted": false`, license.ErrKeyID.Error()},
		"no key set":           {"license --jwks " + in + "/no-jwks", 2, "", "JWK Set"},
		"no file of keys":      {"license --jwks " + in + "/nothing", 2, "", "no such file"},
		"keys by a plain way":  {"license --jwks http://vendor.example/jwks.json", 2, "", "must begin with https"},
		"no file":              {"nothing", 2, "", "no such file"},
		"a damaged witness":    {"license --witness " + in + "/damaged", 2, "", license.ErrWitnessDamaged.Error()},
		"a witness in nowhere": {"license --witness " + in + "/no/folder/seen", 2, "", "witness"},
	} {
		args := append([]string{"license", "verify", "--jwks", in + "/jwks"}, strings.Split(in+"/"+c.args, " ")...)
		for i := range args {
			args[i] = strings.ReplaceAll(args[i], "\t", " ")
		}
		status, out, words := ran(t, args...)
		if status != c.status || !strings.Contains(out, c.out) || (c.out == "") != (out == "") || !strings.Contains(words, c.words) || (c.words == "") != (words == "") {
			t.Errorf("%s: status %d, %s%s", name, status, out, words)
		}
	}
}

func TestAWitnessIsBegunAndHeard(t *testing.T) {
	in, _ := files(t)
	seen := filepath.Join(t.TempDir(), "seen")
	args := []string{"license", "verify", in + "/license", "--jwks", in + "/jwks", "--witness", seen}
	if status, out, words := ran(t, args...); status != 0 || !strings.Contains(out, `"witness": "begun"`) {
		t.Fatalf("status %d, %s%s", status, out, words)
	}
	if status, out, words := ran(t, args...); status != 0 || strings.Contains(out, "witness") {
		t.Errorf("status %d, %s%s", status, out, words)
	}
	if err := (license.Witness{Path: seen}).Check(time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	if status, out, words := ran(t, args...); status != 1 || !strings.Contains(words, license.ErrClockBack.Error()) {
		t.Errorf("status %d, %s%s", status, out, words)
	}
}

func TestTheKeysAreFetched(t *testing.T) {
	in, _ := files(t)
	set, err := os.ReadFile(filepath.Join(in, "jwks"))
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/jwks.json":
			_, _ = w.Write(set)
		case "/moved":
			http.Redirect(w, r, "/jwks.json", http.StatusFound)
		case "/astray":
			http.Redirect(w, r, "http://vendor.example/jwks.json", http.StatusFound)
		default:
			http.NotFound(w, r)
		}
	}))
	defer server.Close()
	for path, want := range map[string]int{"/jwks.json": 0, "/moved": 0, "/astray": 2, "/none": 2} {
		if status, out, words := ran(t, "license", "verify", in+"/license", "--jwks", server.URL+path); status != want {
			t.Errorf("%s: status %d, %s%s", path, status, out, words)
		}
	}
}
