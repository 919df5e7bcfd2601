package readmodels_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"chancery/domain"
	"chancery/readmodels"
)

func TestMembersOfAGroupSeeOneAnotherAsFarAsTheyAreToldTo(t *testing.T) {
	w := newWorld(t)
	mine, globex, other := uuid.New(), uuid.New(), uuid.New()
	group := domain.GroupID{UUID: uuid.New()}
	ann, eve, zoe, joe := uuid.New(), uuid.New(), uuid.New(), uuid.New()
	for u, name := range map[uuid.UUID]string{ann: "Ann"} {
		w.put("users", mine, row{"id": u, "display_name": w.seal(mine, u, "display_name", name), "status": "active"})
	}
	// The name of somebody from outside is nowhere in the group's tenant.
	w.put("users", globex, row{"id": eve, "display_name": w.seal(globex, eve, "display_name", "Eve"), "status": "active"})
	join := func(n byte, user uuid.UUID, in uuid.UUID, home any) {
		w.put("group_memberships", mine, row{"id": uuid.UUID{15: n}, "group_id": in, "user_id": user, "role": "member", "home_tenant_id": home})
	}
	join(1, ann, group.UUID, nil)
	join(2, eve, group.UUID, globex)
	join(3, zoe, group.UUID, globex)
	join(4, joe, group.UUID, other)
	join(5, joe, uuid.New(), other)

	members := func(v readmodels.View, of readmodels.Fellows) []uuid.UUID {
		var all []uuid.UUID
		for p := (readmodels.Params{Limit: 2}); ; {
			page, err := v.List(t.Context(), readmodels.GroupMembers(group, of), p)
			if err != nil {
				t.Fatal(err)
			}
			for _, item := range page.Items {
				all = append(all, item.(*readmodels.GroupMember).UserID)
			}
			if p.Cursor = page.Next; p.Cursor == "" {
				return all
			}
		}
	}
	for _, c := range []struct {
		of   readmodels.Fellows
		want []uuid.UUID
	}{
		{readmodels.Fellows{}, []uuid.UUID{ann, eve, zoe, joe}},
		{readmodels.Fellows{Home: domain.TenantID{UUID: globex}}, []uuid.UUID{eve, zoe}},
		{readmodels.Fellows{User: domain.UserID{UUID: eve}}, []uuid.UUID{eve}},
		{readmodels.Fellows{User: domain.UserID{UUID: uuid.New()}}, nil},
	} {
		if diff := cmp.Diff(c.want, members(w.now(mine), c.of)); diff != "" {
			t.Errorf("%+v (-want +got):\n%s", c.of, diff)
		}
	}
	if got := members(w.now(globex), readmodels.Fellows{}); len(got) > 0 {
		t.Errorf("another tenant lists them: %v", got)
	}
	page, err := w.now(mine).List(t.Context(), readmodels.GroupMembers(group, readmodels.Fellows{}), readmodels.Params{})
	if err != nil {
		t.Fatal(err)
	}
	names := []any{"Ann", nil, nil, nil}
	for i, o := range objects(t, page.Items) {
		if len(o) != 6 || o["display_name"] != names[i] || o["role"] != "member" || o["id"] != (uuid.UUID{15: byte(i + 1)}).String() {
			t.Errorf("shown as %v", o)
		}
	}
}
