package app

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"chancery/domain"
)

// An app that acts for somebody in another tenant has what that person may do there. It does not speak for its twin there besides.
func TestAnAppSpeaksInItsOwnTenantAlsoUnderADelegationOfAnother(t *testing.T) {
	s := newStall(t)
	_, at := s.pull("")
	s.order(s.shop, 1)
	s.root.must(t, "root", "create-tenant", `{"name":"Globex","slug":"globex"}`)
	gil := s.root.user(t, "globex", "gil", true)
	gil.must(t, "globex", "enable-app", `{"app":"stock"}`)
	gus := gil.must(t, "globex", "register-user", `{"display_name":"gus"}`)
	issued := gil.command("globex", "issue-token", fmt.Sprintf(`{"user_id":%q,"name":"x","app":"stock","expires_at":%q}`, gus, s.clock.now().Add(time.Hour).Format(time.RFC3339)))
	stranger := gil.as(issued.part("token"))

	s.root.must(t, "acme", "set-policy", fmt.Sprintf(`{"key":%q,"value":"true"}`, domain.DelegateOut.Key))
	s.root.must(t, "globex", "set-policy", fmt.Sprintf(`{"key":%q,"value":"true"}`, domain.DelegateIn.Key))
	abe := s.root.user(t, "acme", "abe", false) // who may do nothing
	grant := func(to, more string) string {
		t.Helper()
		return abe.must(t, "acme", "grant-delegation", fmt.Sprintf(`{"delegate_user_id":%q,"until":%q%s}`, to, s.clock.now().Add(time.Hour).Format(time.RFC3339), more))
	}
	id := grant(gus, `,"delegate_tenant":"globex"`)
	gil.as(gil.issue(t, "globex", gus)).must(t, "globex", "accept-delegation", fmt.Sprintf(`{"id":%q}`, id))
	home := grant(s.user, "")
	s.ann.as(s.ann.issue(t, "acme", s.user)).must(t, "acme", "accept-delegation", fmt.Sprintf(`{"id":%q}`, home))

	asks := func(by caller, delegation string) (pulling, entitled reply) {
		return by.do(http.MethodGet, at+"/events", "", "Chancery-Delegation", delegation),
			by.do(http.MethodPost, "/v1/tenants/acme/entitlements/check", `{"app":"stock","entitlement":"x"}`, "Chancery-Delegation", delegation)
	}
	pulling, entitled := asks(stranger, id)
	expectStatus(t, "the app of another tenant pulls", pulling, http.StatusNotFound, "not-found")
	expectStatus(t, "the app of another tenant asks what is licensed", entitled, http.StatusForbidden, "not-allowed")
	pulling, entitled = asks(s.stock, home)
	expectStatus(t, "the app of the tenant pulls", pulling, http.StatusOK, "")
	expectStatus(t, "the app of the tenant asks what is licensed", entitled, http.StatusOK, "")
}

func TestWhoWaitsForALeaseGetsNoneOnceTheTokenHasEnded(t *testing.T) {
	s := newStall(t)
	short := s.ann.command("acme", "issue-token", fmt.Sprintf(`{"user_id":%q,"name":"x","app":"stock","expires_at":%q}`, s.user, s.clock.now().Add(time.Hour).Format(time.RFC3339)))
	for _, c := range []struct {
		by  caller
		end func()
	}{
		{s.stock, func() { s.ann.must(t, "acme", "revoke-token", fmt.Sprintf(`{"id":%q}`, s.tokens["stock"])) }},
		{s.ann.as(short.part("token")), func() { s.clock.forward(time.Hour) }},
	} {
		id, at := s.pull("")
		leased := make(chan reply)
		go func() { leased <- c.by.do("POST", at+"/receive", `{"wait_seconds":30}`) }()
		for t.Context().Err() == nil && len(s.app.column(t, `SELECT 'it has looked' FROM core.delivery_cursors WHERE endpoint_id = $1`, id)) == 0 {
			<-time.After(time.Millisecond)
		}
		c.end()
		s.order(s.shop, 1)
		expectStatus(t, "leased", <-leased, http.StatusUnauthorized, "unauthenticated")
		if items := s.received(s.ann.do("POST", at+"/receive", `{}`)); len(items) != 1 || items[0].Attempt != 1 {
			t.Errorf("somebody had a lease: %+v", items)
		}
	}
}
