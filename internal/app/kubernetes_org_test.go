package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"chancery/internal/imports"
	"chancery/internal/imports/orgtest"
)

const realHistory = "../../../shared/data/kubernetes-org"

// history is the real one where it is at hand; elsewhere one made up.
func history(t *testing.T) (changes []imports.Change, states map[time.Time]orgtest.State) {
	t.Helper()
	states = map[time.Time]orgtest.State{}
	f, err := os.Open(filepath.Join(realHistory, "history.ndjson"))
	if errors.Is(err, fs.ErrNotExist) {
		t.Log("the history of kubernetes/org is not on this machine: a made-up organisation takes its place")
		changes = orgtest.Generate(20260101, 5000)
		for _, i := range []int{len(changes) / 4, len(changes) / 2} {
			states[changes[i].At] = orgtest.Replay(changes, changes[i].At)
		}
		return changes, states
	}
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if changes, err = imports.ReadHistory(f); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(realHistory, "state-*.json"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no states of the real history: %v", err)
	}
	for _, name := range files {
		at, err := time.Parse("2006-01-02T150405Z", strings.TrimSuffix(strings.TrimPrefix(filepath.Base(name), "state-"), ".json"))
		if err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		var s orgtest.State
		if err := json.Unmarshal(text, &s); err != nil {
			t.Fatal(err)
		}
		states[at] = s
	}
	return changes, states
}

func TestAnImportedHistoryIsTheHistory(t *testing.T) {
	changes, states := history(t)
	a := start(t)
	server := httptest.NewServer(a.handlerForTest(t))
	defer server.Close()
	token := a.bootstrapForTest(t)
	plan, err := imports.PlanHistory(changes)
	if err != nil {
		t.Fatal(err)
	}
	client := &imports.Client{URL: server.URL, Token: token, HTTP: server.Client()}
	ctx := context.Background()
	began := time.Now()
	if err := client.Run(ctx, plan); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d changes as %d commands in %s", len(changes), plan.Lines(), time.Since(began).Round(time.Millisecond))
	head, err := a.raw.Head(ctx)
	if err != nil {
		t.Fatal(err)
	}

	t.Run("as of its instants the tables equal its states", func(t *testing.T) {
		for at, want := range states {
			began := time.Now()
			var tenants []string
			for _, tenant := range readAll(t, server, token, "root", "tenants", at.Format(time.RFC3339)) {
				if name, _ := tenant["name"].(string); name != "Platform" {
					tenants = append(tenants, name)
				}
			}
			slices.Sort(tenants)
			if diff := cmp.Diff(slices.Sorted(maps.Keys(want)), tenants); diff != "" {
				t.Fatalf("tenants as of %s (-want +got):\n%s", at, diff)
			}
			for org, o := range want {
				got := orgState(t, server, token, org, at.Format(time.RFC3339))
				if diff := cmp.Diff(o, got); diff != "" {
					t.Fatalf("%s as of %s (-want +got):\n%s", org, at, diff)
				}
			}
			t.Logf("%s: %d organisations compared in %s", at.Format(time.RFC3339), len(want), time.Since(began).Round(time.Millisecond))
		}
	})
	t.Run("at its end the tables equal the replay of the whole file", func(t *testing.T) {
		waitFor(t, a, head)
		for org, o := range orgtest.Replay(changes, time.Now()) {
			if diff := cmp.Diff(o, orgState(t, server, token, org, "")); diff != "" {
				t.Fatalf("%s (-want +got):\n%s", org, diff)
			}
		}
	})
	t.Run("run again it does nothing", func(t *testing.T) {
		if err := client.Run(ctx, plan); err != nil {
			t.Fatal(err)
		}
		if again, err := a.raw.Head(ctx); err != nil || again != head {
			t.Fatalf("the log grew from %d to %d: %v", head, again, err)
		}
	})
	t.Run("verify finds no difference, and names a row that was changed by hand", func(t *testing.T) {
		verifyByHand(t, a)
	})
}

func waitFor(t *testing.T, a *App, position int64) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for _, projector := range []string{"core", "audit"} {
		if err := a.feed.Wait(ctx, projector, position); err != nil {
			t.Fatal(err)
		}
	}
}

