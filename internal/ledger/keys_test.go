package ledger_test

import (
	"encoding/binary"
	"errors"
	"maps"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgconn"

	"chancery/internal/ledger"
	"chancery/internal/pgtest"
	"chancery/internal/vault"
)

// wrapped looks like a data key under that key-encryption key.
func wrapped(kek uint32, rest ...byte) []byte {
	return append(binary.BigEndian.AppendUint32([]byte{18, 100, 1}, kek), rest...)
}

// store puts data keys into the table, as an append does.
func store(t *testing.T, l *ledger.Ledger, rows map[byte][]byte) error {
	t.Helper()
	for _, n := range slices.Sorted(maps.Keys(rows)) {
		_, err := l.Pool(ledger.Append).Exec(t.Context(), `INSERT INTO core.subject_keys VALUES ($1, $2, $3, now())`, ours(n%2), ours(n), rows[n])
		if err != nil {
			return err
		}
	}
	return nil
}

func stored(t *testing.T, l *ledger.Ledger, n byte) []byte {
	t.Helper()
	var row []byte
	err := l.Pool(ledger.Append).QueryRow(t.Context(), `SELECT wrapped FROM core.subject_keys WHERE subject_id = $1`, ours(n)).Scan(&row)
	if err != nil {
		t.Fatal(err)
	}
	return row
}

