package authn_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/descope/virtualwebauthn"
	"github.com/google/uuid"

	"chancery/internal/authn"
)

// device is an authenticator, and the browser around it.
type device struct {
	party virtualwebauthn.RelyingParty // as the browser sees it
	auth  virtualwebauthn.Authenticator
	cred  virtualwebauthn.Credential
}

// newCredential makes another one where the library has dropped a coordinate's leading zero, as it does with one key in 128.
func newCredential(kind virtualwebauthn.KeyType) virtualwebauthn.Credential {
	for {
		c := virtualwebauthn.NewCredential(kind)
		if kind != virtualwebauthn.KeyTypeEC2 || len(c.Key.AttestationData()) == 77 {
			return c
		}
	}
}

func newDevice(kind virtualwebauthn.KeyType, user uuid.UUID) *device {
	d := &device{
		party: virtualwebauthn.RelyingParty{ID: "chancery.example", Name: "Chancery", Origin: "https://chancery.example:8443"},
		auth:  virtualwebauthn.NewAuthenticator(), cred: newCredential(kind),
	}
	d.auth.Options.UserHandle = user[:]
	return d
}

func (d *device) register(t *testing.T, options []byte) []byte {
	t.Helper()
	o, err := virtualwebauthn.ParseAttestationOptions(string(options))
	if err != nil {
		t.Fatal(err)
	}
	return []byte(virtualwebauthn.CreateAttestationResponse(d.party, d.auth, d.cred, *o))
}

func (d *device) sign(t *testing.T, options []byte) []byte {
	t.Helper()
	o, err := virtualwebauthn.ParseAssertionOptions(string(options))
	if err != nil {
		t.Fatal(err)
	}
	return []byte(virtualwebauthn.CreateAssertionResponse(d.party, d.auth, d.cred, *o))
}

func passkeyEngine(t *testing.T) *authn.Engine {
	t.Helper()
	return engine(t, authn.Config{PublicURL: "https://chancery.example:8443/"})
}

func ann() authn.PasskeyUser {
	return authn.PasskeyUser{ID: uuid.UUID{15: 1}, Name: "ann@example.org", DisplayName: "Ann"}
}

// registered is Ann with a passkey on a device of hers.
func registered(t *testing.T, e *authn.Engine, kind virtualwebauthn.KeyType) (user authn.PasskeyUser, d *device, material string) {
	t.Helper()
	user = ann()
	d = newDevice(kind, user.ID)
	options, state, err := e.PasskeyCreation(user)
	if err != nil {
		t.Fatal(err)
	}
	material, keyID, err := e.NewPasskey(user, state, d.register(t, options))
	if err != nil {
		t.Fatal(err)
	}
	if want := base64.RawURLEncoding.EncodeToString(d.cred.ID); keyID != want {
		t.Errorf("the key is %s, want %s", keyID, want)
	}
	user.Passkeys = []string{material}
	return user, d, material
}

func request(t *testing.T, e *authn.Engine, known ...string) (options, state []byte) {
	t.Helper()
	options, state, err := e.PasskeyRequest(known)
	if err != nil {
		t.Fatal(err)
	}
	return options, state
}

func TestAPasskeyIsRegisteredAndSignsIn(t *testing.T) {
	e := passkeyEngine(t)
	for _, kind := range []virtualwebauthn.KeyType{virtualwebauthn.KeyTypeEC2, virtualwebauthn.KeyTypeRSA} {
		user, d, material := registered(t, e, kind)
		for what, known := range map[string][]string{"with an address": {material}, "without": nil} {
			options, state := request(t, e, known...)
			response := d.sign(t, options)
			keyID, who, err := e.PasskeyID(response)
			if err != nil || keyID != base64.RawURLEncoding.EncodeToString(d.cred.ID) || who != user.ID {
				t.Errorf("%s: the assertion is of %s, %s: %v", what, keyID, who, err)
			}
			if counter, err := e.Passkey(user, material, state, response, 0); err != nil || counter != 0 {
				t.Errorf("%s: %v, counter %d", what, err, counter)
			}
		}
	}
}

