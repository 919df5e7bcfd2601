package commands_test

import (
	"context"
	"strconv"
	"testing"

	"github.com/google/uuid"

	"chancery/commands"
	"chancery/domain"
	"chancery/internal/codec"
	"chancery/internal/eventlog"
)

// counting is a log that counts how often receipts are looked for.
type counting struct {
	eventlog.Log
	receipts int
}

func (l *counting) Receipts(ctx context.Context, ids []uuid.UUID) (map[uuid.UUID]eventlog.Receipt, error) {
	l.receipts++
	return l.Log.Receipts(ctx, ids)
}

// A refused line that carries a key may be the twin of one under way: that is asked once for all of them.
func TestReceiptsOfRefusedLinesAreLookedForTogether(t *testing.T) {
	w := newWorld(t)
	log := &counting{Log: w.log}
	w.Store.(*codec.Store).Log = log
	var orders []commands.Order
	var want []error
	for i := range 20 {
		orders = append(orders, w.order(acme, &commands.RenameGroup{ID: group(strconv.Itoa(i)), Name: "x"}, keyed(strconv.Itoa(i))))
		want = append(want, domain.ErrGroupUnknown)
	}
	outcomes(t, w.batch(t, acme, false, orders...), want...)
	if log.receipts != 2 {
		t.Errorf("receipts were looked for %d times, want once before deciding and once after", log.receipts)
	}
}
