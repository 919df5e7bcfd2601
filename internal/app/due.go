package app

import (
	"context"

	"chancery/internal/due"
	"chancery/internal/ledger"
)

// openDue watches for dates that come. A later feature with dates adds its watch here. The projectors' role reads for it:
// it is the one that sees the tables of every tenant and may not write the log; what is due is decided on the log.
func (a *App) openDue(_, running context.Context) error {
	a.due = due.New(due.Config{
		Pool: a.ledger.Pool(ledger.Project), Now: a.config.Now, Log: a.log, Watches: []due.Watch{a.rotations()},
	})
	a.running.Go(func() { a.due.Run(running) })
	return nil
}
