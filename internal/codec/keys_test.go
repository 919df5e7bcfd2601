package codec_test

import (
	"context"
	"errors"
	"path/filepath"
	"testing"

	"github.com/google/uuid"

	"chancery/domain"
	"chancery/internal/codec"
	"chancery/internal/dcb"
	"chancery/internal/eventlog"
	"chancery/internal/eventlog/memlog"
	"chancery/internal/vault"
)

// retiring is a log in which the key-encryption key of the next append is retired while that append is under way.
type retiring struct {
	eventlog.Log
	meanwhile func()
}

func (r *retiring) Append(ctx context.Context, request eventlog.Request) (eventlog.Verdict, error) {
	if r.meanwhile == nil {
		return r.Log.Append(ctx, request)
	}
	r.meanwhile()
	r.meanwhile = nil
	return eventlog.Verdict{}, eventlog.ErrRetiredKey
}

func TestAnAppendSealedJustBeforeARotationIsDecidedAgain(t *testing.T) {
	source := vault.Source{File: filepath.Join(t.TempDir(), "keys.json")}
	keys, err := vault.OpenKeys(source)
	if err != nil {
		t.Fatal(err)
	}
	log := &retiring{Log: memlog.New(eventlog.Config{})}
	s := &codec.Store{Log: log, Vault: vault.New(vault.Config{Keys: keys, Source: none{}}), Catalog: domain.Catalog}
	id := uuid.New()
	register := func() error {
		_, _, err := s.Append(t.Context(), []dcb.Part{{ID: id, Fingerprint: id[:], Events: []dcb.Pending{{
			Tenant: id, Event: domain.UserRegistered{User: domain.UserID{UUID: id}, DisplayName: dcb.Plain("Ann"), Status: domain.UserActive},
		}}}}, nil)
		return err
	}
	log.meanwhile = func() {}
	if err := register(); errors.Is(err, dcb.ErrConflict) || !errors.Is(err, eventlog.ErrRetiredKey) {
		t.Errorf("with an old copy of the keys, which deciding again does not help: %v", err)
	}
	log.meanwhile = func() {
		if _, err := source.Rotate(vault.Rotation{}); err != nil {
			t.Error(err)
		}
	}
	if err := register(); !errors.Is(err, dcb.ErrConflict) {
		t.Errorf("after a rotation: %v", err)
	}
	if err := register(); err != nil {
		t.Errorf("sealed anew: %v", err)
	}
}
