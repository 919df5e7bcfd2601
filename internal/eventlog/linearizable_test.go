package eventlog_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"chancery/internal/eventlog"
	"chancery/internal/eventlog/logtest"
)

// A claimOp is what one client did to one name; found is what it learned: who held the name. A client that lost a race
// (lost) has learned nothing and changed nothing.
type claimOp struct {
	kind, name string // "claim", "release" or "read"
	client     string
}

type claimed struct {
	found string
	lost  bool
}

func TestClaimsReleasesAndReadsAreLinearizable(t *testing.T) {
	p := open(t, eventlog.Config{})
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	var mu sync.Mutex
	var operations []porcupine.Operation
	began := time.Now()
	var wg sync.WaitGroup
	for c := range 8 {
		wg.Go(func() {
			random := rand.New(rand.NewPCG(seed, uint64(c)))
			for range 40 {
				in := claimOp{[]string{"claim", "claim", "release", "read"}[random.IntN(4)], fmt.Sprint("slug:", random.IntN(3)), fmt.Sprint("client ", c)}
				call := time.Since(began)
				out, err := perform(t.Context(), p, in)
				back := time.Since(began)
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				operations = append(operations, porcupine.Operation{ClientId: c, Input: in, Call: int64(call), Output: out, Return: int64(back)})
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if !porcupine.CheckOperations(claims(), operations) {
		t.Errorf("no order of %d operations explains what the clients saw", len(operations))
	}
	// The check must be able to fail: two winners of one name.
	twice := []porcupine.Operation{
		{ClientId: 0, Input: claimOp{"claim", "n", "a"}, Output: claimed{}, Call: 0, Return: 10},
		{ClientId: 1, Input: claimOp{"claim", "n", "b"}, Output: claimed{}, Call: 5, Return: 15},
	}
	if porcupine.CheckOperations(claims(), twice) {
		t.Error("two winners pass the check")
	}
}

// perform reads who holds the name, and if the operation is due appends it on the condition that nothing has changed since.
func perform(ctx context.Context, l eventlog.Log, op claimOp) (claimed, error) {
	item := eventlog.Item{Types: []string{"claimed", "released"}, Tags: []string{op.name}}
	events, head, err := l.Read(ctx, eventlog.Query{item})
	if err != nil {
		return claimed{}, err
	}
	var out claimed
	if n := len(events); n > 0 && events[n-1].Type == "claimed" {
		out.found = events[n-1].Tags[1]
	}
	var kind string
	switch {
	case op.kind == "claim" && out.found == "":
		kind = "claimed"
	case op.kind == "release" && out.found == op.client:
		kind = "released"
	default:
		return out, nil
	}
	r := provided(logtest.Request(logtest.Event(kind, op.name, op.client)), head, item)
	v, err := l.Append(ctx, r)
	return claimed{found: out.found, lost: v.Status == eventlog.Conflict}, err
}

// claims is the model: a name is held by one client or by none.
func claims() porcupine.Model {
	return porcupine.Model{
		Partition: func(history []porcupine.Operation) [][]porcupine.Operation {
			byName := map[string][]porcupine.Operation{}
			for _, o := range history {
				name := o.Input.(claimOp).name
				byName[name] = append(byName[name], o)
			}
			var parts [][]porcupine.Operation
			for _, part := range byName {
				parts = append(parts, part)
			}
			return parts
		},
		Init: func() any { return "" },
		Step: func(state, input, output any) (bool, any) {
			holder, in, out := state.(string), input.(claimOp), output.(claimed)
			switch {
			case out.lost:
				return true, holder
			case out.found != holder:
				return false, holder
			case in.kind == "claim" && holder == "":
				return true, in.client
			case in.kind == "release" && holder == in.client:
				return true, ""
			}
			return true, holder
		},
	}
}
