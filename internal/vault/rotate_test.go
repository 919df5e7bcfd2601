package vault_test

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"

	"chancery/internal/vault"
)

// edit changes a key file as nobody should.
func edit(t *testing.T, path string, change func(map[string]any)) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var doc map[string]any
	if err := json.Unmarshal(text, &doc); err != nil {
		t.Fatal(err)
	}
	change(doc)
	if text, err = json.Marshal(doc); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
}

func rotate(t *testing.T, s vault.Source, r vault.Rotation) {
	t.Helper()
	if _, err := s.Rotate(r); err != nil {
		t.Fatal(err)
	}
}

// rewrapAll wraps every row of the table anew.
func rewrapAll(t *testing.T, keys *vault.Keys, source *table) {
	t.Helper()
	source.mu.Lock()
	defer source.mu.Unlock()
	for ref, row := range source.rows {
		renewed, err := keys.Rewrap(vault.WrappedKey{Tenant: ref[0], Subject: ref[1], Wrapped: row})
		if err != nil {
			t.Fatal(err)
		}
		source.rows[ref] = renewed.Wrapped
	}
}

func under(t *testing.T, wrapped []byte) uint32 {
	t.Helper()
	id, ok := vault.WrappedUnder(wrapped)
	if !ok {
		t.Fatalf("%x does not tell under which key it lies", wrapped)
	}
	return id
}

func TestARotationChangesNothingThatIsStored(t *testing.T) {
	s := vault.Source{File: filepath.Join(t.TempDir(), "keys")}
	source := newTable()
	before := openKeys(t, s)
	v := vault.New(vault.Config{Keys: before, Source: source})
	sealed := seal(t, v, source, acme, ann, "email", "ann@acme.test")
	id, peppered := before.Pepper("hunter2")
	ticket := before.SealTicket("sign-in", []byte("x"))
	rotate(t, s, vault.Rotation{Pepper: true})

	after := openKeys(t, s)
	if before.Fingerprint() != after.Fingerprint() || before.TokenSecret("a") != after.TokenSecret("a") ||
		before.Claim(acme, "email", "x") != after.Claim(acme, "email", "x") {
		t.Error("fingerprint, tokens or claims changed")
	}
	if out, ok := after.PepperOf(id, "hunter2"); !ok || string(out) != string(peppered) {
		t.Error("the old pepper is gone")
	}
	if now, _ := after.Pepper("hunter2"); now == id {
		t.Error("the pepper was not rotated")
	}
	if plain, ok := after.OpenTicket("sign-in", ticket); !ok || string(plain) != "x" {
		t.Error("the ticket does not open")
	}
	open(t, vault.New(vault.Config{Keys: after, Source: source}), acme, "email", sealed, "ann@acme.test")
}

func TestAProcessThatRunsFollowsARotation(t *testing.T) {
	s := vault.Source{File: filepath.Join(t.TempDir(), "keys")}
	source := newTable()
	stale := vault.New(vault.Config{Keys: openKeys(t, s), Source: source})
	rotate(t, s, vault.Rotation{Pepper: true})
	fresh := vault.New(vault.Config{Keys: openKeys(t, s), Source: source})
	sealed := seal(t, fresh, source, acme, ann, "email", "ann@acme.test")
	id, want := fresh.Pepper("hunter2")

	open(t, stale, acme, "email", sealed, "ann@acme.test")
	if out, ok := stale.PepperOf(id, "hunter2"); !ok || string(out) != string(want) {
		t.Error("the new pepper is not known")
	}
	if stale.PrimaryKEK() != fresh.PrimaryKEK() {
		t.Error("the new key is not used")
	}
}

