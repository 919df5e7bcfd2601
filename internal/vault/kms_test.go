package vault_test

import (
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"chancery/internal/vault"
	"chancery/internal/vault/transittest"
)

const kmsToken = "hvs.chancery-may-use-its-key"

// transit starts a server whose key "chancery" our token may use, and nothing else.
func transit(t *testing.T) *transittest.Server {
	t.Helper()
	t.Setenv("VAULT_TOKEN", "")
	t.Setenv("VAULT_NAMESPACE", "")
	s := transittest.New(t)
	s.Do(t, "POST", "transit/keys/chancery", nil)
	s.Allow(kmsToken, transittest.Policy{"transit/encrypt/chancery": {"update"}, "transit/decrypt/chancery": {"update"}})
	return s
}

func kms(t *testing.T, address, token string) *vault.KMS {
	t.Helper()
	k, err := vault.OpenKMS(address, vault.NewSecret(token))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func openKeys(t *testing.T, s vault.Source) *vault.Keys {
	t.Helper()
	keys, err := vault.OpenKeys(s)
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

func TestAKeyFileOfAKMSIsSealedFromTheStart(t *testing.T) {
	server := transit(t)
	s := vault.Source{File: filepath.Join(t.TempDir(), "keys"), KMS: kms(t, server.Key("chancery"), kmsToken)}
	first := openKeys(t, s)
	text, err := os.ReadFile(s.File)
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(text), "encryptedKeyset"); n != 4 || regexp.MustCompile(`"keyData"|"value"`).Match(text) {
		t.Errorf("%d sealed keysets in %s", n, text)
	}
	if again := openKeys(t, s); again.Fingerprint() != first.Fingerprint() {
		t.Error("a restart has other keys")
	}
	asked := server.Asked()
	first.Claim(acme, "email", "ann@acme.test")
	first.Pepper("x")
	if len(server.Asked()) != len(asked) {
		t.Error("the KMS is asked for every use of a key")
	}
}

func TestASealedKeyringOpensForNobodyWithoutTheKMS(t *testing.T) {
	server := transit(t)
	s := vault.Source{File: filepath.Join(t.TempDir(), "keys"), KMS: kms(t, server.Key("chancery"), kmsToken)}
	openKeys(t, s)
	server.Do(t, "POST", "transit/keys/other", nil)
	server.Allow("hvs.nothing", transittest.Policy{})
	for name, c := range map[string]struct {
		kms  *vault.KMS
		want string
	}{
		"no KMS":      {nil, "set CHANCERY_KMS"},
		"other key":   {kms(t, server.Key("other"), transittest.Root), "400: cipher: message authentication failed"},
		"no key":      {kms(t, server.Key("missing"), transittest.Root), "400: encryption key not found"},
		"no right":    {kms(t, server.Key("chancery"), "hvs.nothing"), "403: 1 error occurred: * permission denied"},
		"wrong token": {kms(t, server.Key("chancery"), "hvs.forged"), "403: 2 errors occurred: * permission denied * invalid token"},
		"no token":    {kms(t, server.Key("chancery"), ""), "403"},
		"no mount":    {kms(t, server.URL+"/elsewhere/keys/chancery", kmsToken), "404: no handler for route"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := vault.OpenKeys(vault.Source{File: s.File, KMS: c.kms})
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v; want %s", err, c.want)
			}
			if err != nil && (strings.Contains(err.Error(), "hvs.") || strings.Contains(err.Error(), "\n")) {
				t.Errorf("the message shows a token, or is of many lines: %v", err)
			}
		})
	}
}

func TestAKeysetOfASealedKeyringDoesNotPassForAnother(t *testing.T) {
	server := transit(t)
	s := vault.Source{File: filepath.Join(t.TempDir(), "keys"), KMS: kms(t, server.Key("chancery"), kmsToken)}
	openKeys(t, s)
	edit(t, s.File, func(doc map[string]any) { doc["claims"], doc["tokens"] = doc["tokens"], doc["claims"] })
	if _, err := vault.OpenKeys(s); err == nil || !strings.Contains(err.Error(), "message authentication failed") {
		t.Errorf("swapped keysets: %v", err)
	}
}

func TestAKeyringInTheClearIsSealedByCommandOnly(t *testing.T) {
	server := transit(t)
	plain := vault.Source{File: filepath.Join(t.TempDir(), "keys")}
	name := openKeys(t, plain).Fingerprint()
	sealed := vault.Source{File: plain.File, KMS: kms(t, server.Key("chancery"), kmsToken)}
	if _, err := vault.OpenKeys(sealed); !errors.Is(err, vault.ErrUnsealed) || !strings.Contains(err.Error(), "chancery keys seal") {
		t.Fatalf("unsealed: %v", err)
	}
	if _, err := sealed.Rotate(vault.Rotation{}); !errors.Is(err, vault.ErrUnsealed) {
		t.Fatalf("rotate unsealed: %v", err)
	}
	if _, err := sealed.Seal(nil); err != nil {
		t.Fatal(err)
	}
	if openKeys(t, sealed).Fingerprint() != name {
		t.Error("sealing changed the keys")
	}
	if _, err := vault.OpenKeys(plain); !errors.Is(err, vault.ErrSealed) {
		t.Errorf("opened without the KMS: %v", err)
	}
	if _, err := plain.Seal(sealed.KMS); err != nil {
		t.Fatal(err)
	}
	if openKeys(t, plain).Fingerprint() != name {
		t.Error("unsealing changed the keys")
	}
}

