package feed

import (
	"errors"
	"testing"

	"chancery/internal/dcb"
)

func TestOnlyAcknowledgedParcelsBeforeTheFirstFailureAreWritten(t *testing.T) {
	bad := errors.New("bad")
	for _, c := range []struct {
		failed, acked, upTo int64
	}{
		{failed: 0, acked: 4, upTo: 4},
		{failed: 0, acked: 2, upTo: 2}, // the subscriber was closed while the third was handled
		{failed: 3, acked: 4, upTo: 2},
		{failed: 1, acked: 4, upTo: 0},
	} {
		u := &unit{}
		for position := range int64(4) {
			p := &parcel{events: []dcb.Recorded{{Meta: dcb.Meta{Position: position + 1}}}}
			if position+1 == c.failed {
				p.err = bad
			}
			u.parcels = append(u.parcels, p)
		}
		upTo, err := u.settle(c.acked)
		if upTo != c.upTo || int64(len(u.settled)) != c.upTo || errors.Is(err, bad) != (c.upTo == 0) {
			t.Errorf("%+v: up to %d, %d settled, %v", c, upTo, len(u.settled), err)
		}
	}
}
