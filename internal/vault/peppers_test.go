package vault_test

import (
	"bytes"
	"path/filepath"
	"testing"
)

func TestAPepperIsStableAndNamed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys")
	keys := loadKeys(t, path)
	id, out := keys.Pepper("hunter2")
	if id == "" || len(out) != 32 || bytes.Contains(out, []byte("hunter2")) {
		t.Fatalf("%q %x", id, out)
	}
	if again, ok := loadKeys(t, path).PepperOf(id, "hunter2"); !ok || !bytes.Equal(again, out) {
		t.Error("a restart peppers otherwise")
	}
	if other, ok := keys.PepperOf(id, "hunter3"); !ok || bytes.Equal(other, out) {
		t.Error("another password has the same pepper")
	}
	if _, other := loadKeys(t, filepath.Join(t.TempDir(), "keys")).Pepper("hunter2"); bytes.Equal(other, out) {
		t.Error("another keyring peppers alike")
	}
	if secret := keys.TokenSecret("hunter2"); bytes.Equal(secret[:], out) {
		t.Error("peppers and tokens share a key")
	}
	for _, unknown := range []string{"", "0", "x", id + "0"} {
		if _, ok := keys.PepperOf(unknown, "hunter2"); ok {
			t.Errorf("there is a pepper %q", unknown)
		}
	}
}
