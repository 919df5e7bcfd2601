package projections

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"chancery/domain"
	"chancery/internal/dcb"
)

// told notes the statements it is given.
type told struct {
	pgx.Tx
	args [][]any
}

func (d *told) Exec(_ context.Context, _ string, args ...any) (pgconn.CommandTag, error) {
	d.args = append(d.args, args)
	return pgconn.CommandTag{}, nil
}

func TestAnEventOfAnAppIsAuditedTheSameWhetherItsDataWasReadOrNot(t *testing.T) {
	meta := dcb.Meta{Position: 7, ID: uuid.New(), Tenant: uuid.New(), SourceApp: "shop", At: time.Unix(1, 0), RecordedAt: time.Unix(2, 0)}
	var read, unread told
	for db, e := range map[*told]dcb.Event{
		&read:   domain.Published{App: "shop", Type: "shop.sold", Payload: []byte(`{"a":1}`)},
		&unread: dcb.Unread{App: "shop", Type: "shop.sold"},
	} {
		for _, p := range []*Projector{Core, Audit} {
			if err := p.Apply(t.Context(), db, []dcb.Recorded{{Meta: meta, Event: e}}); err != nil {
				t.Fatal(err)
			}
		}
	}
	if diff := cmp.Diff(read.args, unread.args); diff != "" || len(read.args) != 1 {
		t.Errorf("%d statements; read and unread:\n%s", len(read.args), diff)
	}
}
