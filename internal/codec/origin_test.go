package codec_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/uuid"

	"chancery/domain"
	"chancery/internal/codec"
	"chancery/internal/dcb"
	"chancery/internal/eventlog"
	"chancery/internal/eventlog/memlog"
	"chancery/internal/vault"
)

// sealing is a store over a log in memory, and what counts the reads of data keys.
type sealing struct {
	*codec.Store
	log  *memlog.Log
	keys *inLog
}

// inLog are the data keys that the log in memory holds; those of gone subjects are blank.
type inLog struct {
	log   *memlog.Log
	gone  map[uuid.UUID]bool
	reads int
}

func (k *inLog) SubjectKeys(_ context.Context, tenant uuid.UUID, subjects []uuid.UUID) (map[uuid.UUID][]byte, error) {
	k.reads++
	found := map[uuid.UUID][]byte{}
	for _, s := range subjects {
		if key, ok := k.log.Key(tenant, s); ok {
			found[s] = key
		}
		if k.gone[s] {
			found[s] = []byte{}
		}
	}
	return found, nil
}

func newSealing(t testing.TB) *sealing {
	t.Helper()
	keys, err := vault.LoadKeys(filepath.Join(t.TempDir(), "keys.json"))
	if err != nil {
		t.Fatal(err)
	}
	log := memlog.New(eventlog.Config{})
	source := &inLog{log: log, gone: map[uuid.UUID]bool{}}
	return &sealing{Store: &codec.Store{Log: log, Vault: vault.New(vault.Config{Keys: keys, Source: source}), Catalog: domain.Catalog}, log: log, keys: source}
}

