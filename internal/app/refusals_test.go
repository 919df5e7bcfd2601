package app

import (
	"encoding/json"
	"fmt"
	"strconv"
	"testing"
	"time"

	"chancery/internal/pgtest"
)

// refusedRows are the audit rows of refused commands in a tenant: how often, by command.
func refusedRows(t *testing.T, c caller, tenant string) (rows int, counts map[string]int) {
	t.Helper()
	var page struct {
		Items []struct {
			Metadata struct {
				Command string    `json:"command"`
				Code    string    `json:"code"`
				Count   int       `json:"count"`
				First   time.Time `json:"first"`
				Last    time.Time `json:"last"`
			} `json:"metadata"`
		} `json:"items"`
	}
	r := c.do("GET", "/v1/tenants/"+tenant+"/audit?limit=1000&action=command.refused", "")
	if err := json.Unmarshal([]byte(r.body), &page); err != nil || r.status != 200 {
		t.Fatalf("audit: %d %s", r.status, r.body)
	}
	counts = map[string]int{}
	for _, i := range page.Items {
		counts[i.Metadata.Command+" "+i.Metadata.Code] += i.Metadata.Count
		if i.Metadata.First.IsZero() || i.Metadata.Last.Before(i.Metadata.First) {
			t.Errorf("from %s to %s", i.Metadata.First, i.Metadata.Last)
		}
	}
	return len(page.Items), counts
}

func TestAFloodOfRefusalsLeavesFewRowsWhoseCountsAddUp(t *testing.T) {
	a, root := platformWith(t, Config{})
	acme := root.must(t, "root", "create-tenant", `{"name":"Acme","slug":"acme"}`)
	beta := root.must(t, "root", "create-tenant", `{"name":"Beta","slug":"beta"}`)
	abe := root.user(t, "acme", "abe", false)
	before := a.headForTest(t)

	abe.command("acme", "create-group", `{"name":"x"}`)
	waitFor(t, a, before+1)
	if rows, counts := refusedRows(t, root, "acme"); rows != 1 || counts["create-group not-allowed"] != 1 {
		t.Errorf("the first refusal stands as %d rows of %v", rows, counts)
	}
	race(499, func(i int) reply {
		switch {
		case i < 300:
			return abe.command("acme", "create-group", `{"name":"x"}`)
		case i < 400:
			return abe.command("beta", "create-group", `{"name":"x"}`) // of whom abe may not know
		default:
			return abe.command("acme", "create-tenant", `{"name":"x","slug":"s`+strconv.Itoa(i)+`"}`)
		}
	})
	if r := abe.do("POST", "/v1/tenants/acme/commands", `{"command":"create-group","body":{"name":"y"}}`, "Content-Type", "application/x-ndjson"); r.status != 200 {
		t.Fatalf("%d %s", r.status, r.body)
	}
	a.Close()

	again := openWith(t, Config{DatabaseURL: a.config.DatabaseURL, Data: a.config.Data})
	root = caller{again.handlerForTest(t), root.token}
	again.settled(t)
	rows, counts := refusedRows(t, root, "acme")
	t.Logf("%d rows of %v", rows, counts)
	if rows > 8 {
		t.Errorf("502 refusals left %d rows", rows)
	}
	if counts["create-group not-allowed"] != 302 || counts["create-tenant not-allowed"] != 99 {
		t.Errorf("the counts do not add up: %v", counts)
	}
	if n := len(again.column(t, `SELECT type FROM core.events WHERE tenant_id = $1 AND position > $2`, beta, before)); n > 0 {
		t.Errorf("%d events stand in a tenant that only others asked for", n)
	}
	if n := len(again.column(t, `SELECT type FROM core.events WHERE tenant_id = $1 AND position > $2`, acme, before)); n != rows {
		t.Errorf("%d events for %d rows", n, rows)
	}
}

func TestAMinuteOfRefusalsIsWrittenWhenItIsOver(t *testing.T) {
	clock := newClock(time.Now())
	a := openWith(t, Config{DatabaseURL: pgtest.URL(t), Data: t.TempDir(), Now: clock.now})
	root := caller{a.handlerForTest(t), a.bootstrapForTest(t)}
	root.must(t, "root", "create-tenant", `{"name":"Acme","slug":"acme"}`)
	abe := root.user(t, "acme", "abe", false)
	before := a.headForTest(t)
	for range 10 {
		abe.command("acme", "create-group", `{"name":"x"}`)
		waitFor(t, a, before+1)
	}
	clock.forward(2 * time.Minute)
	abe.command("acme", "create-role", `{"name":"x"}`) // wakes the writer, as the clock of a real minute would
	waitFor(t, a, before+3)
	rows, counts := refusedRows(t, root, "acme")
	if want := fmt.Sprint(map[string]int{"create-group not-allowed": 10, "create-role not-allowed": 1}); rows != 3 || fmt.Sprint(counts) != want {
		t.Errorf("%d rows of %v, want 3 of %s", rows, counts, want)
	}
}
