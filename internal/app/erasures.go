package app

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"chancery/commands"
	"chancery/domain"
	"chancery/internal/dcb"
	"chancery/internal/erasures"
	"chancery/internal/ledger"
	"chancery/internal/vault"
)

// erasedFile is the erasure ledger, where no other path is set.
const erasedFile = "erasures.log"

// erasedOnes keeps erased who was erased: their keys leave this process, and their ids go to the erasure ledger, as soon as the log
// is seen to say so, whichever process wrote it.
//
// mu owns inLog, which only grows.
type erasedOnes struct {
	vault    *vault.Vault
	database *ledger.Ledger
	file     *erasures.Ledger
	log      *slog.Logger
	wake     chan struct{}
	failing  atomic.Bool // the file could not be written the last time

	mu    sync.Mutex
	inLog map[erasedOne]bool
}

type erasedOne struct{ tenant, subject uuid.UUID }

func (a *App) newErasedOnes() *erasedOnes {
	path := a.config.ErasureLedger
	if path == "" {
		path = filepath.Join(a.config.Data, erasedFile)
	}
	return &erasedOnes{
		vault: a.vault, database: a.ledger, file: erasures.New(path), log: a.log, wake: make(chan struct{}, 1), inLog: map[erasedOne]bool{},
	}
}

// heard takes a page of the log. It never waits for the file.
func (e *erasedOnes) heard(page []dcb.Recorded) {
	for _, r := range page {
		event, erases := r.Event.(dcb.Erasing)
		if !erases {
			continue
		}
		one := erasedOne{r.Tenant, event.ErasesSubject()}
		e.vault.Drop(one.tenant, one.subject)
		e.mu.Lock()
		e.inLog[one] = true
		e.mu.Unlock()
		e.file.Note(erasures.Line{Tenant: one.tenant, Subject: one.subject, Type: event.EventType(), Event: r.ID, At: r.At})
		select {
		case e.wake <- struct{}{}:
		default:
		}
	}
}

func (e *erasedOnes) known(one erasedOne) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.inLog[one]
}

// record returns when all that was heard is in the file.
func (e *erasedOnes) record(ctx context.Context) error {
	err := e.file.Flush()
	switch {
	case err != nil && !e.failing.Swap(true):
		e.log.ErrorContext(ctx, "erasures are not on record outside of the database", "count", e.file.Pending(), "error", err)
	case err == nil && e.failing.Swap(false):
		e.log.InfoContext(ctx, "all erasures are on record again")
	}
	return err
}

// run records what other processes erased, tries again what failed, and has the old versions of destroyed keys cleaned up.
func (e *erasedOnes) run(ctx context.Context) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	unclean := false
	for {
		select {
		case <-ctx.Done():
			return
		case <-e.wake:
			unclean = true
			_ = e.record(ctx) // logged, and tried again
		case <-tick.C:
			if e.failing.Load() {
				_ = e.record(ctx)
			}
			if unclean {
				unclean = false
				if err := e.database.VacuumKeys(ctx); err != nil && ctx.Err() == nil {
					e.log.WarnContext(ctx, "destroyed keys were not cleaned up", "error", err)
				}
			}
		}
	}
}

// openErasures makes the log, the ledger and the keys agree before anything is served. What the log says and the file lacks is
// added: a crash came between the two. Whom the file names and the log does not, the database has forgotten: it was restored
// from an older backup, and they are erased again.
func (a *App) openErasures(ctx, running context.Context) error {
	if err := a.erased.record(ctx); err != nil {
		return err
	}
	lines := a.erased.file.Lines()
	var tenants, subjects []uuid.UUID
	for _, l := range lines {
		tenants, subjects = append(tenants, l.Tenant), append(subjects, l.Subject)
	}
	if len(lines) > 0 {
		blanked, err := a.ledger.BlankKeys(ctx, tenants, subjects)
		if err != nil {
			return err
		}
		if blanked > 0 {
			a.log.WarnContext(ctx, "the erasure ledger names data that the database had not destroyed; it is destroyed now", "count", blanked)
		}
	}
	for _, l := range lines {
		if a.erased.known(erasedOne{l.Tenant, l.Subject}) {
			continue
		}
		a.erased.vault.Drop(l.Tenant, l.Subject)
		if err := a.eraseAgain(ctx, l); err != nil {
			return fmt.Errorf("erase again what the erasure ledger names: %w", err)
		}
	}
	if err := a.erased.record(ctx); err != nil {
		return err
	}
	a.engine.Erased = func(ctx context.Context, position int64) error {
		if err := a.follower.upTo(ctx, position); err != nil {
			return err
		}
		return a.erased.record(ctx)
	}
	a.running.Go(func() { a.erased.run(running) })
	return nil
}

// eraseAgain lets the log say what the ledger says. Of types that it does not know the key alone is destroyed.
func (a *App) eraseAgain(ctx context.Context, l erasures.Line) error {
	if l.Type != (domain.UserErased{}).EventType() {
		return nil
	}
	c := commands.EraseAgain{User: domain.UserID{UUID: l.Subject}}
	order := commands.SystemOrder("erase-again", c, domain.TenantID{UUID: l.Tenant}, dcb.Provenance{Causation: l.Event})
	_, err := a.engine.Execute(ctx, order)
	return err
}
