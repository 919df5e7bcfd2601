package transport_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"chancery/commands"
	"chancery/domain"
)

// instant answers every command at once, so that only the transport is measured.
type instant struct{}

func (instant) Execute(context.Context, commands.Order) (commands.Result, error) {
	return commands.Result{Position: 42, Events: []commands.Ref{{Position: 42, Type: "group.created"}}}, nil
}

func (instant) Batch(_ context.Context, _ domain.TenantID, o []commands.Order, _ bool) ([]commands.Outcome, error) {
	return make([]commands.Outcome, len(o)), nil
}

func (instant) Challenge(context.Context, commands.Challenge) (string, []byte, error) {
	return "", nil, nil
}

func (instant) Publish(_ context.Context, _ domain.Semver, o []commands.Order) ([]commands.Result, error) {
	return make([]commands.Result, len(o)), nil
}

func benchmark(b *testing.B, target, body string, headers ...string) {
	w := newWorld(b)
	w.people(b)
	w.config.Commands, w.config.Observe = instant{}, nil
	w.restart(b)
	body = strings.ReplaceAll(body, "ANN", w.vars["annID"])
	b.ReportAllocs()
	for b.Loop() {
		r := httptest.NewRequest(http.MethodPost, target, strings.NewReader(body))
		r.Header.Set("Authorization", "Bearer "+w.vars["ann"])
		r.Header.Set("Content-Type", "application/json")
		for i := 0; i < len(headers); i += 2 {
			r.Header.Set(headers[i], headers[i+1])
		}
		rec := httptest.NewRecorder()
		if w.server.ServeHTTP(rec, r); rec.Code != http.StatusOK {
			b.Fatal(rec.Body)
		}
	}
}

func BenchmarkCommand(b *testing.B) {
	benchmark(b, "/v1/tenants/acme/commands/create-group", `{"name":"Team"}`, "Idempotency-Key", "k")
}

func BenchmarkCheck(b *testing.B) {
	benchmark(b, "/v1/tenants/acme/access/v1/evaluation", `{"subject":{"type":"user","id":"ANN"},"action":{"name":"core.users.read"},"resource":{"type":"tenant","id":"acme"}}`)
}
