// Package codec stands between decisions and the log: it seals personal data on the way in, hashes claims, and
// decodes on the way out. No feature touches a cipher; nothing personal passes it in the clear.
package codec

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/google/uuid"

	"chancery/internal/dcb"
	"chancery/internal/eventlog"
	"chancery/internal/vault"
)

// Store is a dcb.Store over a raw log.
type Store struct {
	Log     eventlog.Log
	Vault   *vault.Vault
	Catalog *dcb.Catalog

	recent recent
}

var _ dcb.Store = (*Store)(nil)

// Claim is the stored form of a tag.
func (s *Store) Claim(tenant uuid.UUID, t dcb.Tag) dcb.Tag {
	personal, ok := strings.CutPrefix(string(t), "~")
	if !ok {
		return t
	}
	kind, value, _ := strings.Cut(personal, ":")
	return dcb.Tag(kind + ":" + s.Vault.Claim(tenant, kind, value))
}

// Decode makes a recorded event of a raw one; personal fields stay sealed. Without its payload an event of an app is a dcb.Unread, one
// of Chancery's own an error, whether or not it could be remembered.
func (s *Store) Decode(raw eventlog.Raw) (dcb.Recorded, error) {
	r := dcb.Recorded{Meta: dcb.Meta{
		Position: raw.Position, ID: raw.ID, Tenant: raw.Tenant, TenantSeq: raw.TenantSeq, SourceApp: raw.SourceApp,
		Request: raw.RequestID, At: raw.OccurredAt, RecordedAt: raw.CreatedAt,
	}}
	r.Tags = make([]dcb.Tag, len(raw.Tags))
	for i, t := range raw.Tags {
		r.Tags[i] = dcb.Tag(t)
	}
	unread := raw.Payload == nil
	if unread && raw.SourceApp == dcb.Core {
		return r, fmt.Errorf("event %d (%s): its payload was not read", raw.Position, raw.Type)
	}
	typed, ok := raw.Typed.(written)
	if !ok {
		typed, ok = s.recent.find(&raw)
	}
	if ok {
		r.Event, r.Provenance = typed.event, typed.by
	} else if err := json.Unmarshal(raw.Metadata, &r.Provenance); err != nil {
		return r, fmt.Errorf("event %d: metadata: %w", raw.Position, err)
	}
	var err error
	switch {
	case unread:
		r.Event = dcb.Unread{App: raw.SourceApp, Type: raw.Type}
	case ok:
	case raw.SourceApp == dcb.Core:
		r.Event, err = s.Catalog.Decode(raw.Type, raw.Payload)
	default:
		r.Event, err = s.Catalog.DecodeForeign(raw.SourceApp, raw.Type, raw.Payload, r.Envelope)
	}
	if err != nil {
		return r, fmt.Errorf("event %d: %w", raw.Position, err)
	}
	return r, nil
}

// written is an event as it was just written, so that it need not be decoded again in the same process.
type written struct {
	event dcb.Event
	by    dcb.Provenance
}

// DecodeAll decodes a page.
func (s *Store) DecodeAll(raws []eventlog.Raw) ([]dcb.Recorded, error) {
	page := make([]dcb.Recorded, len(raws))
	for i, raw := range raws {
		var err error
		if page[i], err = s.Decode(raw); err != nil {
			return nil, err
		}
	}
	return page, nil
}

// Read implements dcb.Store.
func (s *Store) Read(ctx context.Context, q dcb.Query, open dcb.Clear) ([]dcb.Recorded, int64, error) {
	raws, head, err := s.Log.Read(ctx, rawQuery(q))
	if err != nil {
		return nil, 0, fmt.Errorf("read the log: %w", err)
	}
	events, err := s.DecodeAll(raws)
	if err != nil || open == dcb.Nothing {
		return events, head, err
	}
	for i, r := range events {
		if events[i].Event, err = s.open(ctx, r, open); err != nil {
			return nil, 0, err
		}
	}
	return events, head, nil
}

func (s *Store) open(ctx context.Context, r dcb.Recorded, what dcb.Clear) (dcb.Event, error) {
	return dcb.MapHidden(r.Event, what, func(f dcb.Field) (dcb.Field, error) {
		if f.Ciphertext == "" {
			return f, nil
		}
		open := s.Vault.Open
		if f.Secret {
			open = s.Vault.OpenSecret
		}
		plain, err := open(ctx, r.Tenant, f.Name, f.Ciphertext)
		switch {
		case errors.Is(err, vault.ErrErased):
			return f, nil
		case err != nil:
			return f, fmt.Errorf("open %s of event %d: %w", f.Name, r.Position, err)
		}
		f.Plain = plain
		return f, nil
	})
}

