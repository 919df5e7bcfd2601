package replay

import (
	"testing"

	"github.com/google/uuid"

	"chancery/internal/ledger"
)

func TestAPastOfOneProjectorReadsWhatItHasToDoWithAndShowsNothingElse(t *testing.T) {
	w := newWorld(t)
	w.append(made(acme, 2020, "a-2020"))
	w.head++
	w.seqs[acme]++ // what an app published; these projectors cannot decode it
	w.exec(`INSERT INTO core.events (position, id, tenant_id, tenant_seq, source_app_id, type, payload, metadata, tags, request_id, occurred_at, created_at)
		VALUES ($1, $2, $3, $4, 'shop', 'shop.sold', '[]', '{}', '{}', $2, now(), now())`, w.head, uuid.New(), acme, w.seqs[acme])
	open := func(own bool) *Past {
		p, err := OpenPast(t.Context(), PastConfig{Owner: w.Pool(ledger.Owner), Project: w.Pool(ledger.Project), Decode: decode, Projections: []Projection{
			{Projector: projector{}, Tables: []string{"things"}, Own: own}, {Projector: named{"ties", projector{}}, Tables: []string{"ties"}},
		}})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(p.Close)
		return p
	}
	own, all := open(true), open(false)
	q := Question{Tenant: acme, Position: w.head, Of: "toys"}
	v := w.ask(own, q)
	if got := w.names(acme, v); len(got) != 1 || v.Position != w.head {
		t.Errorf("it shows %v as of %d", got, v.Position)
	}
	if got := w.texts(`SELECT relname::text FROM pg_class WHERE relkind = 'r' AND relnamespace = '` + v.Schema + `'::regnamespace`); len(got) != 1 || got[0] != "things" {
		t.Errorf("the schema holds %v", got)
	}
	if _, err := all.AsOf(t.Context(), q); err == nil {
		t.Error("a projector that may write of what apps publish was not told of it")
	}
	q.Of = ""
	if _, err := own.AsOf(t.Context(), q); err == nil {
		t.Error("of two projectors the other was not told of what an app published")
	}
}

// named is the projector under another name.
type named struct {
	name string
	projector
}

func (n named) Name() string { return n.name }