func TestWrappingAnewKeepsTheDataKeyAndTheOldKeyringOpensItNoMore(t *testing.T) {
	s := vault.Source{File: filepath.Join(t.TempDir(), "keys")}
	old := vault.Source{File: filepath.Join(t.TempDir(), "copy")}
	source := newTable()
	keys := openKeys(t, s)
	v := vault.New(vault.Config{Keys: keys, Source: source})
	sealed := seal(t, v, source, acme, ann, "email", "ann@acme.test")
	copyFile(t, s.File, old.File)
	rotate(t, s, vault.Rotation{})
	rewrapAll(t, openKeys(t, s), source)

	row := source.rows[[2]uuid.UUID{acme, ann}]
	if under(t, row) != openKeys(t, s).PrimaryKEK() {
		t.Error("the row lies under another key")
	}
	v.Drop(acme, ann)
	open(t, v, acme, "email", sealed, "ann@acme.test")
	other := vault.New(vault.Config{Keys: openKeys(t, old), Source: source})
	if _, err := other.Open(t.Context(), acme, "email", sealed); err == nil || errors.Is(err, vault.ErrErased) ||
		!strings.Contains(err.Error(), "key-encryption key") {
		t.Errorf("with the old key file: %v", err)
	}
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	text, err := os.ReadFile(from)
	if err == nil {
		err = os.WriteFile(to, text, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func TestARowThatIsWrappedAnewAndItsOldKeyPrunedWhileItIsReadOpens(t *testing.T) {
	s := vault.Source{File: filepath.Join(t.TempDir(), "keys")}
	source := newTable()
	keys := openKeys(t, s)
	v := vault.New(vault.Config{Keys: keys, Source: source})
	sealed := seal(t, v, source, acme, ann, "email", "ann@acme.test")
	v.Drop(acme, ann)
	old := keys.PrimaryKEK()
	source.during = func() {
		source.during = nil
		rotate(t, s, vault.Rotation{})
		rewrapAll(t, openKeys(t, s), source)
		if _, err := s.Drop([]uint32{old}); err != nil {
			t.Error(err)
		}
		keys.PepperOf("unknown", "x") // makes the process read its keyring again, which has the old key no more
	}
	open(t, v, acme, "email", sealed, "ann@acme.test")
}

func TestAnAnnouncedKeyIsKnownToAllBeforeAnythingLiesUnderIt(t *testing.T) {
	s := vault.Source{File: filepath.Join(t.TempDir(), "keys"), Now: func() time.Time { return time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC) }}
	first := openKeys(t, s).PrimaryKEK()
	if _, err := s.Rotate(vault.Rotation{Promote: true}); !errors.Is(err, vault.ErrNothingAnnounced) {
		t.Fatalf("nothing is announced: %v", err)
	}
	rotate(t, s, vault.Rotation{Announce: true})
	announced := openKeys(t, s).KEKs()
	made := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	if len(announced) != 2 || announced[0] != (vault.KeyInfo{ID: first, Primary: true, Made: made}) || !announced[1].Announced || announced[1].Primary {
		t.Fatalf("%+v", announced)
	}
	early := vault.Source{File: filepath.Join(t.TempDir(), "copy")} // of another machine
	copyFile(t, s.File, early.File)
	rotate(t, s, vault.Rotation{Promote: true})
	if got := openKeys(t, s).KEKs(); got[0].Primary || !got[1].Primary || got[1].ID != announced[1].ID {
		t.Fatalf("%+v", got)
	}
	source := newTable()
	sealed := seal(t, vault.New(vault.Config{Keys: openKeys(t, s), Source: source}), source, acme, ann, "email", "x")
	open(t, vault.New(vault.Config{Keys: openKeys(t, early), Source: source}), acme, "email", sealed, "x")
}

func TestAKeyringInTheEnvironmentIsPrintedAndNeverMade(t *testing.T) {
	text, err := vault.Source{}.NewDocument()
	if err != nil {
		t.Fatal(err)
	}
	s := vault.Source{Document: text, File: filepath.Join(t.TempDir(), "keys")}
	before := openKeys(t, s)
	edited, err := s.Rotate(vault.Rotation{})
	if err != nil || edited.Document.IsZero() {
		t.Fatal(err)
	}
	after := openKeys(t, vault.Source{Document: edited.Document})
	if before.Fingerprint() != after.Fingerprint() || before.PrimaryKEK() == after.PrimaryKEK() {
		t.Error("not the same keyring with a new key")
	}
	if _, err := os.Stat(s.File); err == nil {
		t.Error("a file was made")
	}
	if _, err := vault.OpenKeys(vault.Source{Document: vault.NewSecret("{}")}); err == nil || strings.Contains(err.Error(), "file") {
		t.Errorf("an empty document: %v", err)
	}
}

func TestAnEarlierKeyFileIsUpgradedInPlaceByWhoeverComesFirst(t *testing.T) {
	for range 10 {
		s := vault.Source{File: filepath.Join(t.TempDir(), "keys")}
		name := openKeys(t, s).Fingerprint()
		edit(t, s.File, func(doc map[string]any) {
			doc["version"] = 1
			delete(doc, "peppers")
			delete(doc, "made")
		})
		ids := make([]string, 8)
		var wg sync.WaitGroup
		for i := range ids {
			wg.Go(func() {
				if keys, err := vault.OpenKeys(s); err == nil && keys.Fingerprint() == name {
					ids[i], _ = keys.Pepper("x")
				}
			})
		}
		wg.Wait()
		for _, id := range ids {
			if id == "" || id != ids[0] {
				t.Fatalf("%q: the processes have different peppers", ids)
			}
		}
		if info, err := os.Stat(s.File); err != nil || info.Mode().Perm() != 0o600 {
			t.Fatal(info.Mode(), err)
		}
	}
}

func TestAnEarlierDocumentInTheEnvironmentIsUpgradedByCommand(t *testing.T) {
	file := vault.Source{File: filepath.Join(t.TempDir(), "keys")}
	name := openKeys(t, file).Fingerprint()
	edit(t, file.File, func(doc map[string]any) {
		doc["version"] = 1
		delete(doc, "peppers")
	})
	text, err := os.ReadFile(file.File)
	if err != nil {
		t.Fatal(err)
	}
	s := vault.Source{Document: vault.NewSecret(string(text))}
	if _, err := vault.OpenKeys(s); !errors.Is(err, vault.ErrOldVersion) {
		t.Fatalf("%v", err)
	}
	edited, err := s.Upgrade()
	if err != nil {
		t.Fatal(err)
	}
	if openKeys(t, vault.Source{Document: edited.Document}).Fingerprint() != name {
		t.Error("other keys")
	}
}

func TestOneWhoEditsWaitsForAnother(t *testing.T) {
	s := vault.Source{File: filepath.Join(t.TempDir(), "keys")}
	openKeys(t, s)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() { _, _ = s.Rotate(vault.Rotation{Pepper: true}) })
	}
	wg.Wait()
	keys := openKeys(t, s)
	if len(keys.KEKs()) != 9 || len(keys.Peppers()) != 9 {
		t.Errorf("%d keys and %d peppers after 8 rotations", len(keys.KEKs()), len(keys.Peppers()))
	}
	left, err := os.ReadDir(filepath.Dir(s.File))
	if err != nil || len(left) != 2 { // and the lock
		t.Errorf("%v %v", left, err)
	}
}

