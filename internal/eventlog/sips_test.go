package eventlog_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/uuid"

	"chancery/internal/eventlog"
)

func TestASipHasAFewMegabytesAndIsNeverEmptyBeforeTheEnd(t *testing.T) {
	p := open(t, eventlog.Config{})
	id, tenant := uuid.New(), uuid.New()
	const events, size = 20, 600_000
	r := eventlog.Request{Parts: []eventlog.Part{{ID: id, Fingerprint: id[:], Events: events}}}
	for range events {
		payload := fmt.Sprintf(`{"a":%q}`, strings.Repeat("x", size))
		r.Events = append(r.Events, eventlog.Raw{Tenant: tenant, SourceApp: "shop", Type: "x.y", Payload: []byte(payload), Metadata: []byte(`{}`)})
	}
	if _, err := p.Append(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	read, sips := 0, 0
	for {
		page, err := eventlog.Sips{PG: p}.Page(t.Context(), int64(read), 1000)
		if err != nil {
			t.Fatal(err)
		}
		if len(page) == 0 {
			break
		}
		if bytes := len(page) * size; bytes > 4<<20+size {
			t.Errorf("%d bytes at once", bytes)
		}
		read, sips = read+len(page), sips+1
	}
	if read != events || sips != 3 {
		t.Errorf("%d events in %d pages", read, sips)
	}
}