// append writes events by somebody and returns what the log keeps of them.
func (s *sealing) append(t testing.TB, tenant uuid.UUID, by dcb.Provenance, events ...dcb.Event) []eventlog.Raw {
	t.Helper()
	id := uuid.New()
	pending := make([]dcb.Pending, len(events))
	for i, e := range events {
		pending[i] = dcb.Pending{Tenant: tenant, Event: e, Provenance: by}
	}
	receipts, _, err := s.Append(t.Context(), []dcb.Part{{ID: id, Fingerprint: id[:], Events: pending}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	raws, err := s.log.Page(t.Context(), receipts[0].First-1, len(events))
	if err != nil {
		t.Fatal(err)
	}
	return raws
}

func from(tenant, actor uuid.UUID, ip, agent string) dcb.Provenance {
	return dcb.Provenance{Actor: actor, ActorTenant: tenant, IP: dcb.Plain(ip), Agent: dcb.Plain(agent)}
}

func TestWhereARequestCameFromIsSealedUnderTheKeyOfWhoSentIt(t *testing.T) {
	s := newSealing(t)
	home, abroad, ann, bob := uuid.New(), uuid.New(), uuid.New(), domain.UserID{UUID: uuid.New()}
	raws := s.append(t, abroad, from(home, ann, "192.0.2.7", "canary/1"), domain.UserReactivated{User: bob}, domain.UserDeactivated{User: bob})
	if text := string(raws[0].Metadata); strings.Contains(text, "192.0.2.7") || strings.Contains(text, "canary") {
		t.Fatalf("the log has it in the clear: %s", text)
	}
	first, second := s.decoded(t, raws[0]), s.decoded(t, raws[1])
	for field, p := range map[string]dcb.Personal{"192.0.2.7": first.IP, "canary/1": first.Agent} {
		name := map[string]string{"192.0.2.7": "ip", "canary/1": "user_agent"}[field]
		if got, err := s.Vault.Open(t.Context(), home, name, p.Ciphertext()); err != nil || got != field {
			t.Errorf("%s opens as %q: %v", name, got, err)
		}
		if _, err := s.Vault.Open(t.Context(), abroad, name, p.Ciphertext()); err == nil {
			t.Errorf("%s opens in another tenant", name)
		}
		if subject, _ := vault.Subject(p.Ciphertext()); subject != ann {
			t.Errorf("%s is sealed for %s", name, subject)
		}
	}
	if !first.IP.Equal(second.IP) || !first.Agent.Equal(second.Agent) {
		t.Error("one request is sealed more than once")
	}
	next := s.decoded(t, s.append(t, abroad, from(home, ann, "192.0.2.8", ""), domain.UserReactivated{User: bob})[0])
	if got, err := s.Vault.Open(t.Context(), home, "ip", next.IP.Ciphertext()); err != nil || got != "192.0.2.8" || !next.Agent.IsZero() {
		t.Errorf("the next request came from %q: %v", got, err)
	}
}

func (s *sealing) decoded(t *testing.T, raw eventlog.Raw) dcb.Recorded {
	t.Helper()
	raw.Typed = nil
	r, err := s.Decode(raw)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestNothingIsKeptOfWhereNobodyOrAnErasedPersonCameFrom(t *testing.T) {
	s := newSealing(t)
	home, ann, bob := uuid.New(), uuid.New(), domain.UserID{UUID: uuid.New()}
	s.keys.gone[ann] = true
	for name, by := range map[string]dcb.Provenance{
		"nobody": from(home, uuid.Nil, "192.0.2.7", "x"), "nowhere": from(uuid.Nil, ann, "192.0.2.7", "x"), "erased": from(home, ann, "192.0.2.7", "x"),
	} {
		if r := s.decoded(t, s.append(t, home, by, domain.UserReactivated{User: bob})[0]); !r.IP.IsZero() || !r.Agent.IsZero() {
			t.Errorf("%s: kept %s", name, r.IP.Ciphertext())
		}
	}
}

func TestWhoIsMadeInTheSameAppendHasOneKey(t *testing.T) {
	s := newSealing(t)
	ann := domain.UserID{UUID: uuid.New()}
	r := s.decoded(t, s.append(t, domain.Root.UUID, from(domain.Root.UUID, ann.UUID, "192.0.2.7", "x"),
		domain.UserRegistered{User: ann, DisplayName: dcb.Plain("Ann"), Status: domain.UserActive}, domain.UserReactivated{User: ann})[0])
	s.Vault.Drop(domain.Root.UUID, ann.UUID) // so that it is the stored one which opens
	name := r.Event.(domain.UserRegistered).DisplayName
	for field, text := range map[string]string{"ip": r.IP.Ciphertext(), "user_agent": r.Agent.Ciphertext(), "display_name": name.Ciphertext()} {
		if _, err := s.Vault.Open(t.Context(), domain.Root.UUID, field, text); err != nil {
			t.Errorf("%s: %v", field, err)
		}
	}
}

func TestManyEventsOfOneRequestCostOneReadOfKeys(t *testing.T) {
	s := newSealing(t)
	home, ann, bob := uuid.New(), domain.UserID{UUID: uuid.New()}, domain.UserID{UUID: uuid.New()}
	for _, u := range []domain.UserID{ann, bob} {
		s.append(t, home, dcb.Provenance{}, domain.UserRegistered{User: u, DisplayName: dcb.Plain("A"), Status: domain.UserActive})
		s.Vault.Drop(home, u.UUID)
	}
	s.keys.reads = 0
	events := make([]dcb.Event, 100)
	for i := range events {
		events[i] = domain.UserUpdated{User: bob, DisplayName: dcb.Plain("B")}
	}
	s.append(t, home, from(home, ann.UUID, "192.0.2.7", "x"), events...)
	if s.keys.reads != 1 {
		t.Errorf("%d reads", s.keys.reads)
	}
}

func TestADamagedKeyIsAFaultAndNotAnOriginLeftOut(t *testing.T) {
	s := newSealing(t)
	broken := errors.New("unreachable")
	s.Vault = vault.New(vault.Config{Keys: s.Vault.Keys, Source: failing{broken}})
	id := uuid.New()
	_, _, err := s.Append(t.Context(), []dcb.Part{{ID: id, Fingerprint: id[:], Events: []dcb.Pending{{
		Tenant: id, Event: domain.UserReactivated{User: domain.UserID{UUID: id}}, Provenance: from(id, id, "192.0.2.7", "x"),
	}}}}, nil)
	if !errors.Is(err, broken) {
		t.Errorf("appended: %v", err)
	}
}

type failing struct{ err error }

func (f failing) SubjectKeys(context.Context, uuid.UUID, []uuid.UUID) (map[uuid.UUID][]byte, error) {
	return nil, f.err
}

// discarding takes everything and keeps nothing.
type discarding struct {
	eventlog.Log
	last eventlog.Request
}

func (d *discarding) Append(_ context.Context, r eventlog.Request) (eventlog.Verdict, error) {
	d.last = r
	return eventlog.Verdict{Status: eventlog.Accepted, First: 1, Last: int64(len(r.Events))}, nil
}

// BenchmarkSealingAnOrigin is what stands before the log, for one event and for a bulk of 500 commands, with and without an origin.
func BenchmarkSealingAnOrigin(b *testing.B) {
	const agent = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
	home, ann := uuid.New(), domain.UserID{UUID: uuid.New()}
	for _, n := range []int{1, 500} {
		for name, by := range map[string]dcb.Provenance{"without": from(home, ann.UUID, "", ""), "with": from(home, ann.UUID, "192.0.2.7", agent)} {
			b.Run(fmt.Sprintf("%d-%s", n, name), func(b *testing.B) {
				s := newSealing(b)
				s.append(b, home, dcb.Provenance{}, domain.UserRegistered{User: ann, DisplayName: dcb.Plain("Ann"), Status: domain.UserActive})
				log := &discarding{}
				s.Log = log
				parts := make([]dcb.Part, n)
				for i := range parts {
					id := uuid.New()
					parts[i] = dcb.Part{ID: id, Fingerprint: id[:], Events: []dcb.Pending{{
						Tenant: home, Event: domain.UserReactivated{User: ann}, Provenance: by,
					}}}
				}
				b.ReportAllocs()
				for b.Loop() {
					if _, _, err := s.Append(b.Context(), parts, nil); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/event")
				b.ReportMetric(float64(len(log.last.Events[0].Metadata)), "metadata-bytes/event")
			})
		}
	}
}
