package deliveries

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
)

// receivers answer as chance has it, and know what they were given before what.
type receivers struct {
	mu    sync.Mutex
	had   map[place]bool // by endpoint and event: it was delivered
	early []string       // sent while an earlier one of its key was not delivered
}

func (r *receivers) answer(ctx context.Context, ep Endpoint, i Item) Outcome {
	chance, seq := rand.IntN(100), i.Event.TenantSeq
	r.mu.Lock()
	if before := r.of(ep, seq-10); ep.OrderBy != "" && seq > 10 && !r.had[before] {
		r.early = append(r.early, fmt.Sprintf("endpoint %s: event %d, attempt %d, before %d", ep.ID, seq, i.Attempt, seq-10))
	}
	r.mu.Unlock()
	if chance < 20 { // slow
		select {
		case <-ctx.Done():
			return Outcome{Err: "cut off"}
		case <-time.After(time.Duration(rand.IntN(20)) * time.Millisecond):
		}
	}
	if chance%5 == 0 {
		return Outcome{Status: 500, Err: "answered 500"}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.had[r.of(ep, seq)] = true
	return Outcome{Delivered: true, Status: 200}
}

func (r *receivers) of(ep Endpoint, seq int64) place {
	return place{ep.ID, uuid.NewSHA1(ep.ID, []byte(strconv.FormatInt(seq, 10)))}
}

// TestEverythingArrivesInOrderWhoeverDies: two processes share endpoints with little room, and die, leave and are parted from the database
// in the middle of everything.
func TestEverythingArrivesInOrderWhoeverDies(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	if s := os.Getenv("SEED"); s != "" {
		seed, _ = strconv.ParseUint(s, 10, 64)
	}
	t.Log("seed", seed)
	chance := rand.New(rand.NewPCG(seed, 0))
	w := newWorld(t)
	r := &receivers{had: map[place]bool{}}
	w.answers(r.answer)
	schedule := make([]time.Duration, 40)
	for i := range schedule[1:] {
		schedule[i+1] = 10 * time.Millisecond
	}
	small := func(c *Config) {
		c.Schedule, c.Patience = schedule, time.Duration(1+chance.IntN(50))*time.Millisecond
		c.RingBytes, c.HeldBytes, c.Poll = 30_000, 30_000, 50*time.Millisecond
	}
	var eps []Endpoint
	for i := range 6 {
		eps = append(eps, w.endpoint(func(e *Endpoint) {
			if i > 0 {
				e.OrderBy = "/key"
			}
			e.Concurrency, e.Full = 1+4*i, i%2 == 0
		}))
	}
	nodes := []*mortal{w.mortal("n0", small), w.mortal("n1", small)}
	n, conn := int64(0), w.login()
	for step := range 25 {
		burst := int64(1 + chance.IntN(150))
		w.append(n+1, n+burst, "thing.happened", chance.IntN(500))
		n += burst
		<-time.After(time.Duration(chance.IntN(150)) * time.Millisecond)
		at := chance.IntN(2)
		switch chance.IntN(7) {
		case 0, 1:
			nodes[at].kill()
			nodes[at] = w.mortal(fmt.Sprint("n", step), small)
		case 2:
			nodes[at].stop()
			nodes[at] = w.mortal(fmt.Sprint("n", step), small)
		case 3:
			if _, err := conn.Exec(t.Context(), `SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND classid = $1`, aliveClass); err != nil {
				t.Fatal(err)
			}
		case 4:
			w.exec(`UPDATE core.event_deliveries SET status = 'retrying', round = attempt_count, next_attempt_at = $2
				WHERE endpoint_id = $1 AND status IN ('retrying', 'delivered', 'dead') AND tenant_seq % 3 = 0`, eps[chance.IntN(len(eps))].ID, w.now())
		case 5:
			w.change(eps[chance.IntN(len(eps))].ID, func(e *Endpoint) { e.Full, e.Concurrency = !e.Full, 1+chance.IntN(20) })
			n++
			w.append(n, n, "endpoint.changed", 10)
		}
	}
	deadline := time.Now().Add(90 * time.Second)
	for w.number(`SELECT count(*) FROM core.event_deliveries WHERE status = 'delivered'`) != n*int64(len(eps)) {
		if time.Now().After(deadline) {
			for _, m := range nodes {
				w.dump(m.node)
			}
			t.Fatalf("%d of %d arrived", w.number(`SELECT count(*) FROM core.event_deliveries WHERE status = 'delivered'`), n*int64(len(eps)))
		}
		<-time.After(50 * time.Millisecond)
	}
	for _, ep := range eps {
		w.wantSequences(ep, n)
	}
	for _, early := range r.early[:min(10, len(r.early))] {
		t.Error(early)
	}
	t.Logf("%d events, %d attempts", n, len(w.made()))
}

// dump shows what keeps a process from going on.
func (w *world) dump(n *node) {
	for _, p := range n.list() {
		p.mu.Lock()
		w.t.Logf("%s %s: closing %t running %t halted %t quiet %t asking %t nextDue %s read %d last %d done %d window %d fresh %d due %d busy %d flying %d pending %d heldUp %d",
			n.cfg.Process, p.id, p.closing, p.running, p.halted, p.quiet, p.asking, p.nextDue, p.read, p.last, len(p.done), len(p.window), len(p.fresh), len(p.due), len(p.busy), p.flying, p.pending, p.heldUp)
		for key, l := range p.lines {
			w.t.Logf("  %s: flying %d retrying %d waiting %d held %d closing %t", key, l.flying, l.retrying, l.waiting, len(l.held), l.closing)
		}
		p.mu.Unlock()
	}
	rows, _ := w.login().Query(context.Background(), `SELECT format('%s %s %s: %s after %s, next %s ago, number %s', endpoint_id, tenant_seq, ordering_key, status, attempt_count, now() - next_attempt_at, sequence) FROM core.event_deliveries WHERE status <> 'delivered' ORDER BY endpoint_id, tenant_seq LIMIT 40`)
	for rows.Next() {
		var s string
		_ = rows.Scan(&s)
		w.t.Log(s)
	}
}