func TestTheKMSKeyRotatesUnderASealedKeyring(t *testing.T) {
	server := transit(t)
	s := vault.Source{File: filepath.Join(t.TempDir(), "keys"), KMS: kms(t, server.Key("chancery"), kmsToken)}
	name := openKeys(t, s).Fingerprint()
	server.Do(t, "POST", "transit/keys/chancery/rotate", nil)
	if openKeys(t, s).Fingerprint() != name {
		t.Fatal("the older version does not open")
	}
	if _, err := s.Seal(nil); err != nil {
		t.Fatal(err)
	}
	server.Do(t, "POST", "transit/keys/chancery/config", map[string]int{"min_decryption_version": 2})
	if openKeys(t, s).Fingerprint() != name {
		t.Error("sealing again did not move to the newest version")
	}
	server.Do(t, "POST", "transit/keys/chancery/rotate", nil)
	server.Do(t, "POST", "transit/keys/chancery/config", map[string]int{"min_decryption_version": 3})
	if _, err := vault.OpenKeys(s); err == nil || !strings.Contains(err.Error(), "too old") {
		t.Errorf("a version that is too old: %v", err)
	}
}

func TestAKeyringMovesToAnotherKMSKey(t *testing.T) {
	server := transit(t)
	file := filepath.Join(t.TempDir(), "keys")
	old := vault.Source{File: file, KMS: kms(t, server.Key("chancery"), kmsToken)}
	name := openKeys(t, old).Fingerprint()
	server.Do(t, "POST", "transit/keys/next", nil)
	next := vault.Source{File: file, KMS: kms(t, server.Key("next"), transittest.Root)}
	if _, err := next.Seal(old.KMS); err != nil {
		t.Fatal(err)
	}
	if openKeys(t, next).Fingerprint() != name {
		t.Error("other keys")
	}
}

func TestNoKeyFileIsMadeWhileTheKMSIsAway(t *testing.T) {
	server := transit(t)
	server.Do(t, "POST", "transit/keys/derived", map[string]bool{"derived": true})
	for name, address := range map[string]string{
		"400: missing 'context'":         server.Key("derived"),
		"403: 1 error":                   server.Key("made-on-the-way"),
		"404: no handler":                server.URL + "/elsewhere/keys/chancery",
		"connect: connection refused":    "http://127.0.0.1:1/transit/keys/chancery",
		"gave HTTP response to HTTPS cl": strings.Replace(server.Key("chancery"), "http://", "hcvault://", 1),
	} {
		token := kmsToken
		if strings.Contains(address, "derived") {
			token = transittest.Root
		}
		t.Setenv("VAULT_MAX_RETRIES", "0")
		s := vault.Source{File: filepath.Join(t.TempDir(), "keys"), KMS: kms(t, address, token)}
		if _, err := vault.OpenKeys(s); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v; want %s", address, err, name)
		}
		if _, err := os.Stat(s.File); err == nil {
			t.Errorf("%s: a file is there", name)
		}
	}
}

func TestAnAddressThatIsNotOfATransitKeyIsRefused(t *testing.T) {
	for _, address := range []string{
		"", "transit", "hcvault://", "hcvault://host", "hcvault://host/transit/encrypt/x", "hcvault://me:secret@host/transit/keys/x",
		"hcvault://host/transit/keys/x?token=secret", "ftp://host/transit/keys/x", "http://vault.example.org/transit/keys/x", "%zz",
	} {
		if _, err := vault.OpenKMS(address, vault.Secret{}); err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", address, err)
		}
	}
	for address, name := range map[string]string{
		"hcvault://host:8200/transit/keys/x":    "hcvault://host:8200/transit/keys/x",
		"https://host/a/b/keys/x":               "hcvault://host/a/b/keys/x",
		"http://localhost:8200/transit/keys/x":  "hcvault://localhost:8200/transit/keys/x",
		"http://[::1]:8200/transit/keys/x%2By+": "hcvault://[::1]:8200/transit/keys/x%2By+",
	} {
		if k := kms(t, address, ""); k.Name() != name {
			t.Errorf("%s is called %s", address, k.Name())
		}
	}
}

func TestTheTokenMayComeFromVaultsOwnVariable(t *testing.T) {
	server := transit(t)
	t.Setenv("VAULT_TOKEN", kmsToken)
	openKeys(t, vault.Source{File: filepath.Join(t.TempDir(), "keys"), KMS: kms(t, server.Key("chancery"), "")})
}
