package eventlog_test

import (
	"encoding/binary"
	"errors"
	"sync"
	"testing"

	"github.com/google/uuid"

	"chancery/internal/eventlog"
	"chancery/internal/eventlog/logtest"
	"chancery/internal/ledger"
	"chancery/internal/pgtest"
)

// newKey is a request with an event and a data key under a key-encryption key.
func newKey(subject byte, kek uint32, rest byte) eventlog.Request {
	r := logtest.Request(logtest.Event("a"))
	wrapped := append(binary.BigEndian.AppendUint32([]byte{18, 100, 1}, kek), rest)
	r.Keys = []eventlog.SubjectKey{{Tenant: uuid.UUID{1}, Subject: uuid.UUID{1, subject}, Wrapped: wrapped}}
	return r
}

func TestADataKeyUnderARetiredKeyIsRefusedAndTheRestOfItsBatchGoesIn(t *testing.T) {
	url := pgtest.URL(t)
	l, err := ledger.Open(t.Context(), ledger.Config{URL: url, AllowUnsafe: true})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if err := l.RetireKEKs(t.Context(), []uint32{7}); err != nil {
		t.Fatal(err)
	}
	p := openAt(t, url, eventlog.Config{})
	const n = 40
	refusals := make([]error, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			kek := uint32(8)
			if i%10 == 3 {
				kek = 7
			}
			_, refusals[i] = p.Append(t.Context(), newKey(byte(i), kek, 1))
		})
	}
	wg.Wait()
	for i, err := range refusals {
		if retired := i%10 == 3; retired != errors.Is(err, eventlog.ErrRetiredKey) || !retired && err != nil {
			t.Errorf("%d: %v", i, err)
		}
	}
	if head, err := p.Head(t.Context()); err != nil || head != n-4 {
		t.Errorf("%d events, %v", head, err)
	}
	u, err := l.KeyUsage(t.Context())
	if err != nil || u.Keys[7] != 0 || u.Keys[8] != n-4 {
		t.Errorf("%+v, %v", u, err)
	}
}

func TestAnAppendThatIsSentAgainAfterItsKeyWasWrappedAnewIsKnown(t *testing.T) {
	url := pgtest.URL(t)
	l, err := ledger.Open(t.Context(), ledger.Config{URL: url, AllowUnsafe: true})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	p := openAt(t, url, eventlog.Config{})
	first := newKey(1, 7, 1)
	if v, err := p.Append(t.Context(), first); err != nil || v.Status != eventlog.Accepted {
		t.Fatal(v, err)
	}
	old := first.Keys[0]
	renewed := newKey(1, 8, 1).Keys[0].Wrapped
	n, err := l.Rewrap(t.Context(), []ledger.Rewrapping{{SubjectKey: ledger.SubjectKey{Tenant: old.Tenant, Subject: old.Subject}, Old: old.Wrapped, New: renewed}})
	if err != nil || n != 1 {
		t.Fatal(n, err)
	}
	if v, err := p.Append(t.Context(), first); err != nil || v.Status != eventlog.Duplicate {
		t.Errorf("sent again: %+v, %v", v, err)
	}
	if v, err := p.Append(t.Context(), newKey(1, 8, 2)); err != nil || v.Status != eventlog.Conflict {
		t.Errorf("another data key for the subject: %+v, %v", v, err)
	}
	keys, err := l.SubjectKeys(t.Context(), old.Tenant, []uuid.UUID{old.Subject})
	if err != nil || string(keys[old.Subject]) != string(renewed) {
		t.Errorf("%x, %v", keys[old.Subject], err)
	}
}
