package vault_test

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"chancery/internal/vault"

	"github.com/google/uuid"
)

var (
	acme = uuid.MustParse("018f3b0e-0000-7000-8000-00000000000a")
	bolt = uuid.MustParse("018f3b0e-0000-7000-8000-00000000000b")
	ann  = uuid.MustParse("018f3b0e-0000-7000-8000-0000000000aa")
	ben  = uuid.MustParse("018f3b0e-0000-7000-8000-0000000000bb")
)

// table stands for core.subject_keys: the first row for a subject stays.
type table struct {
	mu    sync.Mutex
	rows  map[[2]uuid.UUID][]byte
	reads int
	// during, if set, runs after the rows were read and before they are answered.
	during func()
}

func newTable() *table { return &table{rows: make(map[[2]uuid.UUID][]byte)} }

func (s *table) SubjectKeys(_ context.Context, tenant uuid.UUID, subjects []uuid.UUID) (map[uuid.UUID][]byte, error) {
	s.mu.Lock()
	s.reads++
	answer := make(map[uuid.UUID][]byte)
	for _, subject := range subjects {
		if wrapped, ok := s.rows[[2]uuid.UUID{tenant, subject}]; ok {
			answer[subject] = wrapped
		}
	}
	s.mu.Unlock()
	if s.during != nil {
		s.during()
	}
	return answer, nil
}

func (s *table) insert(keys []vault.WrappedKey) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, k := range keys {
		if _, taken := s.rows[[2]uuid.UUID{k.Tenant, k.Subject}]; !taken {
			s.rows[[2]uuid.UUID{k.Tenant, k.Subject}] = k.Wrapped
		}
	}
}

func (s *table) erase(tenant, subject uuid.UUID) { delete(s.rows, [2]uuid.UUID{tenant, subject}) }