// Append implements dcb.Store.
func (s *Store) Append(ctx context.Context, parts []dcb.Part, conditions []dcb.Condition) ([]dcb.Receipt, []dcb.Recorded, error) {
	req, sealer, err := s.encode(ctx, parts)
	if errors.Is(err, vault.ErrErased) {
		return nil, nil, dcb.ErrErased
	}
	if err != nil {
		return nil, nil, err
	}
	for _, c := range conditions {
		req.Conditions = append(req.Conditions, eventlog.Condition{Query: rawQuery(c.Query), After: c.After})
	}
	v, err := s.Log.Append(ctx, req)
	if err != nil {
		if errors.Is(err, eventlog.ErrBadRequest) {
			return nil, nil, dcb.ErrBadData
		}
		if errors.Is(err, eventlog.ErrRetiredKey) && sealer.Outdated() {
			return nil, nil, dcb.ErrConflict // the keyring was rotated meanwhile: sealed anew, it goes in
		}
		return nil, nil, fmt.Errorf("append %d events: %w", len(req.Events), err)
	}
	switch v.Status {
	case eventlog.Duplicate:
		return nil, nil, &dcb.DuplicateError{Part: v.Part, Receipt: dcb.Receipt{First: v.First, Last: v.Last, RecordedAt: v.CreatedAt}}
	case eventlog.Conflict:
		return nil, nil, collided(ctx, sealer, v)
	case eventlog.KeyReused:
		return nil, nil, dcb.ErrKeyReused
	case eventlog.TooEarly:
		return nil, nil, dcb.ErrTooEarly
	case eventlog.Accepted:
	}
	sealer.Confirm()
	return accepted(parts, req, v)
}

// collided says why an append conflicts. Where only a data key stands in the way it may be the blank of somebody erased, of whom
// a decision that makes a new subject does not know.
func collided(ctx context.Context, sealer *vault.Sealer, v eventlog.Verdict) error {
	if v.ConflictAt > 0 {
		return dcb.ErrConflict
	}
	switch erased, err := sealer.Erased(ctx); {
	case err != nil:
		return fmt.Errorf("fetch data keys: %w", err)
	case erased:
		return dcb.ErrErased
	}
	return dcb.ErrConflict
}

func accepted(parts []dcb.Part, req eventlog.Request, v eventlog.Verdict) ([]dcb.Receipt, []dcb.Recorded, error) {
	receipts, events := make([]dcb.Receipt, len(parts)), make([]dcb.Recorded, 0, len(req.Events))
	position := v.First
	for i, p := range parts {
		receipts[i] = dcb.Receipt{Fingerprint: p.Fingerprint, First: position, Last: position + int64(len(p.Events)) - 1, RecordedAt: v.CreatedAt}
		for range p.Events {
			raw := req.Events[len(events)]
			w := raw.Typed.(written)
			events = append(events, dcb.Recorded{
				Meta:  dcb.Meta{Position: position, ID: raw.ID, Tenant: raw.Tenant, Request: p.ID, RecordedAt: v.CreatedAt, Provenance: w.by},
				Event: w.event,
			})
			position++
		}
	}
	return receipts, events, nil
}

func (s *Store) encode(ctx context.Context, parts []dcb.Part) (eventlog.Request, *vault.Sealer, error) {
	var req eventlog.Request
	sealer := s.Vault.Sealer()
	if err := prepare(ctx, sealer, parts); err != nil {
		return req, nil, err
	}
	var from origin
	for _, p := range parts {
		req.Parts = append(req.Parts, eventlog.Part{ID: p.ID, Fingerprint: p.Fingerprint, Events: len(p.Events)})
		for _, pending := range p.Events {
			raw, err := s.seal(ctx, sealer, &from, pending)
			if err != nil {
				return req, nil, fmt.Errorf("encode %s: %w", pending.Event.EventType(), err)
			}
			req.Events = append(req.Events, raw)
		}
	}
	for _, k := range sealer.NewKeys() {
		req.Keys = append(req.Keys, eventlog.SubjectKey(k))
	}
	return req, sealer, nil
}

