package bridge

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/google/uuid"

	"chancery/internal/eventlog"
)

func encodePayload(e *eventlog.Raw) ([]byte, error) { return e.Payload, nil }

// paper is a publisher that notes what it is given.
type paper struct {
	mu   sync.Mutex
	got  map[string][]string // by tenant
	fail string              // position that is refused
	pace time.Duration       // that each message takes
	hang chan struct{}       // until closed, nothing returns; nil: everything does
}

func (p *paper) Publish(_ string, messages ...*message.Message) error {
	if p.hang != nil {
		<-p.hang
		return errors.New("closed")
	}
	<-time.After(p.pace) // by the clock of a test that has its own
	p.mu.Lock()
	defer p.mu.Unlock()
	m := messages[0].Metadata
	if m["chancery-position"] == p.fail {
		return errors.New("refused")
	}
	p.got[m[tenantKey]] = append(p.got[m[tenantKey]], m["chancery-tenantseq"])
	return nil
}

func (p *paper) Close() error {
	if p.hang != nil {
		close(p.hang)
	}
	return nil
}

// onPaper is a bridge whose lines are confirmed ones to a paper.
func onPaper(t *testing.T, p *paper) *Bridge {
	t.Helper()
	p.got = map[string][]string{}
	b, err := New(Config{URL: "nats://h", Encode: encodePayload, Type: outward, Timeout: 200 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	b.open = func(context.Context, target, *Config) (line, error) {
		return &confirmed{publisher: p, topic: func(o outgoing) string { return o.subject }, refuses: func(error) bool { return false }}, nil
	}
	return b
}

// many are n events of each of 20 tenants by turns.
func many(n int) (out []eventlog.Raw) {
	var tenants [20]uuid.UUID
	for i := range tenants {
		tenants[i] = uuid.New()
	}
	for i := range n * len(tenants) {
		out = append(out, eventlog.Raw{Position: int64(i) + 1, ID: uuid.New(), Tenant: tenants[i%len(tenants)], TenantSeq: int64(i/len(tenants)) + 1, SourceApp: "core", Type: "user.registered"})
	}
	return out
}

func TestTenantsGoAbreastAndEachInOrder(t *testing.T) {
	p := &paper{}
	b := onPaper(t, p)
	defer b.Close()
	if err := b.Follow(t.Context(), many(50)); err != nil {
		t.Fatal(err)
	}
	var want []string
	for i := range 50 {
		want = append(want, strconv.Itoa(i+1))
	}
	for tenant, got := range p.got {
		if !slices.Equal(got, want) {
			t.Errorf("%s: %v", tenant, got)
		}
	}
	if len(p.got) != 20 {
		t.Errorf("%d tenants", len(p.got))
	}
}

func TestNothingOfATenantFollowsWhatWasRefused(t *testing.T) {
	p := &paper{fail: "101"} // the sixth of the first tenant
	b := onPaper(t, p)
	defer b.Close()
	events := many(50)
	if err := b.Follow(t.Context(), events); err == nil || !strings.HasSuffix(err.Error(), "event "+events[100].ID.String()+": refused") {
		t.Error(err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if got := p.got[events[0].Tenant.String()]; len(got) > 5 {
		t.Errorf("%v went out", got)
	}
}

func TestABrokerThatHangsIsGivenUpInTime(t *testing.T) {
	p := &paper{hang: make(chan struct{})}
	b := onPaper(t, p)
	if err := b.Follow(t.Context(), many(1)); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
	b.Close() // waits for what hung
}

func TestASlowBrokerIsNotGivenUpAsLongAsItAnswers(t *testing.T) {
	for pace, want := range map[time.Duration]error{30 * time.Millisecond: nil, 190 * time.Millisecond: context.DeadlineExceeded} {
		synctest.Test(t, func(t *testing.T) {
			p := &paper{pace: pace}
			b := onPaper(t, p)
			started := time.Now()
			err := b.Follow(t.Context(), page(30))
			if took := time.Since(started); !errors.Is(err, want) || took > 6*b.config.Timeout || want == nil && took < 4*b.config.Timeout {
				t.Errorf("an event in %v: %v after %v", pace, err, took)
			}
			b.Close()
			<-time.After(pace) // what was under way ends
			synctest.Wait()
		})
	}
}
