package app

import (
	"cmp"
	"context"
	"fmt"
	"os"

	"github.com/google/uuid"

	"chancery/domain"
	"chancery/internal/cloudevents"
	"chancery/internal/deliveries"
	"chancery/internal/eventlog"
	"chancery/internal/ledger"
)

// openDeliveries sends events to webhooks from here on. It is a step of a server alone: what rebuilds or verifies tables never gets here.
func (a *App) openDeliveries(_, running context.Context) error {
	sender, seen := a.sender(), a.newDeliveryMetrics()
	schedule := a.config.DeliverySchedule
	if len(schedule) == 0 {
		schedule = domain.DeliverySchedule
	}
	e, err := deliveries.New(deliveries.Config{
		Pool: a.ledger.Pool(ledger.Project), Log: eventlog.Sips{PG: a.raw},
		Load: a.webhooks, Concerns: endpointsConcern, Settle: a.settleEndpoints, Send: seen.sending(sender.Send), Hooks: seen.hooks(), Disable: a.disableEndpoint,
		Type:    func(raw *eventlog.Raw) string { return domain.OutwardType(raw.SourceApp, raw.Type) },
		Subject: cloudevents.SubjectOf, Data: shown,
		ID: func(endpoint, event uuid.UUID) uuid.UUID {
			return domain.DeliveryID(domain.EndpointID{UUID: endpoint}, event)
		},
		Schedule: schedule, GiveUp: cmp.Or(a.config.DeliveryGiveUp, domain.GiveUpAfter),
		Now: a.config.Now, Process: process(), Logger: a.log,
	})
	if err != nil {
		return err
	}
	a.deliveries.Store(e)
	a.running.Go(func() {
		defer sender.Close()
		e.Run(running)
	})
	return nil
}

// process names us in the record of attempts.
func process() string {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	return fmt.Sprintf("%s/%d", host, os.Getpid())
}

// settleEndpoints returns when the tables, and the index that says which endpoints are open, show what is recorded up to a position.
func (a *App) settleEndpoints(ctx context.Context, position int64) error {
	if err := a.follower.upTo(ctx, position); err != nil {
		return err
	}
	return a.feed.Wait(ctx, "core", position)
}

// deliverable tells of what this process appended.
func (a *App) deliverable() {
	if e := a.deliveries.Load(); e != nil {
		e.Poke()
	}
}
