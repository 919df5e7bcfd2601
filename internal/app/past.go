package app

import (
	"context"
	"errors"
	"fmt"
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
// mu guards kept, newest last.
type pastAccess struct {
	app    *App
	builds singleflight.Group

	mu   sync.Mutex
	kept []pastIndex
}

type pastIndex struct {
	tenant   uuid.UUID
	position int64
	index    *access.Index
}

const pastIndexes = 8

func newPastAccess(a *App) *pastAccess { return &pastAccess{app: a} }

// AsOf implements transport.AccessAsOf.
func (p *pastAccess) AsOf(ctx context.Context, t domain.TenantID, m transport.Moment) (transport.Judge, time.Time, error) {
	excerpt, err := p.app.past.Excerpt(ctx, moment(t, m))
	if errors.Is(err, replay.ErrAhead) {
		return nil, time.Time{}, transport.ErrBeyond
	}
	if err != nil {
		return nil, time.Time{}, err
	}
	if x := p.find(t.UUID, excerpt.Position); x != nil {
		return x, excerpt.At, nil
	}
	built, err, _ := p.builds.Do(fmt.Sprint(t, excerpt.Position), func() (any, error) {
		return p.build(context.WithoutCancel(ctx), t.UUID, excerpt)
	})
	if err != nil {
		return nil, time.Time{}, err
	}
	return built.(*access.Index), excerpt.At, nil
}

func (p *pastAccess) find(tenant uuid.UUID, position int64) *access.Index {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, k := range p.kept {
		if k.tenant == tenant && k.position == position {
			return k.index
		}
	}
	return nil
}

func (p *pastAccess) build(ctx context.Context, tenant uuid.UUID, excerpt replay.Excerpt) (*access.Index, error) {
	index := access.New()
	for {
		raws, err := excerpt.Page(ctx, index.Position(), followPage)
		if err != nil {
			return nil, err
		}
		if len(raws) == 0 {
			break
		}
		page, err := p.app.store.DecodeAll(raws)
		if err != nil {
			return nil, err
		}
		if err := index.ApplyExcerpt(page); err != nil {
			return nil, err
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.kept = append(p.kept, pastIndex{tenant, excerpt.Position, index})
	if len(p.kept) > pastIndexes {
		p.kept = p.kept[1:]
	}
	return index, nil
}
