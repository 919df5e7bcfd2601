package pulls

import (
	"context"

	"github.com/jackc/pgx/v5"

	"chancery/internal/eventlog"
)

// brought is what becomes of deliveries whose time has come.
type brought struct {
	again  []delivery // handed out once more
	dead   []delivery // handed out often enough
	denied []delivery // the endpoint may not have them any more

	events []eventlog.Raw // of again
	bytes  int            // of their payloads
	full   bool           // some more did not fit
}

// bring judges deliveries whose time has come, and reads the events of those that are handed out once more: as many as fit. The others
// stay due.
func bring(ctx context.Context, tx pgx.Tx, e *Endpoint, due []delivery) (b brought, err error) {
	again, dead := sort(due, e.Attempts)
	b.dead = dead
	found, err := at(ctx, tx, e.Tenant, seqsOf(again), mostBytes)
	if err != nil {
		return b, err
	}
	b.full = len(found) < len(again)
	for i := range found {
		if !e.Permits(&found[i]) {
			b.denied = append(b.denied, again[i])
			continue
		}
		b.again, b.events = append(b.again, again[i]), append(b.events, found[i])
		b.bytes += len(found[i].Payload)
	}
	return b, nil
}

// sort tells those that are handed out once more from those that were handed out often enough.
func sort(due []delivery, attempts int) (again, dead []delivery) {
	for _, d := range due {
		if d.attempts-d.round >= attempts {
			dead = append(dead, d)
		} else {
			again = append(again, d)
		}
	}
	return again, dead
}

func seqsOf(all []delivery) []int64 {
	seqs := make([]int64, len(all))
	for i, d := range all {
		seqs[i] = d.seq
	}
	return seqs
}
