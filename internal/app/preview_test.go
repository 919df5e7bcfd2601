package app

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"chancery/domain"
)

type rightHeld struct {
	Privilege string `json:"privilege"`
	Scope     string `json:"scope"`
}

// foreseen is the answer of a preview, as lines: "+" or "-", the user, the privilege, and the scope if there is one.
func foreseen(t *testing.T, c caller, command, body string, names map[string]string) []string {
	t.Helper()
	r := c.do(http.MethodPost, "/v1/tenants/acme/access/v1/preview", fmt.Sprintf(`{"command":%q,"body":%s}`, command, body))
	var out struct {
		Total   int `json:"total"`
		Changes []struct {
			User       string      `json:"user_id"`
			Delegation string      `json:"delegation_id"`
			Gained     []rightHeld `json:"gained"`
			Lost       []rightHeld `json:"lost"`
		} `json:"changes"`
	}
	if err := json.Unmarshal([]byte(r.body), &out); err != nil || r.status != http.StatusOK {
		t.Fatalf("preview of %s: %d %s", command, r.status, r.body)
	}
	if out.Total != len(out.Changes) {
		t.Errorf("%d of %d changes are told", len(out.Changes), out.Total)
	}
	var lines []string
	for _, ch := range out.Changes {
		who := names[ch.User]
		if ch.Delegation != "" {
			who += " for another"
		}
		for _, g := range ch.Gained {
			lines = append(lines, strings.TrimSpace("+ "+who+" "+g.Privilege+" "+g.Scope))
		}
		for _, l := range ch.Lost {
			lines = append(lines, strings.TrimSpace("- "+who+" "+l.Privilege+" "+l.Scope))
		}
	}
	slices.Sort(lines)
	return lines
}

func TestAPreviewTellsWhoGainsAndWhoLosesWhatAndChangesNothing(t *testing.T) {
	c := newClimber(t)
	a := c.app
	benID, ben := c.person("ben")
	names := map[string]string{c.annID: "ann", c.malID: "mal", benID: "ben"}
	reader := c.give(benID, "reader", "core.users.read", "core.groups.read")
	c.grant(ben, c.mal, c.malID, `,"privileges":["core.users.*"]`)
	board, desk := c.ann.must(t, "acme", "create-department", `{"name":"Board"}`), c.ann.must(t, "acme", "create-department", `{"name":"Desk"}`)
	c.ann.must(t, "acme", "assign-role", fmt.Sprintf(`{"role_id":%q,"department_id":%q,"scope":"repo:web"}`, c.role("pusher", "core.users.update", "core.users.read"), board))
	c.ann.must(t, "acme", "move-user", fmt.Sprintf(`{"id":%q,"department_id":%q}`, benID, desk))
	head := a.headForTest(t)
	for _, expected := range []struct {
		command, body string
		want          []string
	}{
		{"remove-role-privilege", fmt.Sprintf(`{"id":%q,"privilege":"core.users.read"}`, reader), []string{"- ben core.users.read", "- mal for another core.users.read"}},
		{"add-role-privilege", fmt.Sprintf(`{"id":%q,"privilege":"core.users.update"}`, reader), []string{"+ ben core.users.update", "+ mal for another core.users.update"}},
		{"move-department", fmt.Sprintf(`{"id":%q,"parent_id":%q}`, desk, board), []string{"+ ben core.users.update repo:web", "+ mal for another core.users.update repo:web"}},
		{"set-policy", fmt.Sprintf(`{"key":%q,"value":"false"}`, domain.Delegable.Key), []string{"- mal for another core.users.read"}},
		{"rename-role", fmt.Sprintf(`{"id":%q,"name":"Reader"}`, reader), nil},
	} {
		got := foreseen(t, c.ann, expected.command, expected.body, names)
		if !slices.Equal(got, expected.want) {
			t.Errorf("%s: %q, want %q", expected.command, got, expected.want)
		}
	}
	if now := a.headForTest(t); now != head {
		t.Errorf("previews appended %d events", now-head)
	}
	if r := c.ann.do(http.MethodPost, "/v1/tenants/acme/access/v1/preview", fmt.Sprintf(`{"command":"add-role-privilege","body":{"id":%q,"privilege":"core.nothing.at-all"}}`, reader)); r.code() != "not-found" && r.code() != "privilege-unknown" {
		t.Errorf("a command that would be refused: %d %s", r.status, r.body)
	}
	if r := c.mal.do(http.MethodPost, "/v1/tenants/acme/access/v1/preview", fmt.Sprintf(`{"command":"rename-role","body":{"id":%q,"name":"x"}}`, reader)); r.status != http.StatusForbidden {
		t.Errorf("who may not ask about others previews: %d %s", r.status, r.body)
	}
	// what was foreseen is what comes to pass
	c.ann.must(t, "acme", "remove-role-privilege", fmt.Sprintf(`{"id":%q,"privilege":"core.users.read"}`, reader))
	if r := ben.do(http.MethodGet, "/v1/tenants/acme/users", ""); r.status != http.StatusForbidden {
		t.Errorf("ben reads on: %d", r.status)
	}
}
