package codec

import (
	"context"
	"errors"
	"slices"

	"github.com/google/uuid"

	"chancery/internal/dcb"
	"chancery/internal/vault"
)

// origin is where the last request came from, in the clear and sealed, so that the many events of one append share what was
// sealed once: it is bound to the actor and to the field, and to no event.
type origin struct {
	tenant, actor uuid.UUID
	plain, sealed [2]dcb.Personal // address, program
}

// traced reports whether there is an origin to seal, and somebody whose it is.
func traced(by dcb.Provenance) bool {
	return by.Actor != uuid.Nil && by.ActorTenant != uuid.Nil && (!by.IP.IsZero() || !by.Agent.IsZero())
}

// seal puts the origin of a request under the key of whoever sent it. Of an erased person, and of nobody, none is kept.
func (o *origin) seal(ctx context.Context, sealer *vault.Sealer, by dcb.Provenance) (dcb.Provenance, error) {
	if !traced(by) {
		by.IP, by.Agent = dcb.Personal{}, dcb.Personal{}
		return by, nil
	}
	plain := [2]dcb.Personal{by.IP, by.Agent}
	if o.tenant != by.ActorTenant || o.actor != by.Actor || !slices.EqualFunc(o.plain[:], plain[:], dcb.Personal.Equal) {
		next := origin{tenant: by.ActorTenant, actor: by.Actor, plain: plain}
		for i, field := range []string{"ip", "user_agent"} {
			text, err := originText(ctx, sealer, by, field, plain[i])
			if err != nil {
				return by, err
			}
			next.sealed[i] = dcb.FromCiphertext(text)
		}
		*o = next
	}
	by.IP, by.Agent = o.sealed[0], o.sealed[1]
	return by, nil
}

func originText(ctx context.Context, sealer *vault.Sealer, by dcb.Provenance, field string, p dcb.Personal) (string, error) {
	if p.Reveal() == "" {
		return p.Ciphertext(), nil
	}
	text, err := sealer.Seal(ctx, by.ActorTenant, by.Actor, field, p.Reveal())
	if errors.Is(err, vault.ErrErased) {
		return "", nil
	}
	return text, err
}
