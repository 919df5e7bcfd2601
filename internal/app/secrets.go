package app

import (
	"context"
	"time"

	"chancery/commands"
	"chancery/domain"
	"chancery/internal/dcb"
	"chancery/internal/due"
)

// secret reads what a reference of a tenant's configuration (secret://app/name) stands for, for Chancery itself. That it was
// read, and for what purpose, is on record before the value is returned. Errors are as those of read-secret: a refusal
// says that there is no such secret, or that it is disabled. Keep the value no longer than it is used.
func (a *App) secret(ctx context.Context, tenant domain.TenantID, ref, purpose string) (string, error) {
	order := commands.SystemOrder("read-secret", commands.ReadSecret{Ref: ref, Purpose: purpose}, tenant, dcb.Provenance{})
	result, err := a.engine.Execute(ctx, order)
	return result.Reveal[1], err
}

// settleWithin is how long a disclosure waits for its record.
const settleWithin = 5 * time.Second

// settle returns when the tables have seen the position. Nothing is disclosed without its row.
func (a *App) settle(ctx context.Context, position int64) error {
	ctx, cancel := context.WithTimeout(ctx, settleWithin)
	defer cancel()
	return a.feed.Wait(ctx, "core", position)
}

// fingerprint tells requests apart without telling what is in them: whoever has the database, and not the key file, cannot
// try bodies until one fits.
func (a *App) fingerprint(parts ...[]byte) []byte {
	sum := a.vault.TokenSecret("request-fingerprint", string(commands.Fingerprint(parts...)))
	return sum[:]
}

// rotations reminds of secrets whose rotation is due.
func (a *App) rotations() due.Watch {
	return due.Watch{
		Name:  "rotations of secrets",
		Dates: due.Dates{Table: "secrets", Column: "remind_at", Where: "status = 'active'"},
		Do: due.Each(func(ctx context.Context, t due.Thing) error {
			remind := commands.RemindRotation{ID: domain.SecretID{UUID: t.ID}, DueAt: t.At}
			_, err := a.engine.Execute(ctx, commands.SystemOrder("remind-rotation", remind, domain.TenantID{UUID: t.Tenant}, dcb.Provenance{}))
			return err
		}),
	}
}
