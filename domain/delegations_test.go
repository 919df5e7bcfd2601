package domain_test

import (
	"errors"
	"testing"

	"github.com/google/uuid"

	"chancery/domain"
)

func TestWhatIsLeftOpenIsWiderThanWhatIsNarrowed(t *testing.T) {
	role := domain.RoleID{UUID: uuid.New()}
	parent := domain.DelegationGranted{Redelegations: 1, Bounds: domain.Bounds{
		Privileges: []domain.Pattern{"repo.*"}, Roles: []domain.RoleID{role}, Apps: []domain.App{"repo"}, Resources: []domain.Scope{"repo:web"},
	}}
	for pointer, widen := range map[string]func(*domain.Bounds){
		"":            func(*domain.Bounds) {},
		"/privileges": func(b *domain.Bounds) { b.Privileges = nil },
		"/roles":      func(b *domain.Bounds) { b.Roles = nil },
		"/apps":       func(b *domain.Bounds) { b.Apps = nil },
		"/resources":  func(b *domain.Bounds) { b.Resources = nil },
	} {
		child := domain.DelegationGranted{Bounds: parent.Bounds}
		widen(&child.Bounds)
		var at *domain.InputError
		err := child.Within(parent)
		if errors.As(err, &at); (pointer == "") != (err == nil) || at != nil && at.Pointer != pointer {
			t.Errorf("%q is open: %v", pointer, err)
		}
		child.Bounds = child.Bounds.Inheriting(parent.Bounds)
		if err := child.Within(parent); err != nil {
			t.Errorf("%q is taken over: %v", pointer, err)
		}
	}
}

func TestADelegationConcernsEachTenantOnce(t *testing.T) {
	one, two, three := domain.TenantID{UUID: uuid.New()}, domain.TenantID{UUID: uuid.New()}, domain.TenantID{UUID: uuid.New()}
	for _, c := range []struct {
		home, from, to domain.TenantID
		want           []domain.TenantID
	}{
		{one, one, one, []domain.TenantID{one}},
		{one, one, two, []domain.TenantID{one, two}},
		{one, two, one, []domain.TenantID{one, two}},
		{one, two, two, []domain.TenantID{one, two}},
		{one, two, three, []domain.TenantID{one, two, three}},
	} {
		got := domain.DelegationGranted{Tenant: domain.HomeIn(c.home), GrantorTenant: domain.HomeIn(c.from), DelegateTenant: domain.HomeIn(c.to)}.Tenants()
		if len(got) != len(c.want) {
			t.Fatalf("%v, want %v", got, c.want)
		}
		for i := range got {
			if got[i] != c.want[i] {
				t.Errorf("%v, want %v", got, c.want)
			}
		}
	}
}
