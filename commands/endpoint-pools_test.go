package commands_test

import (
	"errors"
	"fmt"
	"testing"

	"chancery/commands"
	"chancery/domain"
	"chancery/internal/dcb"
)

// hooksOf are so many endpoints of an app in acme.
func hooksOf(app domain.App, n int) (all []dcb.Event) {
	for i := range n {
		id := domain.EndpointID{UUID: named(fmt.Sprintf("endpoint %s %d", app, i))}
		all = append(all, domain.EndpointCreated{Endpoint: id, App: app, Kind: domain.Pull, Pool: domain.EndpointPool(acme, app)})
	}
	return all
}

func gone(created dcb.Event) dcb.Event {
	e := created.(domain.EndpointCreated)
	return domain.EndpointDeleted{Endpoint: e.Endpoint, Pool: e.Pool}
}

func TestAnAppHasSoManyEndpointsInATenant(t *testing.T) {
	all := hooksOf("crm", domain.MostEndpoints)
	create := func(h history, ahead ...dcb.Event) outcome {
		return h.When(createHook().Decide(h.knowing(env(), ahead...)))
	}
	full := atCRM(t).and(all...)
	create(full).ThenRefused(t, domain.ErrEndpointsTooMany)
	if err := create(full.and(gone(all[7]))).Err(); err != nil {
		t.Errorf("after one was deleted: %v", err)
	}
	create(full.and(gone(all[7])), hooksOf("another app", 1)[0], hooksOf("crm", 2001)[2000]).ThenRefused(t, domain.ErrEndpointsTooMany)
	if err := create(full, gone(all[7]), gone(all[8]), hooksOf("crm", 2001)[2000]).Err(); err != nil {
		t.Errorf("after two were deleted, and one created, by the same request: %v", err)
	}
	if err := create(atCRM(t).and(hooksOf("another app", domain.MostEndpoints)...)).Err(); err != nil {
		t.Errorf("another app's: %v", err)
	}
}

// Those who come through another process do not wait in the lane of this one.
func TestRacersForTheLastEndpointsNeverOverrunTheBound(t *testing.T) {
	w := newWorld(t)
	w.counted()
	w.record(t, domain.Root, publishedApps(t, crmManifest)...)
	w.must(t, w.order(acme, &commands.EnableApp{App: "crm", Version: "1.0.0"}))
	w.record(t, acme, hooksOf("crm", domain.MostEndpoints-7)...)
	a := &answers{results: make([]commands.Result, 300), errs: make([]error, 300)}
	for i := range a.errs {
		a.Go(func() {
			c := createHook()
			c.ID = domain.EndpointID{UUID: named(fmt.Sprintf("racer %d", i))}
			o := w.order(acme, &c)
			if i%4 > 0 {
				a.results[i], a.errs[i] = w.do(o)
				return
			}
			got, err := w.Batch(t.Context(), acme, []commands.Order{o}, true)
			if a.errs[i] = err; err == nil {
				a.results[i], a.errs[i] = got[0].Result, got[0].Err
			}
		})
	}
	a.Wait()
	created := 0
	for _, err := range a.errs {
		switch {
		case err == nil:
			created++
		case !isRefusal(err, domain.ErrEndpointsTooMany) && !errors.Is(err, dcb.ErrConflict):
			t.Error(err)
		}
	}
	if created != 7 {
		t.Errorf("%d of 7 were created", created)
	}
}