func TestARotatedKeyFileKeepsItsOwnerAndMode(t *testing.T) {
	folder := t.TempDir()
	s := vault.Source{File: filepath.Join(folder, "link")}
	openKeys(t, vault.Source{File: filepath.Join(folder, "keys")})
	if err := os.Symlink("keys", s.File); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(s.File, 0o400); err != nil {
		t.Fatal(err)
	}
	owner := os.Getuid()
	if owner == 0 {
		owner = 12345
		if err := os.Chown(s.File, owner, owner); err != nil {
			t.Fatal(err)
		}
	}
	rotate(t, s, vault.Rotation{})
	info, err := os.Lstat(filepath.Join(folder, "keys"))
	if err != nil || info.Mode() != 0o400 || int(info.Sys().(*syscall.Stat_t).Uid) != owner {
		t.Errorf("%v %+v", err, info)
	}
	if link, err := os.Readlink(s.File); err != nil || link != "keys" {
		t.Errorf("the link was replaced: %v", err)
	}
}

func TestARotationFollowsNoLinkInThePlaceOfItsLock(t *testing.T) {
	for name, link := range map[string]func(from, to string) error{"symbolic": os.Symlink, "hard": os.Link} {
		folder := t.TempDir()
		s := vault.Source{File: filepath.Join(folder, "keys")}
		openKeys(t, s)
		other := filepath.Join(folder, "other")
		if err := errors.Join(os.WriteFile(other, nil, 0o600), link(other, s.File+".lock")); err != nil {
			t.Fatal(err)
		}
		if os.Getuid() == 0 {
			if err := os.Chown(s.File, 12345, 12345); err != nil { // who may have put the link there
				t.Fatal(err)
			}
		}
		_, err := s.Rotate(vault.Rotation{})
		info, statErr := os.Stat(other)
		if err == nil || statErr != nil || int(info.Sys().(*syscall.Stat_t).Uid) != os.Getuid() {
			t.Errorf("%s link: %v, %v, the other file was given away: %+v", name, err, statErr, info)
		}
	}
}

