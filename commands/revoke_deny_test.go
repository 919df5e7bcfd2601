package commands_test

import (
	"testing"

	"chancery/commands"
	"chancery/domain"
	"chancery/internal/dcb"
)

// To end a deny is to make effective what it held back; so it needs what giving needs. Ending an allow is free.
func TestADenyIsEndedOnlyByWhoHoldsWhatItHeldBack(t *testing.T) {
	revoke := func(e commands.Env) dcb.Decision { return commands.RevokeOverride{ID: override("new")}.Decide(e) }
	given(overruled(nil)).When(revoke(having("file.write"))).ThenRefused(t, domain.ErrMayNotGive)
	given(overruled(nil)).When(revoke(having("file.*"))).Events(t)
	over := func(e *domain.OverrideAdded) { e.ExpiresAt = now }
	given(overruled(over)).When(revoke(having())).Events(t)
	allow := func(e *domain.OverrideAdded) { e.Effect = domain.Allow }
	given(overruled(allow)).When(revoke(having())).Events(t)
	scoped := func(e *domain.OverrideAdded) { e.Scope = "repo:web" }
	there := func(s domain.Scope) commands.Env {
		return by(rights{scoped: map[domain.Scope][]domain.Pattern{s: {"file.read"}}})
	}
	given(overruled(scoped)).When(revoke(there("repo:web"))).Events(t)
	given(overruled(scoped)).When(revoke(there("repo:app"))).ThenRefused(t, domain.ErrMayNotGive)
}
