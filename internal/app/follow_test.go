package app

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"chancery/domain"
	"chancery/internal/eventlog"
	"chancery/transport"
)

// publishRaw puts events of an app into the log as they stand there, without asking whether the app may.
func (a *App) publishRaw(t *testing.T, tenant domain.TenantID, count int) {
	t.Helper()
	for at := 0; at < count; at += 100 {
		r := eventlog.Request{Parts: []eventlog.Part{{ID: uuid.New(), Fingerprint: []byte("x"), Events: min(100, count-at)}}}
		for range r.Parts[0].Events {
			r.Events = append(r.Events, eventlog.Raw{
				Tenant: tenant.UUID, SourceApp: "github", Type: "github.push", Payload: []byte(`{"ref":"main"}`), Metadata: []byte(`{"cloudevent":{"id":"1","source":"x"}}`),
			})
		}
		if _, err := a.raw.Append(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	}
}

func TestAnAppThatStartsPassesWhatAppsPublished(t *testing.T) {
	a, c := platform(t)
	before := c.must(t, "root", "register-user", `{"display_name":"Before"}`)
	a.publishRaw(t, domain.Root, followPage+100)
	after := c.must(t, "root", "register-user", `{"display_name":"After"}`)
	a.publishRaw(t, domain.Root, 100)
	head, err := a.raw.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	b := openWith(t, Config{DatabaseURL: a.config.DatabaseURL, Data: a.config.Data})
	for name, x := range map[string]*App{"that was there": a, "that came": b} {
		if at := x.index.Position(); at < head {
			t.Errorf("the app %s is at %d of %d", name, at, head)
		}
		for _, id := range []string{before, after} {
			if _, status, known := x.index.User(domain.UserID{UUID: uuid.MustParse(id)}); !known || status != domain.UserActive {
				t.Errorf("the app %s does not know the user %s: %v", name, id, status)
			}
		}
	}
	c.must(t, "root", "deactivate-user", `{"id":"`+before+`"}`)
	a.publishRaw(t, domain.Root, 10)
	if err := b.follower.Fresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, status, _ := b.index.User(domain.UserID{UUID: uuid.MustParse(before)}); status != domain.UserInactive {
		t.Errorf("the other app has not heard of it: %v", status)
	}
}

func TestWhatAppsPublishedIsNoPartOfAnExcerpt(t *testing.T) {
	a, c := platform(t)
	for range 3 {
		a.publishRaw(t, domain.Root, 4)
		c.must(t, "root", "register-user", `{"display_name":"U"}`)
	}
	a.publishRaw(t, domain.Root, 4)
	x, err := a.past.Excerpt(t.Context(), moment(domain.Root, transport.Moment{Position: a.headForTest(t)}))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for {
		page, err := x.Page(t.Context(), 0, 2)
		if err != nil {
			t.Fatal(err)
		}
		if len(page) == 0 {
			break
		}
		for _, e := range page {
			got = append(got, e.ID.String())
		}
	}
	want := a.column(t, `SELECT id::text FROM core.events WHERE source_app_id = 'core' ORDER BY position`)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