func TestWhatAKilledRotationLeftIsTakenAway(t *testing.T) {
	s := vault.Source{File: filepath.Join(t.TempDir(), "keys")}
	openKeys(t, s)
	if err := os.WriteFile(s.File+".edited", []byte("half of a keyring"), 0o600); err != nil {
		t.Fatal(err)
	}
	rotate(t, s, vault.Rotation{})
	left, err := os.ReadDir(filepath.Dir(s.File))
	if err != nil || len(left) != 2 { // and the lock
		t.Errorf("%v %v", left, err)
	}
}

func TestAMissingKeyFileIsNotMadeByARotation(t *testing.T) {
	s := vault.Source{File: filepath.Join(t.TempDir(), "keys")}
	if _, err := s.Rotate(vault.Rotation{}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v", err)
	}
	s.Existing = true
	if _, err := vault.OpenKeys(s); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v", err)
	}
	if left, _ := os.ReadDir(filepath.Dir(s.File)); len(left) != 0 {
		t.Errorf("%v", left)
	}
}

func TestAnotherKeyringInThePlaceOfOursIsNotTakenOver(t *testing.T) {
	s := vault.Source{}
	other := vault.Source{File: filepath.Join(t.TempDir(), "other")}
	openKeys(t, other)
	for name, change := range map[string]func(){
		"another": func() { copyFile(t, other.File, s.File) },
		"damaged": func() { copyFile(t, os.DevNull, s.File) },
		"open to others": func() {
			rotate(t, s, vault.Rotation{})
			if err := os.Chmod(s.File, 0o644); err != nil {
				t.Fatal(err)
			}
		},
		"with other peppers": func() {
			edit(t, s.File, func(doc map[string]any) {
				edit(t, other.File, func(from map[string]any) { doc["peppers"] = from["peppers"] })
			})
		},
		"gone": func() { _ = os.Remove(s.File) },
	} {
		s.File = filepath.Join(t.TempDir(), "keys")
		keys := openKeys(t, s)
		own, keks := keys.Fingerprint(), len(keys.KEKs())
		pepper, _ := keys.Pepper("x")
		change()
		if _, ok := keys.PepperOf("unknown", "x"); ok || keys.Fingerprint() != own || len(keys.KEKs()) != keks {
			t.Errorf("%s: taken over", name)
		}
		if id, _ := keys.Pepper("x"); id != pepper {
			t.Errorf("%s: the old keys are gone", name)
		}
	}
}

func TestWhoRunsAlreadyNeitherUpgradesAnOldCopyOfTheKeysNorTakesItOver(t *testing.T) {
	s := vault.Source{File: filepath.Join(t.TempDir(), "keys")}
	keys := openKeys(t, s)
	id, _ := keys.Pepper("x")
	edit(t, s.File, func(doc map[string]any) {
		doc["version"] = 1
		delete(doc, "peppers")
	})
	before, _ := os.ReadFile(s.File)
	keys.PepperOf("unknown", "x") // reads the file again
	if _, ok := keys.PepperOf(id, "x"); !ok {
		t.Error("the pepper of the passwords is gone")
	}
	if after, err := os.ReadFile(s.File); err != nil || string(after) != string(before) {
		t.Errorf("the old copy got new peppers: %v", err)
	}
}

func TestASealerWhoseKeysAreOutdatedSaysSo(t *testing.T) {
	s := vault.Source{File: filepath.Join(t.TempDir(), "keys")}
	source := newTable()
	v := vault.New(vault.Config{Keys: openKeys(t, s), Source: source})
	sealer := v.Sealer()
	if _, err := sealer.Seal(t.Context(), acme, ann, "email", "x"); err != nil {
		t.Fatal(err)
	}
	if sealer.Outdated() {
		t.Error("nothing was rotated")
	}
	rotate(t, s, vault.Rotation{})
	if !sealer.Outdated() {
		t.Error("the rotation was missed")
	}
	again := v.Sealer()
	if _, err := again.Seal(t.Context(), acme, ann, "email", "x"); err != nil || again.Outdated() {
		t.Errorf("sealed again: %v", err)
	}
}
