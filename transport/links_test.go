package transport_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"chancery/domain"
	"chancery/internal/dcb"
)

// asked is what visitors asked for.
type asked []string

func (a *asked) Ask(t domain.TenantID, email string, by dcb.Provenance) {
	where := "here"
	if t.UUID == [16]byte(slices.Repeat([]byte{0xff}, 16)) {
		where = "nowhere"
	}
	*a = append(*a, where+" "+email+" "+by.IP.Reveal())
}

func TestWhoeverAsksForALinkIsAnsweredAlike(t *testing.T) {
	w := newWorld(t)
	w.people(t)
	var got asked
	w.config.Resets = &got
	w.restart(t)
	first := w.do("", "POST", "/v1/tenants/acme/password-resets", `{"email":"abe@acme.test"}`)
	if first.Code != http.StatusAccepted || first.Header().Get("Content-Type") != "application/json" {
		t.Errorf("%d %v %s", first.Code, first.Header(), first.Body)
	}
	for path, email := range map[string]string{
		"acme/password-resets": "nobody@acme.test", w.vars["acme"] + "/password-resets": "ABE@acme.test",
		"nowhere/password-resets": "abe@acme.test", "beta/password-resets": "no address",
	} {
		rec := w.do("", "POST", "/v1/tenants/"+path, `{"email":"`+email+`"}`)
		if rec.Code != first.Code || rec.Body.String() != first.Body.String() {
			t.Errorf("%s %s: %d %s", path, email, rec.Code, rec.Body)
		}
	}
	slices.Sort(got)
	if text := strings.Join(got, ","); !strings.Contains(text, "here nobody@acme.test 192.0.2.1") || !strings.Contains(text, "nowhere abe@acme.test") || len(got) != 5 {
		t.Errorf("asked for: %s", text)
	}
	w.usedUp = "nobody@acme.test"
	rec := w.do("", "POST", "/v1/tenants/acme/password-resets", `{"email":"Nobody@ACME.test"}`)
	if rec.Code != http.StatusTooManyRequests || rec.Header().Get("Retry-After") != "90" || len(got) != 5 {
		t.Errorf("too often: %d %v", rec.Code, rec.Header())
	}
	for _, body := range []string{``, `{}`, `{"email":1}`, `{"email":"x","more":1}`} {
		if rec := w.do("", "POST", "/v1/tenants/acme/password-resets", body); rec.Code != http.StatusBadRequest {
			t.Errorf("%s: %d", body, rec.Code)
		}
	}
}

func TestALinkIsFollowedOnceAndNothingElseOpensIt(t *testing.T) {
	w := newWorld(t)
	w.people(t)
	w.engine.Mails = true
	user := w.must(t, "ann", "/v1/tenants/acme/commands/register-user", `{"display_name":"Una","email":"una@acme.test","status":"invited"}`, "id")
	token := w.linkFor(t, user)
	redeem := func(where, token, password string) (int, string) {
		rec := w.do("", "POST", "/v1/tenants/"+where+"/links/redeem", `{"token":"`+token+`","password":"`+password+`"}`)
		return rec.Code, rec.Body.String()
	}
	if status, body := redeem("acme", token, "short"); status != 422 || !strings.Contains(body, "password-too-short") {
		t.Errorf("a short password: %d %s", status, body)
	}
	_, dead := redeem("acme", "chn_lnk_x", password)
	for name, other := range map[string][2]string{
		"cut off": {"acme", token[:len(token)-1]}, "an API token": {"acme", w.vars["ann"]}, "nothing": {"acme", ""},
		"another kind": {"acme", strings.Replace(token, "_lnk_", "_pat_", 1)},
		"elsewhere":    {"beta", token}, "nowhere": {"nowhere", token}, "at the platform": {"root", token},
	} {
		if status, body := redeem(other[0], other[1], password); status != 422 || body != dead || !strings.Contains(body, "link-dead") {
			t.Errorf("%s: %d %s", name, status, body)
		}
	}
	w.forgotten = nil
	if status, body := redeem("acme", token, password); status != 200 || body != `{"user_id":"`+user+`"}` {
		t.Fatalf("%d %s", status, body)
	}
	if text := strings.Join(w.forgotten, " "); !strings.Contains(text, "una@acme.test") {
		t.Errorf("what strangers used up of the account is not forgotten: %q", w.forgotten)
	}
	if status, body := redeem("acme", token, password); body != dead {
		t.Errorf("used twice: %d %s", status, body)
	}
	if rec := w.do("", "POST", "/v1/tenants/acme/sessions", `{"email":"una@acme.test","password":"`+password+`"}`); rec.Code != 200 {
		t.Errorf("sign in: %d %s", rec.Code, rec.Body)
	}
	if !slices.Contains(w.refused, "redeem-link link-dead ") {
		t.Errorf("on record: %q", w.refused)
	}
	w.usedUp = "links-followed"
	if status, _ := redeem("acme", token, password); status != http.StatusTooManyRequests {
		t.Errorf("too often: %d", status)
	}
}

// linkFor invites a user, and returns what is in the mail.
func (w *world) linkFor(t *testing.T, user string) string {
	t.Helper()
	rec := w.do("ann", "POST", "/v1/tenants/acme/commands/invite-user", `{"user_id":"`+user+`"}`)
	if rec.Code != http.StatusOK || strings.Contains(rec.Body.String(), "chn_lnk_") {
		t.Fatalf("invite: %d %s", rec.Code, rec.Body)
	}
	acme, _, _ := w.index.Tenant("acme")
	raws, err := w.log.Page(t.Context(), 0, 1<<30)
	if err != nil {
		t.Fatal(err)
	}
	for _, raw := range raws {
		r, err := w.store.Decode(raw)
		if err != nil {
			t.Fatal(err)
		}
		if e, ok := r.Event.(domain.LinkIssued); ok && e.User.String() == user {
			m, err := w.engine.LinkMail(t.Context(), acme, e.Link)
			if err != nil {
				t.Fatal(err)
			}
			return m.Token
		}
	}
	t.Fatal("no link was issued")
	return ""
}