func TestTheOptionsAskForWhatWeWant(t *testing.T) {
	e := passkeyEngine(t)
	user, d, material := registered(t, e, virtualwebauthn.KeyTypeEC2)
	options, _, err := e.PasskeyCreation(user)
	if err != nil {
		t.Fatal(err)
	}
	o, err := virtualwebauthn.ParseAttestationOptions(string(options))
	if err != nil || !d.cred.IsExcludedForAttestation(*o) {
		t.Errorf("the passkey that is there already is not excluded (%v): %s", err, options)
	}
	var creation struct {
		RP        map[string]string `json:"rp"`
		User      map[string]string `json:"user"`
		Selection map[string]any    `json:"authenticatorSelection"`
	}
	if err := json.Unmarshal(options, &creation); err != nil {
		t.Fatal(err)
	}
	if creation.RP["id"] != "chancery.example" || creation.Selection["residentKey"] != "preferred" || creation.Selection["userVerification"] != "required" ||
		creation.User["name"] != "ann@example.org" || creation.User["displayName"] != "Ann" {
		t.Errorf("%s", options)
	}
	options, _ = request(t, e, material)
	for _, want := range []string{`"userVerification":"required"`, `"rpId":"chancery.example"`, base64.RawURLEncoding.EncodeToString(d.cred.ID)} {
		if !strings.Contains(string(options), want) {
			t.Errorf("%s lacks %s", options, want)
		}
	}
	if strings.Contains(material, "clientDataJSON") {
		t.Errorf("more is stored than is needed: %s", material)
	}
}

func TestARegistrationThatIsNotWhatWasAskedForIsRefused(t *testing.T) {
	e := passkeyEngine(t)
	user := ann()
	options, state, err := e.PasskeyCreation(user)
	if err != nil {
		t.Fatal(err)
	}
	otherOptions, _, err := e.PasskeyCreation(user)
	if err != nil {
		t.Fatal(err)
	}
	_, request := request(t, e)
	bob := user
	bob.ID = uuid.UUID{15: 2}
	for what, try := range map[string]func(d *device) (authn.PasskeyUser, []byte, []byte){
		"wrong origin": func(d *device) (authn.PasskeyUser, []byte, []byte) {
			d.party.Origin = "https://chancery.example"
			return user, state, d.register(t, options)
		},
		"wrong relying party": func(d *device) (authn.PasskeyUser, []byte, []byte) {
			d.party.ID = "example"
			return user, state, d.register(t, options)
		},
		"wrong challenge": func(d *device) (authn.PasskeyUser, []byte, []byte) { return user, state, d.register(t, otherOptions) },
		"user not verified": func(d *device) (authn.PasskeyUser, []byte, []byte) {
			d.auth.Options.UserNotVerified = true
			return user, state, d.register(t, options)
		},
		"another user":       func(d *device) (authn.PasskeyUser, []byte, []byte) { return bob, state, d.register(t, options) },
		"state of a sign-in": func(d *device) (authn.PasskeyUser, []byte, []byte) { return user, request, d.register(t, options) },
		"no state":           func(d *device) (authn.PasskeyUser, []byte, []byte) { return user, nil, d.register(t, options) },
		"empty state":        func(d *device) (authn.PasskeyUser, []byte, []byte) { return user, []byte("{}"), d.register(t, options) },
		"no response":        func(*device) (authn.PasskeyUser, []byte, []byte) { return user, state, nil },
		"an edited response": func(d *device) (authn.PasskeyUser, []byte, []byte) {
			return user, state, edited(t, d.register(t, options), "attestationObject")
		},
		"edited client data": func(d *device) (authn.PasskeyUser, []byte, []byte) {
			return user, state, edited(t, d.register(t, options), "clientDataJSON")
		},
		"an assertion": func(d *device) (authn.PasskeyUser, []byte, []byte) { return user, state, d.sign(t, options) },
		"something after it": func(d *device) (authn.PasskeyUser, []byte, []byte) {
			return user, state, append(d.register(t, options), "{}"...)
		},
	} {
		who, state, response := try(newDevice(virtualwebauthn.KeyTypeEC2, user.ID))
		if material, _, err := e.NewPasskey(who, state, response); err == nil {
			t.Errorf("%s: registered %s", what, material)
		}
	}
	if _, _, err := e.NewPasskey(user, state, newDevice(virtualwebauthn.KeyTypeEC2, user.ID).register(t, options)); err != nil {
		t.Errorf("the one that was asked for: %v", err)
	}
}

