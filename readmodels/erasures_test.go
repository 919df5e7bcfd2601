package readmodels_test

import (
	"testing"

	"github.com/google/uuid"

	"chancery/domain"
	"chancery/readmodels"
)

// The past shows an erased user with the address, and as somebody who is there.
func TestTheAddressOfAnErasedUserFindsNobody(t *testing.T) {
	w := newWorld(t)
	mine, ann, bob := uuid.New(), uuid.New(), uuid.New()
	key := w.claim(mine, domain.Email("ann@acme.test").Claim().Tag())
	w.put("users", mine, row{"id": ann, "email_key": key, "display_name": w.seal(mine, ann, "display_name", "Ann"), "status": "active"})
	w.put("users", mine, row{"id": bob, "display_name": w.seal(mine, bob, "display_name", "Bob"), "status": "active"})
	find := func(filter map[string]string) int {
		return len(list(t, w.now(mine), "users", readmodels.Params{Filter: filter}).Items)
	}
	if n := find(map[string]string{"email": "ann@acme.test"}); n != 1 {
		t.Errorf("found %d", n)
	}
	w.exec("chancery_owner", "INSERT INTO core.subject_keys (tenant_id, subject_id, wrapped, created_at) VALUES ($1, $2, '', now())", mine, ann)
	for _, status := range []string{"active", "erased"} {
		w.exec("chancery_owner", "UPDATE users SET status = $1 WHERE id = $2", status, ann)
		if n := find(map[string]string{"email": "ann@acme.test"}); n != 0 {
			t.Errorf("%s: found %d", status, n)
		}
	}
	if n := find(map[string]string{"status": "erased"}); n != 1 {
		t.Errorf("%d erased users", n)
	}
}
