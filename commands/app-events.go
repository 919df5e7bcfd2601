package commands

import (
	"context"
	"fmt"
	"sync"

	"chancery/domain"
	"chancery/internal/dcb"
)

// AppEvents is what a published version of an app says about events. It MUST be a version that was published. What is told never
// changes, so it is kept.
func (e *Engine) AppEvents(ctx context.Context, app domain.App, number domain.Semver) (*domain.AppEvents, error) {
	id := app.VersionID(number)
	if known := e.appEvents.get(id); known != nil {
		return known, nil
	}
	m := domain.ManifestOf(app, number)
	if err := e.Ask(ctx, domain.Root, dcb.From(m)); err != nil {
		return nil, fmt.Errorf("read the manifest of %s %s: %w", app, number, err)
	}
	manifest, err := domain.ReadManifest(m.Value)
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", app, number, err)
	}
	made := domain.NewAppEvents(manifest)
	e.appEvents.put(id, made, len(m.Value))
	return made, nil
}

// appEvents are the versions that were asked for, up to a size of their manifests. When that is full some are forgotten, whichever.
type appEvents struct {
	mu   sync.RWMutex // owns the rest
	all  map[domain.AppVersionID]keptEvents
	size int
}

type keptEvents struct {
	*domain.AppEvents
	size int
}

const mostAppEvents = 8 << 20 // bytes of manifests; what is compiled of them takes some times as much

func (a *appEvents) get(id domain.AppVersionID) *domain.AppEvents {
	a.mu.RLock()
	defer a.mu.RUnlock()
	return a.all[id].AppEvents
}

func (a *appEvents) put(id domain.AppVersionID, made *domain.AppEvents, size int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.all == nil {
		a.all = map[domain.AppVersionID]keptEvents{}
	}
	for other, kept := range a.all {
		if a.size+size <= mostAppEvents && other != id {
			continue
		}
		delete(a.all, other)
		a.size -= kept.size
	}
	a.all[id] = keptEvents{made, size}
	a.size += size
}
