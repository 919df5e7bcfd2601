package codec_test

import (
	"strings"
	"testing"

	"github.com/google/uuid"

	"chancery/domain"
	"chancery/internal/codec"
	"chancery/internal/dcb"
)

func TestWhatWasNotReadIsNeverTakenForWhatIsEmpty(t *testing.T) {
	s := newSealing(t)
	tenant, id, by := uuid.New(), uuid.New(), dcb.Provenance{Actor: uuid.New(), Command: "publish"}
	user := domain.UserID{UUID: uuid.New()}
	if _, _, err := s.Append(t.Context(), []dcb.Part{{ID: id, Fingerprint: id[:], Events: []dcb.Pending{
		{Tenant: tenant, Provenance: by, Event: domain.UserRegistered{User: user, DisplayName: dcb.Plain("Ann"), Status: domain.UserActive}},
		{Tenant: tenant, Provenance: by, Event: domain.Published{App: "shop", Type: "shop.sold", Payload: []byte(`{"a":1}`), About: domain.CloudEvent{ID: "1", Source: "/x"}}},
	}}}, nil); err != nil {
		t.Fatal(err)
	}
	raws, err := s.log.Page(t.Context(), 0, 10)
	if err != nil || len(raws) != 2 {
		t.Fatalf("%d events: %v", len(raws), err)
	}
	s.Remember(raws)
	for name, store := range map[string]*codec.Store{"remembered": s.Store, "forgotten": {Log: s.log, Vault: s.Vault, Catalog: domain.Catalog}} {
		own, foreign := raws[0], raws[1]
		own.Typed, own.Payload, foreign.Typed, foreign.Payload = nil, nil, nil, nil
		if r, err := store.Decode(own); err == nil || !strings.Contains(err.Error(), "was not read") {
			t.Errorf("%s: an event of our own without its payload is %+v, %v", name, r, err)
		}
		r, err := store.Decode(foreign)
		if err != nil || r.Event != (dcb.Unread{App: "shop", Type: "shop.sold"}) || r.Actor != by.Actor || r.Command != by.Command {
			t.Errorf("%s: an app's event without its payload is %+v, %v", name, r, err)
		}
		if _, taken := r.Event.(dcb.Foreign); taken {
			t.Errorf("%s: it passes for one with data", name)
		}
		whole := raws[1]
		whole.Typed = nil
		if r, err := store.Decode(whole); err != nil || string(r.Event.(dcb.Foreign).Data()) != `{"a":1}` {
			t.Errorf("%s: with its payload it is %+v, %v", name, r, err)
		}
	}
}