// orgState reads an organisation back through the query API.
func orgState(t *testing.T, server *httptest.Server, token, org, asOf string) *orgtest.Org {
	t.Helper()
	read := func(collection string, filter ...string) []map[string]any {
		return readAll(t, server, token, org, collection, asOf, filter...)
	}
	users, roles := map[any]map[string]any{}, map[any]string{}
	for _, u := range read("users") {
		users[u["id"]] = u
	}
	for _, r := range read("roles") {
		roles[r["id"]], _ = r["name"].(string)
	}
	name := func(id any) string { s, _ := users[id]["display_name"].(string); return s }
	o := &orgtest.Org{Admins: []string{}, Members: []string{}, Teams: map[string]*orgtest.Team{}}
	groups := map[any]*orgtest.Team{}
	names := map[any]string{}
	found := read("groups", "status", "active")
	for _, g := range found {
		team := &orgtest.Team{Members: []string{}, Maintainers: []string{}, Repos: map[string]string{}}
		names[g["id"]], _ = g["name"].(string)
		groups[g["id"]], o.Teams[names[g["id"]]] = team, team
	}
	for _, g := range found {
		if p, ok := names[g["parent_id"]]; ok {
			groups[g["id"]].Parent = &p
		}
	}
	for _, m := range read("group-memberships") {
		team := groups[m["group_id"]]
		if m["role"] == "maintainer" {
			team.Maintainers = append(team.Maintainers, name(m["user_id"]))
		} else {
			team.Members = append(team.Members, name(m["user_id"]))
		}
	}
	for _, a := range read("assignments", "status", "active") {
		scope, _ := a["scope"].(string)
		if repo, ok := strings.CutPrefix(scope, "repo:"); ok {
			groups[a["group_id"]].Repos[repo] = strings.TrimPrefix(roles[a["role_id"]], "repo-")
		} else if roles[a["role_id"]] == "org-admin" {
			o.Admins = append(o.Admins, name(a["user_id"]))
		}
	}
	for id, u := range users {
		if u["status"] == "active" && !slices.Contains(o.Admins, name(id)) {
			o.Members = append(o.Members, name(id))
		}
	}
	slices.Sort(o.Admins)
	slices.Sort(o.Members)
	for _, team := range groups {
		slices.Sort(team.Members)
		slices.Sort(team.Maintainers)
	}
	return o
}

func readAll(t *testing.T, server *httptest.Server, token, tenant, collection, asOf string, filter ...string) []map[string]any {
	t.Helper()
	q := url.Values{"limit": {"1000"}}
	if asOf != "" {
		q.Set("as_of", asOf)
	}
	for i := 0; i < len(filter); i += 2 {
		q.Set(filter[i], filter[i+1])
	}
	address := "/v1/tenants/" + tenant + "/" + collection
	if collection == "tenants" {
		address = "/v1/tenants"
	}
	var all []map[string]any
	for {
		var page struct {
			Items []map[string]any `json:"items"`
			Next  string           `json:"next"`
		}
		get(t, server, token, address+"?"+q.Encode(), &page)
		all = append(all, page.Items...)
		if page.Next == "" {
			return all
		}
		q.Set("cursor", page.Next)
	}
}

func get(t *testing.T, server *httptest.Server, token, path string, into any) {
	t.Helper()
	req, err := http.NewRequestWithContext(context.Background(), http.MethodGet, server.URL+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := server.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s: %s (%v)", path, resp.Status, text, err)
	}
	if err := json.Unmarshal(text, into); err != nil {
		t.Fatal(err)
	}
}

func verifyByHand(t *testing.T, a *App) {
	ctx := context.Background()
	r, err := a.Replay()
	if err != nil {
		t.Fatal(err)
	}
	v, err := r.Verify(ctx, 10)
	if err != nil || v.Total != 0 {
		t.Fatalf("%d differences, the first %v: %v", v.Total, v.Differences, err)
	}
	t.Logf("verified %d rows against %d events", v.Rows, v.Events)
	var id string
	err = a.ledger.Pool("chancery_project").QueryRow(ctx, `
		UPDATE core.group_memberships SET role = 'owner'
		WHERE (tenant_id, id) = (SELECT tenant_id, id FROM core.group_memberships ORDER BY tenant_id, id LIMIT 1) RETURNING id`).Scan(&id)
	if err != nil {
		t.Fatal(err)
	}
	v, err = r.Verify(ctx, 10)
	if err != nil || v.Total != 1 || !strings.Contains(fmt.Sprint(v.Differences), id) {
		t.Fatalf("%d differences, %v, want one that names %s: %v", v.Total, v.Differences, id, err)
	}
	t.Log(v.Differences[0])
}
