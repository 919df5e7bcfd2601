package app

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sync/singleflight"

	"chancery/domain"
	"chancery/internal/access"
	"chancery/internal/replay"
	"chancery/transport"
)

// pastAccess answers who could do what, by an access index of a tenant's past. A few are kept: an explanation is
// seldom the only question about a moment.
//
// mu guards kept, the one asked for last at the end. The timer runs while some are kept.
type pastAccess struct {
	app      *App
	builds   singleflight.Group
	building chan struct{} // holds one for each request that builds or waits for a build

	mu   sync.Mutex
	kept []pastIndex
	idle *time.Timer
}

type pastIndex struct {
	key   string // of the excerpt
	index *access.Index
	used  time.Time
}

const (
	pastIndexes = 8
	pastBuilds  = 4
	pastLife    = 5 * time.Minute // since it was last asked for
)

func newPastAccess(a *App) *pastAccess {
	p := &pastAccess{app: a, building: make(chan struct{}, pastBuilds)}
	p.idle = time.AfterFunc(pastLife, p.giveUp)
	a.onClose(func() { p.idle.Stop() })
	return p
}

// giveUp forgets what nobody has asked for of late.
func (p *pastAccess) giveUp() {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.app.config.Now()
	p.kept = slices.DeleteFunc(p.kept, func(k pastIndex) bool { return now.Sub(k.used) >= pastLife })
	if len(p.kept) > 0 {
		p.idle.Reset(pastLife)
	}
}

// AsOf implements transport.AccessAsOf.
func (p *pastAccess) AsOf(ctx context.Context, t domain.TenantID, m transport.Moment) (transport.Judge, time.Time, error) {
	excerpt, err := p.app.past.Excerpt(ctx, p.question(t, m))
	if errors.Is(err, replay.ErrAhead) {
		return nil, time.Time{}, transport.ErrBeyond
	}
	if err != nil {
		return nil, time.Time{}, err
	}
	if x := p.find(excerpt.Key); x != nil {
		return x, excerpt.At, nil
	}
	select { // what is being built is in memory as a whole, and goes on when its caller has left
	case p.building <- struct{}{}:
		defer func() { <-p.building }()
	case <-ctx.Done():
		return nil, time.Time{}, ctx.Err()
	}
	built, err, _ := p.builds.Do(excerpt.Key, func() (any, error) {
		if x := p.find(excerpt.Key); x != nil {
			return x, nil
		}
		return p.build(context.WithoutCancel(ctx), excerpt)
	})
	if err != nil {
		return nil, time.Time{}, err
	}
	return built.(*access.Index), excerpt.At, nil
}

// question is that of moment, with the events of the tenants whose users act in the tenant: whether they may rests on these too. More
// tenants than had something to do with it then do no harm.
func (p *pastAccess) question(t domain.TenantID, m transport.Moment) replay.Question {
	q := moment(t, m)
	for _, host := range []domain.TenantID{t, domain.Root} { // a delegate of the platform's staff acts in every tenant
		for _, partner := range p.app.index.Partners(host) {
			if partner != t && !slices.Contains(q.Shared, partner.UUID) {
				q.Shared = append(q.Shared, partner.UUID)
			}
		}
	}
	slices.SortFunc(q.Shared, func(a, b uuid.UUID) int { return bytes.Compare(a[:], b[:]) })
	return q
}

func (p *pastAccess) find(key string) *access.Index {
	p.giveUp()
	p.mu.Lock()
	defer p.mu.Unlock()
	i := slices.IndexFunc(p.kept, func(k pastIndex) bool { return k.key == key })
	if i < 0 {
		return nil
	}
	k := p.kept[i]
	k.used = p.app.config.Now()
	p.kept = append(slices.Delete(p.kept, i, i+1), k)
	return k.index
}

func (p *pastAccess) build(ctx context.Context, excerpt replay.Excerpt) (*access.Index, error) {
	index := access.New()
	if err := p.fill(ctx, excerpt, index); err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.kept = append(p.kept, pastIndex{excerpt.Key, index, p.app.config.Now()})
	if len(p.kept) > pastIndexes {
		p.kept = slices.Delete(p.kept, 0, 1)
	}
	p.idle.Reset(pastLife)
	return index, nil
}

// fill has new indexes hear all of an excerpt, which is read once.
func (p *pastAccess) fill(ctx context.Context, excerpt replay.Excerpt, into ...*access.Index) error {
	for {
		raws, err := excerpt.Page(ctx, into[0].Position(), followPage)
		if err != nil || len(raws) == 0 {
			return err
		}
		page, err := p.app.store.DecodeAll(raws)
		if err != nil {
			return err
		}
		for _, index := range into {
			if err := index.ApplyExcerpt(page); err != nil {
				return err
			}
		}
	}
}
