package replay

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestARebuildMakesTheTablesWhatTheLogSays(t *testing.T) {
	w, r := newWorld(t), seeded(t)
	w.random(r, 6000)
	w.project()
	before := w.definitions()
	w.exec(`UPDATE core.things SET name = 'forged', size = 99 WHERE version % 7 = 0`)
	w.exec(`DELETE FROM core.ties WHERE n = 1`)

	got, err := w.replay(projector{}).Rebuild(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if got.Position != w.head || got.Events != w.head || got.Rows == 0 {
		t.Errorf("%+v", got)
	}
	w.wantVerified(w.replay(projector{}))
	if diff := cmp.Diff(before, w.definitions()); diff != "" {
		t.Errorf("the new tables differ from the old ones:\n%s", diff)
	}
	if left := w.texts(`SELECT nspname::text FROM pg_namespace WHERE nspname LIKE '%rebuild%'`); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// definitions spells out all that tables are, but not their rows.
func (w *world) definitions() []string {
	return w.texts(`SELECT d FROM (
		SELECT format('%s.%s %s %s %s %s', table_name, column_name, data_type, is_nullable, generation_expression, collation_name) AS d
			FROM information_schema.columns WHERE table_schema = 'core' AND table_name IN ('things', 'ties')
		UNION ALL SELECT format('%s %s', conname, pg_get_constraintdef(oid)) FROM pg_constraint WHERE conrelid IN ('core.things'::regclass, 'core.ties'::regclass)
		UNION ALL SELECT indexdef FROM pg_indexes WHERE schemaname = 'core' AND tablename IN ('things', 'ties')
		UNION ALL SELECT format('%s %s %s %s %s %s', tablename, policyname, roles, cmd, qual, with_check) FROM pg_policies WHERE schemaname = 'core' AND tablename IN ('things', 'ties')
		UNION ALL SELECT format('%s %s %s %s %s %s %s', relname, relkind, relpersistence, relrowsecurity, relforcerowsecurity, reloptions, pg_get_userbyid(relowner))
			FROM pg_class WHERE oid IN ('core.things'::regclass, 'core.ties'::regclass)
		UNION ALL SELECT format('%s %s %s', c.relname, pg_get_userbyid(g.grantee), g.privilege_type) FROM pg_class c, aclexplode(c.relacl) g WHERE c.oid IN ('core.things'::regclass, 'core.ties'::regclass)
	) x ORDER BY d COLLATE "C"`)
}

func TestProjectorsAndReadersGoOnThroughRebuilds(t *testing.T) {
	w, r := newWorld(t), seeded(t)
	w.random(r, 3000)
	f := w.feed(projector{})
	stop := make(chan struct{})
	var busy sync.WaitGroup
	busy.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				w.random(r, 20)
				f.Poke()
				w.reach(f)
			}
		}
	})
	busy.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
			}
			err := w.Query(context.Background(), acme, func(tx pgxTx) error {
				var things, ties int
				if err := tx.QueryRow(context.Background(), `SELECT count(*) FROM things`).Scan(&things); err != nil {
					return err
				}
				return tx.QueryRow(context.Background(), `SELECT count(*) FROM ties`).Scan(&ties)
			})
			if err != nil {
				t.Errorf("a reader failed: %v", err)
				return
			}
		}
	})
	for range 4 {
		got, err := w.replay(projector{}).Rebuild(t.Context())
		if err != nil {
			t.Error(err)
			break
		}
		t.Logf("%+v", got)
	}
	close(stop)
	busy.Wait()
	w.reach(f)
	w.wantVerified(w.replay(projector{}))
}

func TestARebuildFreesAProjectorThatIsStuck(t *testing.T) {
	w, r := newWorld(t), seeded(t)
	w.random(r, 500)
	bad := w.feed(projector{bad: 300})
	if err := bad.Wait(t.Context(), "toys", 400); err == nil {
		t.Fatal("the poison event was applied")
	}
	if _, err := w.replay(projector{}).Rebuild(t.Context()); err != nil {
		t.Fatal(err)
	}
	for err := errors.New(""); err != nil; {
		err = bad.Wait(t.Context(), "toys", 500)
	}
	w.random(r, 100)
	bad.Poke()
	w.reach(bad)
	w.wantVerified(w.replay(projector{}))
}

func TestAFailedRebuildChangesNothing(t *testing.T) {
	w, r := newWorld(t), seeded(t)
	w.random(r, 500)
	w.project()
	if _, err := w.replay(projector{bad: 250}).Rebuild(t.Context()); err == nil || !strings.Contains(err.Error(), "250") {
		t.Errorf("got %v", err)
	}
	w.exec(`CREATE VIEW core.glance AS SELECT id FROM core.things`)
	if _, err := w.replay(projector{}).Rebuild(t.Context()); err == nil || !strings.Contains(err.Error(), "glance") {
		t.Errorf("got %v", err)
	}
	w.wantVerified(w.replay(projector{}))
	if left := w.texts(`SELECT nspname::text FROM pg_namespace WHERE nspname LIKE '%rebuild%'`); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestVerifyNamesEachDifference(t *testing.T) {
	w := newWorld(t)
	w.random(seeded(t), 2000)
	w.project()
	v := w.replay(projector{})
	w.wantVerified(v)

	one := w.texts(`SELECT id::text FROM core.things ORDER BY id LIMIT 4`)
	w.exec(`UPDATE core.things SET name = 'forged', seen_at = '2020-01-01T00:00:00Z', doc = '{"forged": true}' WHERE id = $1`, one[0])
	w.exec(`DELETE FROM core.ties WHERE from_id = $1`, one[1])
	w.exec(`DELETE FROM core.things WHERE id = $1`, one[1])
	w.exec(`INSERT INTO core.things (tenant_id, id, name, size, doc, tags, alive, version) VALUES ($1, $2, 'x', 1, '{}', '{}', true, 0)`, acme, other)
	w.exec(`UPDATE core.things SET doc = doc || '{}', tags = tags || '{}' WHERE id = $1`, one[2]) // changes nothing

	got, err := v.Verify(t.Context(), 100)
	if err != nil {
		t.Fatal(err)
	}
	var said []string
	for _, d := range got.Differences {
		if d.Table == "things" {
			said = append(said, string(d.Kind)+" "+d.Key+" "+d.Column+" "+d.Live)
		}
	}
	key := func(id string) string { return "tenant_id=" + acme.String() + ", id=" + id }
	want := []string{
		"changed " + key(one[0]) + ` doc {"forged": true}`,
		"changed " + key(one[0]) + " name forged",
		"changed " + key(one[0]) + " seen_at 2020-01-01T00:00:00Z",
		"missing " + key(one[1]) + "  ",
		"unexpected " + key(other.String()) + "  ",
	}
	if diff := cmp.Diff(want, sortedCopy(said), cmp.Transformer("sort", sortedCopy)); diff != "" {
		t.Error(diff)
	}
	capped, err := v.Verify(t.Context(), 2)
	if err != nil || len(capped.Differences) != 2 || capped.Total != got.Total {
		t.Errorf("capped at 2: %d of %d, %v", len(capped.Differences), capped.Total, err)
	}
}
