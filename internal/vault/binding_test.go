package vault_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"chancery/internal/vault"
)

func TestACiphertextOpensForItsTenantSubjectFieldAndClassOnly(t *testing.T) {
	v, source := newVault(t)
	for _, class := range []vault.Class{vault.PersonalData, vault.SecretData} {
		for _, tenant := range []uuid.UUID{acme, bolt} {
			for _, subject := range []uuid.UUID{ann, ben} {
				s := v.Sealer()
				if _, err := s.SealAs(t.Context(), class, tenant, subject, "email", "x"); err != nil {
					t.Fatal(err)
				}
				source.insert(s.NewKeys())
				s.Confirm()
			}
		}
	}
	type place struct {
		class           vault.Class
		tenant, subject uuid.UUID
		field           string
	}
	home := place{vault.SecretData, acme, ann, "value"}
	sealed, err := v.Sealer().SealAs(t.Context(), home.class, home.tenant, home.subject, home.field, "hunter2")
	if err != nil {
		t.Fatal(err)
	}
	ciphertext := sealed[strings.LastIndex(sealed, ":")+1:]
	opened := map[place]string{}
	for _, class := range []vault.Class{vault.PersonalData, vault.SecretData} {
		for _, tenant := range []uuid.UUID{acme, bolt} {
			for _, subject := range []uuid.UUID{ann, ben} {
				for _, field := range []string{"value", "email", "value "} {
					digit, openAs := "1", v.Open
					if class == vault.SecretData {
						digit, openAs = "2", v.OpenSecret
					}
					plain, err := openAs(t.Context(), tenant, field, "sealed:"+digit+":"+subject.String()+":"+ciphertext)
					if err == nil {
						opened[place{class, tenant, subject, field}] = plain
					} else if !errors.Is(err, vault.ErrUnreadable) {
						t.Error(err)
					}
				}
			}
		}
	}
	if diff := cmp.Diff(map[place]string{home: "hunter2"}, opened, cmp.AllowUnexported(place{})); diff != "" {
		t.Error(diff)
	}
}
