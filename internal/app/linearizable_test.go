package app

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
)

// slugOp is what one tenant does about one of the contested slugs: it takes it (and so gives up the one it has), goes
// back to a slug of its own, or asks who has it.
type slugOp struct {
	kind   string // "take", "leave" or "ask"
	slug   int
	tenant int // from 1
}

type slugAnswer struct {
	status int
	holder int // asked: the tenant, 0 for none
}

const contested = 3

// slugs is the model: who holds each contested slug, 0 for nobody.
func slugs() porcupine.Model {
	return porcupine.Model{
		Init: func() any { return [contested]int{} },
		Step: func(state, input, output any) (bool, any) {
			held, op, out := state.([contested]int), input.(slugOp), output.(slugAnswer)
			switch {
			case out.status == 409: // others changed it meanwhile: nothing was done, nothing learned
				return true, held
			case op.kind == "ask":
				return out.holder == held[op.slug], held
			case out.status == 422:
				return op.kind == "take" && held[op.slug] != 0 && held[op.slug] != op.tenant, held
			case op.kind == "take" && held[op.slug] != 0 && held[op.slug] != op.tenant:
				return false, held
			}
			for i, t := range held {
				if t == op.tenant {
					held[i] = 0
				}
			}
			if op.kind == "take" {
				held[op.slug] = op.tenant
			}
			return true, held
		},
	}
}

func TestSlugsTakenLeftAndAskedForOnTwoAppsAreLinearizable(t *testing.T) {
	a, one := platform(t)
	b := openWith(t, Config{DatabaseURL: a.config.DatabaseURL, Data: a.config.Data})
	two := caller{b.handlerForTest(t), one.token}
	const tenants = 6
	var ids [tenants + 1]string
	for i := 1; i <= tenants; i++ {
		ids[i] = one.must(t, "root", "create-tenant", fmt.Sprintf(`{"name":"T","slug":"own-%d"}`, i))
	}
	a.settled(t)
	ask := func(c caller, op slugOp) slugAnswer {
		slug := fmt.Sprint("contested-", op.slug)
		switch op.kind {
		case "ask":
			r := c.do("GET", "/v1/tenants/"+slug, "")
			out := slugAnswer{status: r.status}
			for i := 1; i <= tenants; i++ {
				if r.part("id") == ids[i] {
					out.holder = i
				}
			}
			return out
		case "leave":
			slug = fmt.Sprint("own-", op.tenant)
		}
		return slugAnswer{status: c.command(ids[op.tenant], "rename-tenant", fmt.Sprintf(`{"slug":%q}`, slug)).status}
	}
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	var mu sync.Mutex
	var wg sync.WaitGroup
	var operations []porcupine.Operation
	began, seen := time.Now(), map[string]int{}
	for client := range tenants {
		wg.Go(func() {
			random := rand.New(rand.NewPCG(seed, uint64(client)))
			for range 40 {
				op := slugOp{[]string{"take", "take", "leave", "ask"}[random.IntN(4)], random.IntN(contested), client + 1}
				call := time.Since(began)
				out := ask([]caller{one, two}[random.IntN(2)], op)
				back := time.Since(began)
				mu.Lock()
				operations = append(operations, porcupine.Operation{ClientId: client, Input: op, Call: int64(call), Output: out, Return: int64(back)})
				seen[fmt.Sprint(op.kind, " ", out.status)]++
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	t.Log(seen)
	for answer := range seen {
		switch answer {
		case "take 200", "take 422", "take 409", "leave 200", "leave 409", "ask 200", "ask 404":
		default:
			t.Errorf("an answer that should not be: %s", answer)
		}
	}
	if !porcupine.CheckOperations(slugs(), operations) {
		t.Errorf("no order of %d operations explains the answers", len(operations))
	}
	twice := []porcupine.Operation{
		{ClientId: 0, Input: slugOp{"take", 0, 1}, Output: slugAnswer{status: 200}, Call: 0, Return: 10},
		{ClientId: 1, Input: slugOp{"take", 0, 2}, Output: slugAnswer{status: 200}, Call: 5, Return: 15},
	}
	if porcupine.CheckOperations(slugs(), twice) {
		t.Error("two winners pass the check")
	}
}