func loadKeys(t testing.TB, path string) *vault.Keys {
	t.Helper()
	keys, err := vault.LoadKeys(path)
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

func newVault(t testing.TB) (*vault.Vault, *table) {
	t.Helper()
	source := newTable()
	return vault.New(vault.Config{Keys: loadKeys(t, filepath.Join(t.TempDir(), "keys")), Source: source}), source
}

// seal is one accepted append of one field.
func seal(t testing.TB, v *vault.Vault, source *table, tenant, subject uuid.UUID, field, plain string) string {
	t.Helper()
	s := v.Sealer()
	sealed, err := s.Seal(context.Background(), tenant, subject, field, plain)
	if err != nil {
		t.Fatal(err)
	}
	source.insert(s.NewKeys())
	s.Confirm()
	return sealed
}

func open(t testing.TB, v *vault.Vault, tenant uuid.UUID, field, sealed, want string) {
	t.Helper()
	got, err := v.Open(context.Background(), tenant, field, sealed)
	if err != nil || got != want {
		t.Fatalf("Open = %q, %v; want %q", got, err, want)
	}
}

func openFails(t testing.TB, v *vault.Vault, tenant uuid.UUID, field, sealed string, want error) {
	t.Helper()
	got, err := v.Open(context.Background(), tenant, field, sealed)
	if !errors.Is(err, want) || got != "" {
		t.Fatalf("Open = %q, %v; want %v", got, err, want)
	}
}

func TestWhatWasSealedOpensAgain(t *testing.T) {
	v, source := newVault(t)
	for _, plain := range []string{"ann@acme.test", "", "Zoë 🦊", strings.Repeat("x", 10_000), "sealed:1:"} {
		sealed := seal(t, v, source, acme, ann, "email", plain)
		if subject, ok := vault.Subject(sealed); !ok || subject != ann || !strings.HasPrefix(sealed, vault.Mark) {
			t.Fatalf("%s does not name its subject", sealed)
		}
		if plain != "" && len(plain) < 9_000 && strings.Contains(sealed[9:], plain) {
			t.Fatalf("%s shows its text", sealed)
		}
		open(t, v, acme, "email", sealed, plain)
	}
	if len(source.rows) != 1 {
		t.Errorf("%d keys for one subject", len(source.rows))
	}
}

func TestAnotherProcessWithTheSameKeyFileOpensIt(t *testing.T) {
	source := newTable()
	path := filepath.Join(t.TempDir(), "keys")
	before := vault.New(vault.Config{Keys: loadKeys(t, path), Source: source})
	sealed := seal(t, before, source, acme, ann, "email", "ann@acme.test")
	after := vault.New(vault.Config{Keys: loadKeys(t, path), Source: source})
	open(t, after, acme, "email", sealed, "ann@acme.test")
}

func TestAnotherKeyFileOpensNothingAndSaysSo(t *testing.T) {
	v, source := newVault(t)
	sealed := seal(t, v, source, acme, ann, "email", "ann@acme.test")
	other := vault.New(vault.Config{Keys: loadKeys(t, filepath.Join(t.TempDir(), "keys")), Source: source})
	_, err := other.Open(context.Background(), acme, "email", sealed)
	if err == nil || errors.Is(err, vault.ErrErased) || !strings.Contains(err.Error(), "another key file") {
		t.Errorf("Open = %v", err)
	}
}

func TestASealedTextOpensInItsPlaceOnly(t *testing.T) {
	v, source := newVault(t)
	sealed := seal(t, v, source, acme, ann, "email", "ann@acme.test")
	seal(t, v, source, bolt, ann, "email", "ann@bolt.test")
	bens := seal(t, v, source, acme, ben, "email", "ben@acme.test")

	openFails(t, v, acme, "display_name", sealed, vault.ErrUnreadable)
	openFails(t, v, bolt, "email", sealed, vault.ErrUnreadable)
	openFails(t, v, acme, "email", strings.Replace(sealed, ann.String(), ben.String(), 1), vault.ErrUnreadable)
	openFails(t, v, acme, "email", strings.Replace(bens, ben.String(), ann.String(), 1), vault.ErrUnreadable)
	open(t, v, acme, "email", sealed, "ann@acme.test")
}

func TestAWrappedKeyMovedToAnotherSubjectOrTenantDoesNotUnwrap(t *testing.T) {
	v, source := newVault(t)
	sealed := seal(t, v, source, acme, ann, "email", "ann@acme.test")
	row := source.rows[[2]uuid.UUID{acme, ann}]
	source.rows[[2]uuid.UUID{acme, ben}] = row
	source.rows[[2]uuid.UUID{bolt, ann}] = row
	for _, tenant := range []uuid.UUID{acme, bolt} {
		moved := sealed
		if tenant == acme {
			moved = strings.Replace(sealed, ann.String(), ben.String(), 1)
		}
		if got, err := v.Open(context.Background(), tenant, "email", moved); err == nil {
			t.Errorf("opened %q with a moved key", got)
		}
	}
}

func TestATamperedTextDoesNotOpen(t *testing.T) {
	v, source := newVault(t)
	sealed := seal(t, v, source, acme, ann, "email", "ann@acme.test")
	for i := range sealed {
		for _, c := range []byte{'A', 'x', '0', ':', '=', '\n'} {
			changed := sealed[:i] + string(c) + sealed[i+1:]
			if changed == sealed {
				continue
			}
			if got, err := v.Open(context.Background(), acme, "email", changed); err == nil {
				t.Fatalf("%s opens as %q", changed, got)
			}
		}
	}
	for _, text := range []string{"", "sealed:", "ann@acme.test", sealed[:len(sealed)-1], sealed + "A", sealed[:len(sealed)-30],
		strings.ToUpper(sealed), strings.Replace(sealed, "sealed:1:", "sealed:2:", 1)} {
		openFails(t, v, acme, "email", text, vault.ErrUnreadable)
	}
}

func TestAnErasedSubjectsTextIsGoneEvenFromTheCache(t *testing.T) {
	v, source := newVault(t)
	sealed := seal(t, v, source, acme, ann, "email", "ann@acme.test")
	open(t, v, acme, "email", sealed, "ann@acme.test")
	source.erase(acme, ann)
	v.Drop(acme, ann)
	openFails(t, v, acme, "email", sealed, vault.ErrErased)
}

func TestAKeyReadBeforeAnErasureIsNotCachedAfterIt(t *testing.T) {
	v, source := newVault(t)
	s := v.Sealer()
	sealed, err := s.Seal(context.Background(), acme, ann, "email", "ann@acme.test")
	if err != nil {
		t.Fatal(err)
	}
	source.insert(s.NewKeys())
	source.during = func() {
		source.during = nil
		source.erase(acme, ann)
		v.Drop(acme, ann)
	}
	open(t, v, acme, "email", sealed, "ann@acme.test") // its read came first
	openFails(t, v, acme, "email", sealed, vault.ErrErased)
	s.Confirm() // late: the append was accepted before the erasure
	openFails(t, v, acme, "email", sealed, vault.ErrErased)
}

func TestNothingIsSealedForASubjectWhoseErasureIsRemembered(t *testing.T) {
	v, source := newVault(t)
	source.rows[[2]uuid.UUID{acme, ann}] = []byte{}
	if _, err := v.Sealer().Seal(context.Background(), acme, ann, "email", "x"); !errors.Is(err, vault.ErrErased) {
		t.Errorf("Seal = %v", err)
	}
	s := v.Sealer()
	if err := s.Prepare(context.Background(), acme, []uuid.UUID{ann}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Seal(context.Background(), acme, ann, "email", "x"); !errors.Is(err, vault.ErrErased) {
		t.Errorf("Seal after Prepare = %v", err)
	}
}

func TestTheKeyOfAFailedAppendIsForgotten(t *testing.T) {
	v, source := newVault(t)
	failed := v.Sealer()
	lost, err := failed.Seal(context.Background(), acme, ann, "email", "never stored")
	if err != nil {
		t.Fatal(err)
	}
	kept := seal(t, v, source, acme, ann, "email", "ann@acme.test")
	open(t, v, acme, "email", kept, "ann@acme.test")
	openFails(t, v, acme, "email", lost, vault.ErrUnreadable)
}

func TestOneAppendMakesOneKeyASubjectAndReadsTheSourceOnce(t *testing.T) {
	v, source := newVault(t)
	s := v.Sealer()
	if err := s.Prepare(context.Background(), acme, []uuid.UUID{ann, ben}); err != nil {
		t.Fatal(err)
	}
	sealed := make(map[string]string)
	for _, field := range []string{"email", "display_name"} {
		for _, subject := range []uuid.UUID{ann, ben} {
			text, err := s.Seal(context.Background(), acme, subject, field, field)
			if err != nil {
				t.Fatal(err)
			}
			sealed[text] = field
		}
	}
	if keys := s.NewKeys(); len(keys) != 2 || keys[0].Subject != ann || keys[1].Subject != ben || source.reads != 1 {
		t.Errorf("%d keys, %d reads", len(keys), source.reads)
	}
	source.insert(s.NewKeys())
	s.Confirm()
	for text, field := range sealed {
		open(t, v, acme, field, text, field)
	}
	if source.reads != 1 {
		t.Errorf("confirmed keys were read again: %d reads", source.reads)
	}
}

func TestAFreshSubjectIsNotLookedUp(t *testing.T) {
	v, source := newVault(t)
	s := v.Sealer()
	s.Fresh(acme, ann)
	if _, err := s.Seal(context.Background(), acme, ann, "email", "x"); err != nil || source.reads != 0 {
		t.Errorf("%v, %d reads", err, source.reads)
	}
}

func TestWhoIsSaidToBeNewNeverSharesAKeyThatIsThere(t *testing.T) {
	v, source := newVault(t)
	seal(t, v, source, acme, ann, "email", "x") // the key is cached
	s := v.Sealer()
	s.Fresh(acme, ann)
	if _, err := s.Seal(t.Context(), acme, ann, "value", "y"); err != nil {
		t.Fatal(err)
	}
	if made := s.NewKeys(); len(made) != 1 {
		t.Errorf("%d new keys: the append does not conflict", len(made))
	}
}

func TestAPageOfSubjectsIsReadOnce(t *testing.T) {
	v, source := newVault(t)
	texts := []string{seal(t, v, source, acme, ann, "email", "a"), seal(t, v, source, acme, ben, "email", "b")}
	v.Drop(acme, ann)
	v.Drop(acme, ben)
	source.reads = 0
	if err := v.Preload(context.Background(), acme, []uuid.UUID{ann, ben, ann, uuid.New()}); err != nil {
		t.Fatal(err)
	}
	open(t, v, acme, "email", texts[0], "a")
	open(t, v, acme, "email", texts[1], "b")
	if source.reads != 1 {
		t.Errorf("%d reads", source.reads)
	}
}

func TestTheCacheIsBounded(t *testing.T) {
	source := newTable()
	keys := loadKeys(t, filepath.Join(t.TempDir(), "keys"))
	v := vault.New(vault.Config{Keys: keys, Source: source, CacheSize: 2})
	subjects := []uuid.UUID{uuid.New(), uuid.New(), uuid.New()}
	texts := make([]string, len(subjects))
	for i, subject := range subjects {
		texts[i] = seal(t, v, source, acme, subject, "email", "x")
	}
	source.reads = 0
	open(t, v, acme, "email", texts[1], "x")
	open(t, v, acme, "email", texts[2], "x")
	if source.reads != 0 {
		t.Errorf("the two newest keys were read %d times", source.reads)
	}
	open(t, v, acme, "email", texts[0], "x")
	open(t, v, acme, "email", texts[2], "x")
	if source.reads != 1 {
		t.Errorf("%d reads: the least recently used key has to go, and no other", source.reads)
	}
}

func TestManyGoroutinesShareAVault(t *testing.T) {
	v, source := newVault(t)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 50 {
				subject := uuid.New()
				sealed := seal(t, v, source, acme, subject, "email", subject.String())
				open(t, v, acme, "email", sealed, subject.String())
				v.Drop(acme, subject)
				open(t, v, acme, "email", sealed, subject.String())
				v.Claim(uuid.New(), "email", "x")
			}
		})
	}
	wg.Wait()
}

func TestAFaultOfTheSourceIsNotAnErasure(t *testing.T) {
	broken := errors.New("connection refused")
	v := vault.New(vault.Config{Keys: loadKeys(t, filepath.Join(t.TempDir(), "keys")), Source: failing{broken}})
	sealed := "sealed:1:" + ann.String() + ":AAAA"
	openFails(t, v, acme, "email", sealed, broken)
	if _, err := v.OpenJSON(context.Background(), acme, []byte(`{"email":"`+sealed+`"}`)); !errors.Is(err, broken) {
		t.Errorf("OpenJSON = %v", err)
	}
	if _, err := v.Sealer().Seal(context.Background(), acme, ann, "email", "x"); !errors.Is(err, broken) {
		t.Errorf("Seal = %v", err)
	}
}

type failing struct{ err error }

func (f failing) SubjectKeys(context.Context, uuid.UUID, []uuid.UUID) (map[uuid.UUID][]byte, error) {
	return nil, f.err
}