// prepare fetches the data keys of a whole append in one read.
func prepare(ctx context.Context, sealer *vault.Sealer, parts []dcb.Part) error {
	known := map[uuid.UUID][]uuid.UUID{}
	var actor uuid.UUID // the last one; a whole append has few
	for _, p := range parts {
		for _, e := range p.Events {
			if by := e.Provenance; by.Actor != actor && traced(by) {
				actor = by.Actor
				known[by.ActorTenant] = append(known[by.ActorTenant], actor)
			}
			subjected, ok := e.Event.(dcb.Subjected)
			if !ok {
				continue
			}
			if _, begins := e.Event.(dcb.Beginning); begins {
				sealer.Fresh(e.Tenant, subjected.DataSubject())
			} else {
				known[e.Tenant] = append(known[e.Tenant], subjected.DataSubject())
			}
		}
	}
	for tenant, subjects := range known {
		if err := sealer.Prepare(ctx, tenant, subjects); err != nil {
			return fmt.Errorf("fetch data keys: %w", err)
		}
	}
	return nil
}

func (s *Store) seal(ctx context.Context, sealer *vault.Sealer, from *origin, p dcb.Pending) (eventlog.Raw, error) {
	raw := eventlog.Raw{ID: uuid.Must(uuid.NewV7()), Tenant: p.Tenant, SourceApp: dcb.Core, Type: p.Event.EventType(), OccurredAt: p.At}
	event := dcb.MapClaims(p.Event, func(t dcb.Tag) dcb.Tag { return s.Claim(p.Tenant, t) })
	event, err := dcb.MapHidden(event, dcb.Personals|dcb.Secrets, func(f dcb.Field) (_ dcb.Field, err error) {
		if f.Ciphertext == "" {
			subject := event.(dcb.Subjected).DataSubject()
			f.Ciphertext, err = sealer.SealAs(ctx, vault.Class(f.Secret), p.Tenant, subject, f.Name, f.Plain)
		}
		f.Plain = ""
		return f, err
	})
	if err != nil {
		return raw, err
	}
	if p.Provenance, err = from.seal(ctx, sealer, p.Provenance); err != nil {
		return raw, err
	}
	if f, ok := event.(dcb.Foreign); ok {
		raw.SourceApp, raw.Payload, p.Provenance.Envelope = f.PublishedBy(), f.Data(), f.Envelope()
	} else if raw.Payload, err = json.Marshal(event); err != nil {
		return raw, err
	}
	if raw.Metadata, err = json.Marshal(p.Provenance); err != nil {
		return raw, err
	}
	tags := dcb.TagsOf(event)
	raw.Tags = make([]string, len(tags))
	for i, t := range tags {
		raw.Tags[i] = string(t)
	}
	raw.Typed = written{event, p.Provenance}
	return raw, nil
}

// Receipts implements dcb.Store.
func (s *Store) Receipts(ctx context.Context, ids []uuid.UUID) (map[uuid.UUID]dcb.Receipt, error) {
	found, err := s.Log.Receipts(ctx, ids)
	if err != nil {
		return nil, fmt.Errorf("look request ids up: %w", err)
	}
	receipts := make(map[uuid.UUID]dcb.Receipt, len(found))
	for id, r := range found {
		receipts[id] = dcb.Receipt{Fingerprint: r.Fingerprint, First: r.First, Last: r.Last, RecordedAt: r.CreatedAt}
	}
	return receipts, nil
}

// Range implements dcb.Store.
func (s *Store) Range(ctx context.Context, first, last int64) ([]dcb.Recorded, error) {
	raws, err := s.Log.Page(ctx, first-1, int(last-first+1))
	if err != nil {
		return nil, fmt.Errorf("read events %d to %d: %w", first, last, err)
	}
	return s.DecodeAll(raws)
}

// rawQuery leaves out what asks for a tag that no event can carry, such as that of an absent id or of a name with
// control characters: nothing can match it, and decisions ask before they judge their input.
func rawQuery(q dcb.Query) eventlog.Query {
	out := make(eventlog.Query, 0, len(q))
	for _, item := range q {
		tags := make([]string, len(item.Tags))
		for j, t := range item.Tags {
			tags[j] = string(t)
		}
		raw := eventlog.Item{Types: item.Types, Tags: tags}
		if err := (eventlog.Query{raw}).Check(); !errors.Is(err, eventlog.ErrBadRequest) {
			out = append(out, raw)
		}
	}
	return out
}
