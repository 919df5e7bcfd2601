package transport_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"chancery/domain"
	"chancery/transport"
)

func TestAnExportLeavesOnlyAfterItIsOnRecord(t *testing.T) {
	w := newWorld(t)
	w.people(t)
	at := "/v1/tenants/acme/users/" + w.vars["abeID"] + "/export"
	before, _ := w.log.Head(t.Context())
	rec := w.do("ann", "POST", at, "")
	page, err := w.store.Range(t.Context(), before+1, before+1)
	if err != nil || len(page) != 1 {
		t.Fatalf("%d events: %v", len(page), err)
	}
	if e, ok := page[0].Event.(domain.UserExported); !ok || e.User.String() != w.vars["abeID"] || page[0].Actor.String() != w.vars["annID"] {
		t.Errorf("recorded %v by %s", page[0].Event.EventType(), page[0].Actor)
	}
	if rec.Code != 200 || rec.Header().Get("Content-Type") != "application/zip" || !strings.Contains(rec.Header().Get("Content-Disposition"), w.vars["abeID"]) ||
		!strings.HasPrefix(rec.Body.String(), w.vars["abeID"]) || rec.Header().Get("Cache-Control") != "no-store" {
		t.Errorf("answered %d %v %s", rec.Code, rec.Header(), rec.Body)
	}
	if rec := w.do("abe", "POST", at, ""); rec.Code != 200 || !strings.HasPrefix(rec.Body.String(), w.vars["abeID"]) {
		t.Errorf("one's own: %d %s", rec.Code, rec.Body)
	}
	w.seen = before + 1 // the tables stand still
	if rec := w.do("ann", "POST", at, "{}"); rec.Code != http.StatusServiceUnavailable || strings.Contains(rec.Body.String(), w.vars["abeID"]) {
		t.Errorf("what the tables have not seen leaves: %d %s", rec.Code, rec.Body)
	}
}

func TestAnExportIsRefused(t *testing.T) {
	w := newWorld(t)
	w.people(t)
	at := func(id string) string { return "/v1/tenants/acme/users/" + id + "/export" }
	before, _ := w.log.Head(t.Context())
	for _, c := range []struct {
		who, target, body string
		headers           []string
		status            int
	}{
		{"abe", at(w.vars["annID"]), "", nil, 403},
		{"ann", at(w.vars["beaID"]), "", nil, 404},
		{"ann", at(w.vars["adminRole"]), "", nil, 404},
		{"ann", at("x"), "", nil, 404},
		{"ann", at(strings.ToUpper(w.vars["abeID"])), "", nil, 404},
		{"ann", "/v1/tenants/beta/users/" + w.vars["beaID"] + "/export", "", nil, 404},
		{"ann", at(w.vars["abeID"]), `{"id":"x"}`, nil, 400},
		{"ann", at(w.vars["abeID"]), `{`, nil, 400},
		{"ann", at(w.vars["abeID"]), "", []string{"Idempotency-Key", "k"}, 400},
		{"ann", at(w.vars["abeID"]), "x", []string{"Content-Type", "text/plain"}, 415},
		{"", at(w.vars["abeID"]), "", nil, 401},
	} {
		if rec := w.do(c.who, "POST", c.target, c.body, c.headers...); rec.Code != c.status {
			t.Errorf("%s %s %s: %d %s, want %d", c.who, c.target, c.body, rec.Code, rec.Body, c.status)
		}
	}
	if rec := w.do("ann", "POST", "/v1/tenants/acme/commands/export-user", `{"id":"`+w.vars["abeID"]+`"}`); rec.Code != 404 {
		t.Errorf("an export without an archive: %d %s", rec.Code, rec.Body)
	}
	if after, _ := w.log.Head(t.Context()); after != before {
		t.Errorf("%d events were recorded", after-before)
	}
}

// torn gives up in the middle of an archive.
type torn struct {
	tables
	wrote string
}

func (q torn) Now(t domain.TenantID) transport.View { return tornView{view{q.w, t, 1 << 60}, q.wrote} }

type tornView struct {
	view
	wrote string
}

func (v tornView) Export(_ context.Context, _ domain.UserID, _ int64, _ time.Time, out io.Writer) error {
	if v.wrote != "" {
		_, _ = io.WriteString(out, v.wrote)
	}
	return errors.New("the disk of Ann Canary is full")
}

func TestAnArchiveThatBreaksOffIsSeenToDoSo(t *testing.T) {
	w := newWorld(t)
	w.people(t)
	at := "/v1/tenants/acme/users/" + w.vars["abeID"] + "/export"
	w.config.Queries = torn{tables{w}, ""}
	w.restart(t)
	if rec := w.do("ann", "POST", at, ""); rec.Code != 500 || rec.Header().Get("Content-Type") != "application/problem+json" ||
		rec.Header().Get("Content-Disposition") != "" || strings.Contains(rec.Body.String(), "Canary") {
		t.Errorf("before the first byte: %d %v %s", rec.Code, rec.Header(), rec.Body)
	}
	w.config.Queries = torn{tables{w}, "PK"}
	w.restart(t)
	defer func() {
		if p := recover(); p != http.ErrAbortHandler { //nolint:errorlint // what net/http compares with
			t.Errorf("after it: %v", p)
		}
		if n := strings.Count(w.logged.String(), "is full"); n != 2 {
			t.Errorf("logged %d times", n)
		}
	}()
	w.do("ann", "POST", at, "")
}
