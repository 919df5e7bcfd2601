package webhooks

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/pem"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"chancery/internal/deliveries"
)

// seed is the private key of RFC 8032, section 7.1, test 1; whose public key is published with it.
var (
	seed   = []byte("\x9d\x61\xb1\x9d\xef\xfd\x5a\x60\xba\x84\x4a\xf4\x92\xec\x2c\xc4\x44\x49\xc5\x69\x7b\x32\x69\x19\x70\x3b\xac\x03\x1c\xae\x7f\x60")
	public = []byte("\xd7\x5a\x98\x01\x82\xb1\x0a\xb7\xd5\x4b\xfe\xd3\xc9\x64\x07\x3a\x0e\xe1\x72\xf3\xda\xa6\x23\x25\xaf\x02\x1a\x68\xf7\x07\x51\x1a")
)

// The vector that the tests of the standard's libraries share: secret, id, time and payload, and what v1 is of them
// (github.com/standard-webhooks/standard-webhooks, libraries/go/webhook_test.go).
const (
	vectorSecret  = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	vectorID      = "msg_p5jXN8AQM9LWM0D4loKWxJek"
	vectorPayload = `{"test": 2432232314}`
	vectorV1      = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
)

var vectorTime = time.Unix(1614265330, 0)

func keysOf(secret string, until time.Time) deliveries.Keys {
	return deliveries.Keys{Secret: secret, Private: "whsk_" + base64.StdEncoding.EncodeToString(seed), Until: until}
}

func ringOf(t *testing.T, keys ...deliveries.Keys) *ring {
	t.Helper()
	r := (&rings{}).of(deliveries.Endpoint{ID: uuid.New(), Keys: keys})
	if r.err != nil {
		t.Fatal(r.err)
	}
	return r
}

func TestThePublishedVectorOfStandardWebhooksIsWhatWeSign(t *testing.T) {
	header, err := ringOf(t, keysOf(vectorSecret, time.Time{})).sign(vectorID, vectorTime, []byte(vectorPayload))
	if err != nil {
		t.Fatal(err)
	}
	v1, v1a, _ := strings.Cut(header, " ")
	if v1 != vectorV1 {
		t.Errorf("v1 is %s, want %s", v1, vectorV1)
	}
	signature := asymmetric(t, v1a)
	if !ed25519.Verify(public, []byte(vectorID+".1614265330."+vectorPayload), signature) {
		t.Errorf("%s does not verify under the public key of RFC 8032", v1a)
	}
	if ed25519.Verify(public, []byte(vectorID+".1614265331."+vectorPayload), signature) {
		t.Error("v1a verifies for another time")
	}
}

func TestOpenSSLVerifiesOurEd25519(t *testing.T) {
	openssl, err := exec.LookPath("openssl")
	if err != nil {
		t.Skip("no openssl on this machine")
	}
	header, err := ringOf(t, keysOf(vectorSecret, time.Time{})).sign(vectorID, vectorTime, []byte(vectorPayload))
	if err != nil {
		t.Fatal(err)
	}
	_, v1a, _ := strings.Cut(header, " ")
	dir := t.TempDir()
	file := func(name string, content []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	spki := append([]byte("\x30\x2a\x30\x05\x06\x03\x2b\x65\x70\x03\x21\x00"), public...) // RFC 8410
	key := file("key.pem", pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: spki}))
	signature := file("signature", asymmetric(t, v1a))
	for payload, ok := range map[string]bool{vectorPayload: true, strings.Replace(vectorPayload, "4", "5", 1): false} {
		what := file("signed", []byte(vectorID+".1614265330."+payload))
		said, err := exec.CommandContext(t.Context(), openssl, "pkeyutl", "-verify", "-rawin", "-pubin", "-inkey", key, "-sigfile", signature, "-in", what).CombinedOutput()
		if bytes.Contains(said, []byte("nknown option")) {
			t.Skipf("this openssl knows no Ed25519: %s", said)
		}
		if (err == nil) != ok {
			t.Errorf("%s: %v, %s", payload, err, said)
		}
	}
}

func asymmetric(t *testing.T, v1a string) []byte {
	t.Helper()
	text, ok := strings.CutPrefix(v1a, "v1a,")
	signature, err := base64.StdEncoding.DecodeString(text)
	if !ok || err != nil {
		t.Fatalf("%q is no v1a signature: %v", v1a, err)
	}
	return signature
}

func TestAfterARotationBothKeysSignUntilTheOlderOneEnds(t *testing.T) {
	older, newer := vectorSecret, "whsec_"+base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{7}, 32))
	end := vectorTime.Add(24 * time.Hour)
	r := ringOf(t, keysOf(newer, time.Time{}), keysOf(older, end))
	for at, want := range map[time.Time]int{vectorTime: 4, end.Add(-time.Second): 4, end: 2, end.Add(time.Hour): 2} {
		header, err := r.sign(vectorID, at, []byte(vectorPayload))
		if got := strings.Fields(header); err != nil || len(got) != want {
			t.Errorf("at %v: %q, %v", at, header, err)
		}
	}
	header, _ := r.sign(vectorID, vectorTime, []byte(vectorPayload))
	if got := strings.Fields(header); got[2] != vectorV1 || got[0] == vectorV1 || !strings.HasPrefix(got[0], "v1,") {
		t.Errorf("the newest key does not sign first: %q", header)
	}
	if _, err := ringOf(t, keysOf(older, end)).sign(vectorID, end, nil); err == nil {
		t.Error("signed without a key in force")
	}
}

func TestKeysAreReadOnceForEachVersion(t *testing.T) {
	var all rings
	e := deliveries.Endpoint{ID: uuid.New(), Version: 1, Keys: []deliveries.Keys{keysOf(vectorSecret, time.Time{})}}
	first := all.of(e)
	if all.of(e) != first {
		t.Error("the same version was read twice")
	}
	e.Version, e.Keys = 2, []deliveries.Keys{keysOf("whsec_"+base64.StdEncoding.EncodeToString(make([]byte, 32)), time.Time{})}
	if next, _ := all.of(e).sign(vectorID, vectorTime, []byte(vectorPayload)); next == "" || strings.Contains(next, vectorV1) {
		t.Errorf("the next version signs with the keys before: %q", next)
	}
}

func TestKeysThatCannotBeReadSignNothing(t *testing.T) {
	good := keysOf(vectorSecret, time.Time{})
	for name, bad := range map[string]deliveries.Keys{
		"secret": {Secret: "whsec_%", Private: good.Private}, "no secret": {Private: good.Private}, "no private": {Secret: good.Secret},
		"short": {Secret: good.Secret, Private: "whsk_AAAA"}, "no base64": {Secret: good.Secret, Private: "whsk_%"},
	} {
		r := (&rings{}).of(deliveries.Endpoint{ID: uuid.New(), Keys: []deliveries.Keys{bad}})
		if header, err := r.sign(vectorID, vectorTime, nil); err == nil {
			t.Errorf("%s: %q", name, header)
		}
	}
}
