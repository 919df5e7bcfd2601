package codec_test

import (
	"context"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"chancery/domain"
	"chancery/internal/codec"
	"chancery/internal/dcb"
	"chancery/internal/eventlog"
	"chancery/internal/eventlog/memlog"
	"chancery/internal/vault"
)

func TestARememberedEventIsTheDecodedOne(t *testing.T) {
	keys, err := vault.LoadKeys(filepath.Join(t.TempDir(), "keys.json"))
	if err != nil {
		t.Fatal(err)
	}
	s := &codec.Store{Catalog: domain.Catalog}
	log := memlog.New(eventlog.Config{OnAppend: s.Remember})
	s.Log, s.Vault = log, vault.New(vault.Config{Keys: keys, Source: none{}})
	user, tenant := domain.UserID{UUID: uuid.New()}, uuid.New()
	email := domain.Email("ann@example.org")
	id := uuid.New()
	_, _, err = s.Append(context.Background(), []dcb.Part{{ID: id, Fingerprint: id[:], Events: []dcb.Pending{{
		Tenant: tenant, Provenance: dcb.Provenance{Actor: user.UUID, Command: "register-user"},
		Event: domain.UserRegistered{
			User: user, Email: dcb.Plain(string(email)), EmailKey: email.Claim(), DisplayName: dcb.Plain("Ann"), Status: domain.UserActive,
		},
	}}}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	raws, err := log.Page(context.Background(), 0, 10)
	if err != nil || len(raws) != 1 {
		t.Fatalf("%d events: %v", len(raws), err)
	}
	raws[0].Typed = nil
	remembered, err := s.Decode(raws[0])
	if err != nil {
		t.Fatal(err)
	}
	forgetful := &codec.Store{Log: log, Vault: s.Vault, Catalog: domain.Catalog}
	decoded, err := forgetful.Decode(raws[0])
	if err != nil {
		t.Fatal(err)
	}
	exact := cmp.Exporter(func(reflect.Type) bool { return true })
	if diff := cmp.Diff(decoded, remembered, exact); diff != "" {
		t.Fatalf("remembered otherwise (-decoded +remembered):\n%s", diff)
	}
	other := raws[0]
	other.ID, other.Payload = uuid.New(), []byte(`{"user":"`+uuid.NewString()+`","display_name":"x","status":"active"}`)
	if r, err := s.Decode(other); err != nil || cmp.Equal(r.Event, decoded.Event, exact) {
		t.Fatalf("another event at the position passes for the remembered one: %v", err)
	}
}

// none has no data keys.
type none struct{}

func (none) SubjectKeys(context.Context, uuid.UUID, []uuid.UUID) (map[uuid.UUID][]byte, error) {
	return map[uuid.UUID][]byte{}, nil
}
