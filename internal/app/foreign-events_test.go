package app

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"

	"chancery/domain"
	"chancery/internal/dcb"
)

// Names that are Chancery's own are refused to apps; yet nothing would come of an event that an app published under one.
func TestAnEventOfAnAppIsNeverTakenForChancerysOwn(t *testing.T) {
	s := newShopTenant(t)
	acme := uuid.MustParse(s.acme)
	read := func(asOf string) (all []string) {
		s.app.settled(t)
		for _, at := range []string{
			"/v1/tenants", "/v1/tenants/acme/users", "/v1/tenants/acme/roles", "/v1/tenants/acme/tenant-apps", "/v1/tenants/acme/policies",
			"/v1/tenants/acme/groups", "/v1/tenants/acme/licenses", "/v1/tenants/acme/sessions", "/v1/tenants/root/apps", "/v1/tenants/acme/endpoints",
		} {
			r := s.root.do(http.MethodGet, at+asOf, "")
			var page struct{ Items []json.RawMessage }
			if err := json.Unmarshal([]byte(r.body), &page); err != nil || r.status != http.StatusOK {
				t.Fatalf("%s: %d %s", at, r.status, r.body)
			}
			all = append(all, at+" "+string(bytes.Join(jsonBytes(page.Items), []byte("\n"))))
		}
		return all
	}
	before, index := read(""), s.app.index
	decided := func() string {
		all := index.App(domain.TenantID{UUID: acme}, "shop", s.clock.now())
		all.Position = 0
		return fmt.Sprintf("%+v", all)
	}
	rights := decided()

	var parts []dcb.Part
	for _, typ := range domain.Catalog.Types() {
		payload, err := os.ReadFile("../../domain/testdata/events/" + typ + ".json")
		if err != nil {
			t.Fatal(err)
		}
		payload = bytes.ReplaceAll(bytes.TrimSpace(payload), []byte("018f0000-0000-7000-8000-000000000001"), []byte(s.acme))
		first, _, _ := strings.Cut(typ, ".")
		e := domain.Published{App: domain.App(first), Type: typ, Payload: payload, About: domain.CloudEvent{ID: typ, Source: "/x"}}
		id := uuid.New()
		parts = append(parts, dcb.Part{ID: id, Fingerprint: id[:], Events: []dcb.Pending{{Tenant: acme, Event: e}}})
	}
	if _, _, err := s.app.engine.Store.Append(t.Context(), parts, nil); err != nil {
		t.Fatal(err)
	}
	head := s.app.headForTest(t)
	if after := read(""); !slices.Equal(after, before) {
		t.Errorf("before\n%s\nafter\n%s", strings.Join(before, "\n"), strings.Join(after, "\n"))
	}
	if past := read(fmt.Sprintf("?as_of=%d", head)); !slices.Equal(past, before) {
		t.Errorf("as of %d\n%s\nwant\n%s", head, strings.Join(past, "\n"), strings.Join(before, "\n"))
	}
	if now := decided(); now != rights {
		t.Errorf("the index says %s, and said %s", now, rights)
	}
	s.followed(t)
	if faults := s.app.column(t, `SELECT metadata::text FROM core.events WHERE position > $1`, head); len(faults) > 0 {
		t.Errorf("something was done about them: %q", faults)
	}
	s.ann.must(t, "acme", "create-group", `{"name":"after all"}`)

	// What is read as text is what was sent: nothing is masked, nothing opened.
	for _, typ := range []string{"token.issued", "user.registered"} {
		r := s.ann.do(http.MethodGet, "/v1/tenants/acme/events?type="+typ+"&source_app_id="+strings.Split(typ, ".")[0], "")
		var page struct {
			Items []struct{ Payload json.RawMessage }
		}
		if err := json.Unmarshal([]byte(r.body), &page); err != nil || len(page.Items) != 1 || strings.Contains(string(page.Items[0].Payload), "***") {
			t.Errorf("%s is read as %d %s", typ, r.status, r.body)
		}
	}
}

func jsonBytes(in []json.RawMessage) (out [][]byte) {
	for _, v := range in {
		out = append(out, v)
	}
	return out
}
