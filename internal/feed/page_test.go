package feed

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"chancery/internal/dcb"
	"chancery/internal/eventlog"
	"chancery/internal/ledger"
)

// published appends one event of an app, of a type that Chancery has too.
func (w *world) published(position int64, kind string) {
	w.t.Helper()
	w.exec(`INSERT INTO core.events (position, id, tenant_id, tenant_seq, source_app_id, type, payload, metadata, tags, request_id, occurred_at, created_at)
		VALUES ($1::bigint, gen_random_uuid(), '00000000-0000-0000-0000-000000000001', $1::bigint, 'shop', $2, '{"a":1}', '{}', '{}', gen_random_uuid(), now(), now())`, position, kind)
}

func TestALaneReadsOfAnEventWhatItHasToDoWith(t *testing.T) {
	w := newWorld(t)
	w.append(1, 1, "toy.happened")
	w.append(2, 2, "toy.unheard-of")
	w.published(3, "toy.happened")
	w.exec(insertOffset, "lane")
	types := []string{"toy.happened"}
	for query, want := range map[string]string{
		wholePage:     "core:pmt core:pmt shop:pmt",
		projectedPage: "core:pmt core:pmt shop:mt",
		reactionPage:  "core:pmt core: shop:",
	} {
		args := []any{pgx.QueryResultFormats{pgx.BinaryFormatCode}, "lane", 10}
		if query == reactionPage {
			args = append(args, types)
		}
		rows, err := w.Pool(ledger.Project).Query(t.Context(), query, args...)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for rows.Next() {
			v := slices.Clone(rows.RawValues())
			var offset int64
			raw, found, err := scan(rows, &offset)
			if err != nil || !found || raw.Position != int64(len(got)+1) || raw.Type == "" || raw.CreatedAt.IsZero() {
				t.Fatalf("%+v %t %v", raw, found, err)
			}
			s := []byte(raw.SourceApp + ":")
			for i, there := range []bool{raw.Payload != nil, raw.Metadata != nil, v[9] != nil} {
				if there {
					s = append(s, "pmt"[i])
				}
			}
			got = append(got, string(s))
		}
		if err := rows.Err(); err != nil || strings.Join(got, " ") != want {
			t.Errorf("%v: read %v, want %s\n%s", err, got, want, query)
		}
	}
}

func TestAReactionPassesWhatItIsNotToldOfAndCountsIt(t *testing.T) {
	w := newWorld(t)
	w.append(1, 1, "toy.happened")
	w.append(2, 40, "toy.unheard-of")
	w.append(41, 41, "toy.happened")
	w.published(42, "toy.happened")
	counted := make(chan int, 100)
	seen := map[int64]bool{}
	f := made(t, w.Ledger, Config{
		Reactions: []Reaction{&toy{name: "reaction"}}, Page: 30,
		Hooks: Hooks{Committed: func(_ string, events int, _ time.Duration) { counted <- events }},
		Decode: func(raw eventlog.Raw) (dcb.Recorded, error) {
			if seen[raw.Position] = true; raw.Payload == nil || raw.SourceApp != dcb.Core {
				return dcb.Recorded{}, fmt.Errorf("event %d is not for it", raw.Position)
			}
			return decode(raw)
		},
	})
	w.exec(`UPDATE core.projection_offsets SET position = 0`)
	run(t, f)
	reach(t, f, "reaction", 42)
	f.Close()
	if got := w.texts(`SELECT position::text FROM core.toys ORDER BY position`); fmt.Sprint(got) != "[1 41]" || len(seen) != 2 {
		t.Errorf("told of %v, decoded %v", got, seen)
	}
	all := 0
	for len(counted) > 0 {
		all += <-counted
	}
	if all != 42 {
		t.Errorf("counted %d events of 42", all)
	}
}