// edited is a response with the last byte of one of its parts changed.
func edited(t *testing.T, response []byte, part string) []byte {
	t.Helper()
	var whole map[string]any
	if err := json.Unmarshal(response, &whole); err != nil {
		t.Fatal(err)
	}
	parts := whole["response"].(map[string]any)
	b, err := base64.RawURLEncoding.DecodeString(parts[part].(string))
	if err != nil {
		t.Fatal(err)
	}
	if part == "clientDataJSON" { // stays JSON
		b = []byte(strings.Replace(string(b), `{`, `{"more":1,`, 1))
	} else {
		b[len(b)-1] ^= 1
	}
	parts[part] = base64.RawURLEncoding.EncodeToString(b)
	out, err := json.Marshal(whole)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestASignInThatIsNotWhatWasAskedForIsRefused(t *testing.T) {
	e := passkeyEngine(t)
	user, mine, material := registered(t, e, virtualwebauthn.KeyTypeEC2)
	bob := authn.PasskeyUser{ID: uuid.UUID{15: 2}, Name: "bob@example.org"}
	for asked, known := range map[string][]string{"with an address": {material}, "without": nil} {
		options, state := request(t, e, known...)
		otherOptions, _ := request(t, e, known...)
		_, creation, err := e.PasskeyCreation(user)
		if err != nil {
			t.Fatal(err)
		}
		for what, try := range map[string]func(d *device) (authn.PasskeyUser, string, []byte, []byte){
			"wrong origin": func(d *device) (authn.PasskeyUser, string, []byte, []byte) {
				d.party.Origin = "https://evil.example:8443"
				return user, material, state, d.sign(t, options)
			},
			"wrong relying party": func(d *device) (authn.PasskeyUser, string, []byte, []byte) {
				d.party.ID = "evil.example"
				return user, material, state, d.sign(t, options)
			},
			"wrong challenge": func(d *device) (authn.PasskeyUser, string, []byte, []byte) {
				return user, material, state, d.sign(t, otherOptions)
			},
			"user not verified": func(d *device) (authn.PasskeyUser, string, []byte, []byte) {
				d.auth.Options.UserNotVerified = true
				return user, material, state, d.sign(t, options)
			},
			"user not present": func(d *device) (authn.PasskeyUser, string, []byte, []byte) {
				d.auth.Options.UserNotPresent = true
				return user, material, state, d.sign(t, options)
			},
			"another user": func(d *device) (authn.PasskeyUser, string, []byte, []byte) {
				return bob, material, state, d.sign(t, options)
			},
			"another key under the same name": func(d *device) (authn.PasskeyUser, string, []byte, []byte) {
				d.cred.Key = newCredential(virtualwebauthn.KeyTypeEC2).Key
				return user, material, state, d.sign(t, options)
			},
			"another passkey": func(d *device) (authn.PasskeyUser, string, []byte, []byte) {
				d.cred = newCredential(virtualwebauthn.KeyTypeEC2)
				return user, material, state, d.sign(t, options)
			},
			"edited data": func(d *device) (authn.PasskeyUser, string, []byte, []byte) {
				return user, material, state, edited(t, d.sign(t, options), "authenticatorData")
			},
			"edited client data": func(d *device) (authn.PasskeyUser, string, []byte, []byte) {
				return user, material, state, edited(t, d.sign(t, options), "clientDataJSON")
			},
			"edited signature": func(d *device) (authn.PasskeyUser, string, []byte, []byte) {
				return user, material, state, edited(t, d.sign(t, options), "signature")
			},
			"a state of a registration": func(d *device) (authn.PasskeyUser, string, []byte, []byte) {
				return user, material, creation, d.sign(t, options)
			},
			"no state": func(d *device) (authn.PasskeyUser, string, []byte, []byte) {
				return user, material, nil, d.sign(t, options)
			},
			"damaged material": func(d *device) (authn.PasskeyUser, string, []byte, []byte) {
				return user, "{}", state, d.sign(t, options)
			},
			"no response": func(*device) (authn.PasskeyUser, string, []byte, []byte) {
				return user, material, state, []byte("null")
			},
		} {
			d := *mine
			who, stored, state, response := try(&d)
			if _, err := e.Passkey(who, stored, state, response, 0); err == nil {
				t.Errorf("%s, %s: signed in", asked, what)
			}
		}
		if _, err := e.Passkey(user, material, state, mine.sign(t, options), 0); err != nil {
			t.Errorf("%s, the one that was asked for: %v", asked, err)
		}
	}
}

func TestAPasskeyThatWasNotAskedForIsRefused(t *testing.T) {
	e := passkeyEngine(t)
	user, _, first := registered(t, e, virtualwebauthn.KeyTypeEC2)
	_, d, second := registered(t, e, virtualwebauthn.KeyTypeEC2)
	options, state := request(t, e, first)
	if _, err := e.Passkey(user, second, state, d.sign(t, options), 0); err == nil {
		t.Error("another passkey of the same user is taken")
	}
	options, state = request(t, e, first, second)
	if _, err := e.Passkey(user, second, state, d.sign(t, options), 0); err != nil {
		t.Errorf("one of two: %v", err)
	}
}

func TestAnAuthenticatorThatSaysNoUserMayOnlyAnswerForAnAddress(t *testing.T) {
	e := passkeyEngine(t)
	user, d, material := registered(t, e, virtualwebauthn.KeyTypeEC2)
	d.auth.Options.UserHandle = nil
	options, state := request(t, e, material)
	response := d.sign(t, options)
	if _, who, err := e.PasskeyID(response); err != nil || who != uuid.Nil {
		t.Errorf("%s, %v", who, err)
	}
	if _, err := e.Passkey(user, material, state, response, 0); err != nil {
		t.Error(err)
	}
	options, state = request(t, e)
	if _, err := e.Passkey(user, material, state, d.sign(t, options), 0); err == nil {
		t.Error("nobody signs in")
	}
	d.auth.Options.UserHandle = []byte("not of ours")
	if _, _, err := e.PasskeyID(d.sign(t, options)); err == nil {
		t.Error("a handle that is no id of ours is taken")
	}
}

func TestAClonedPasskeyIsFoundOut(t *testing.T) {
	e := passkeyEngine(t)
	user, d, material := registered(t, e, virtualwebauthn.KeyTypeEC2)
	sign := func(counts, counted uint32) (uint32, error) {
		t.Helper()
		d.cred.Counter = counts
		options, state := request(t, e, material)
		return e.Passkey(user, material, state, d.sign(t, options), counted)
	}
	if n, err := sign(5, 0); err != nil || n != 5 {
		t.Errorf("counted to %d, %v", n, err)
	}
	if n, err := sign(6, 5); err != nil || n != 6 {
		t.Errorf("counted to %d, %v", n, err)
	}
	for _, counts := range []uint32{6, 5, 0} {
		if _, err := sign(counts, 6); err == nil {
			t.Errorf("from 6 to %d: taken", counts)
		}
	}
}

func TestAHostByNumberHasNoPasskeys(t *testing.T) {
	for _, address := range []string{"http://127.0.0.1:8080", "https://[2001:db8::1]"} {
		e := engine(t, authn.Config{PublicURL: address})
		if _, _, err := e.PasskeyCreation(ann()); !errors.Is(err, authn.ErrNoPasskeys) {
			t.Errorf("%s: %v", address, err)
		}
		if _, _, err := e.PasskeyRequest(nil); !errors.Is(err, authn.ErrNoPasskeys) {
			t.Errorf("%s: %v", address, err)
		}
		if _, err := e.Passkey(ann(), "", nil, nil, 0); !errors.Is(err, authn.ErrNoPasskeys) {
			t.Errorf("%s: %v", address, err)
		}
	}
	local := engine(t, authn.Config{PublicURL: "http://localhost:8080"})
	if _, _, err := local.PasskeyCreation(ann()); err != nil {
		t.Errorf("localhost: %v", err)
	}
}

// Browsers hash the name of the host in small letters, however an operator writes it.
func TestAHostIsNamedInSmallLetters(t *testing.T) {
	options, _, err := engine(t, authn.Config{PublicURL: "https://Chancery.Example"}).PasskeyCreation(ann())
	if err != nil || !bytes.Contains(options, []byte(`"id":"chancery.example"`)) {
		t.Errorf("%s %v", options, err)
	}
}
