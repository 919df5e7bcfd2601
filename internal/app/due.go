package app

import (
	"context"

	"chancery/commands"
	"chancery/domain"
	"chancery/internal/due"
	"chancery/internal/ledger"
)

// openDue watches for dates that come. A later feature with dates adds its watch here, or to expiries. The projectors' role
// reads for it: it is the one that sees the tables of every tenant and may not write the log; what is due is decided on the log.
func (a *App) openDue(_, running context.Context) error {
	a.due = due.New(due.Config{
		Pool: a.ledger.Pool(ledger.Project), Now: a.config.Now, Every: a.config.DueEvery, Log: a.log,
		// What begins comes first: what goes on without a gap is then seen to go on.
		Watches: append([]due.Watch{a.beginnings(), a.licenseBeginnings(), a.rotations()}, a.expiries()...),
	})
	a.running.Go(func() { a.due.Run(running) })
	return nil
}

// orderAll gives orders of Chancery's own, those of a tenant in one commit, and tells what failed of which. What one of them fails by
// keeps no other from being done.
func (a *App) orderAll(ctx context.Context, orders []commands.Order) []error {
	failed := make([]error, len(orders))
	of := map[domain.TenantID][]int{}
	for i, o := range orders {
		of[o.Tenant] = append(of[o.Tenant], i)
	}
	for t, which := range of {
		together := make([]commands.Order, len(which))
		for n, i := range which {
			together[n] = orders[i]
		}
		outcomes, err := a.engine.Batch(ctx, t, together, false)
		for n, i := range which {
			switch {
			case err == nil && outcomes[n].Err == nil:
			case err != nil && (passing(err) || ctx.Err() != nil):
				failed[i] = err
			default: // alone it may well be done
				_, failed[i] = a.engine.Execute(ctx, orders[i])
			}
		}
	}
	return failed
}