func TestTheDatabaseTellsUnderWhichKeyADataKeyLies(t *testing.T) {
	l := open(t, pgtest.URL(t))
	keys, err := vault.LoadKeys(filepath.Join(t.TempDir(), "keys"))
	if err != nil {
		t.Fatal(err)
	}
	s := vault.New(vault.Config{Keys: keys}).Sealer()
	s.Fresh(ours(1), ours(9))
	if _, err := s.Seal(t.Context(), ours(1), ours(9), "email", "x"); err != nil {
		t.Fatal(err)
	}
	rows := map[byte][]byte{
		1: s.NewKeys()[0].Wrapped, 2: wrapped(7, 1, 2, 3), 3: wrapped(1<<32-1, 5), 4: wrapped(7, 1), 5: {}, 6: []byte("key"),
		7: {18, 200, 1, 1, 0, 0, 0, 7, 9}, 8: {18, 200, 200, 1, 0, 0, 0, 7, 9}, 9: {10, 100, 1, 0, 0, 0, 7, 9},
	}
	if err := store(t, l, rows); err != nil {
		t.Fatal(err)
	}
	got, err := l.KeyUsage(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := ledger.Usage{Keys: map[uint32]int64{keys.PrimaryKEK(): 1, 7: 3, 1<<32 - 1: 1}, Strange: 3, Erased: 1}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestDataKeysAreWrappedAnewOnlyWhereTheyAreAsTheyWereFound(t *testing.T) {
	l := open(t, pgtest.URL(t))
	if err := store(t, l, map[byte][]byte{1: wrapped(7, 1), 2: wrapped(7, 2), 3: wrapped(7, 3), 4: wrapped(8, 4), 5: {}}); err != nil {
		t.Fatal(err)
	}
	var found []ledger.Rewrapping
	for after := (ledger.SubjectKey{}); ; after = found[len(found)-1].SubjectKey {
		page, err := l.KeysNotUnder(t.Context(), 8, after, 2)
		if err != nil {
			t.Fatal(err)
		}
		if len(page) == 0 {
			break
		}
		found = append(found, page...)
	}
	var names []uuid.UUID
	for i, k := range found {
		names = append(names, k.Subject)
		found[i].New = wrapped(8, k.Old[len(k.Old)-1])
	}
	if diff := cmp.Diff([]uuid.UUID{ours(2), ours(1), ours(3)}, names); diff != "" {
		t.Fatal(diff)
	}
	// Meanwhile one is erased, one is wrapped anew by somebody else, and one is locked by who is about to erase it.
	for n, row := range map[byte][]byte{1: {}, 2: wrapped(8, 99)} {
		if _, err := l.Pool(ledger.Append).Exec(t.Context(), `UPDATE core.subject_keys SET wrapped = $2 WHERE subject_id = $1`, ours(n), row); err != nil {
			t.Fatal(err)
		}
	}
	tx, err := l.Pool(ledger.Append).Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(t.Context(), `SELECT 1 FROM core.subject_keys WHERE subject_id = $1 FOR UPDATE`, ours(3)); err != nil {
		t.Fatal(err)
	}
	if n, err := l.Rewrap(t.Context(), found); err != nil || n != 0 {
		t.Errorf("%d rows changed, %v", n, err)
	}
	if err := tx.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n, err := l.Rewrap(t.Context(), found); err != nil || n != 1 {
		t.Errorf("%d rows changed, %v", n, err)
	}
	for n, want := range map[byte][]byte{1: {}, 2: wrapped(8, 99), 3: wrapped(8, 3), 4: wrapped(8, 4), 5: {}} {
		if diff := cmp.Diff(want, stored(t, l, n)); diff != "" {
			t.Errorf("%d: %s", n, diff)
		}
	}
}

func TestNothingIsEverStoredUnderARetiredKey(t *testing.T) {
	l := open(t, pgtest.URL(t))
	if err := store(t, l, map[byte][]byte{1: wrapped(7, 1), 2: wrapped(8, 2)}); err != nil {
		t.Fatal(err)
	}
	used, inUse := (*ledger.InUse)(nil), l.RetireKEKs(t.Context(), []uint32{7, 6})
	if !errors.As(inUse, &used) || used.Usage.Keys[7] != 1 {
		t.Fatalf("a key in use: %v", inUse)
	}
	if err := store(t, l, map[byte][]byte{3: wrapped(6, 1)}); err != nil {
		t.Fatalf("a refused prune forbids keys: %v", err)
	}
	if _, err := l.Pool(ledger.Owner).Exec(t.Context(), `UPDATE core.subject_keys SET wrapped = $1 WHERE core.kek_of(wrapped) < 8`, wrapped(8, 1)); err != nil {
		t.Fatal(err)
	}
	if err := l.RetireKEKs(t.Context(), []uint32{7, 6}); err != nil {
		t.Fatal(err)
	}
	refused := (*pgconn.PgError)(nil)
	if err := store(t, l, map[byte][]byte{4: wrapped(7, 1)}); !errors.As(err, &refused) || refused.ConstraintName != "subject_keys_kek_not_retired" {
		t.Errorf("an append: %v", err)
	}
	k := ledger.Rewrapping{SubjectKey: ledger.SubjectKey{Tenant: ours(0), Subject: ours(2)}, Old: wrapped(8, 2), New: wrapped(7, 2)}
	if _, err := l.Rewrap(t.Context(), []ledger.Rewrapping{k}); !errors.As(err, &refused) || refused.ConstraintName != "subject_keys_kek_not_retired" {
		t.Errorf("a rewrap: %v", err)
	}
	if err := l.CheckKEK(t.Context(), 7); !errors.Is(err, ledger.ErrOldKeys) {
		t.Errorf("a start: %v", err)
	}
	if err := l.CheckKEK(t.Context(), 8); err != nil {
		t.Errorf("a start: %v", err)
	}
}

func TestAnAppendUnderWayWhenItsKeyIsRetiredIsCounted(t *testing.T) {
	l := open(t, pgtest.URL(t))
	tx, err := l.Pool(ledger.Append).Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(t.Context(), `INSERT INTO core.subject_keys VALUES ($1, $1, $2, now())`, ours(1), wrapped(7, 1)); err != nil {
		t.Fatal(err)
	}
	answer := make(chan error)
	go func() { answer <- l.RetireKEKs(t.Context(), []uint32{7}) }()
	for waiting := 0; waiting == 0; { // for the append
		err := l.Pool(ledger.Append).QueryRow(t.Context(),
			`SELECT count(*) FROM pg_locks WHERE relation = 'core.subject_keys'::regclass AND NOT granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`).Scan(&waiting)
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := tx.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	used := (*ledger.InUse)(nil)
	if err := <-answer; !errors.As(err, &used) || used.Usage.Keys[7] != 1 {
		t.Errorf("%v", err)
	}
	if err := store(t, l, map[byte][]byte{2: wrapped(7, 1)}); err != nil {
		t.Errorf("a refused prune forbids keys: %v", err)
	}
}
