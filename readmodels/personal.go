package readmodels

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/google/uuid"

	"chancery/internal/masks"
	"chancery/internal/vault"
)

// What stands in the place of a personal value that cannot be shown.
const (
	erased = vault.Erased
	sealed = masks.Text
)

// personal is an item with sealed columns.
type personal interface {
	// personal tells whose they are. The names are those of the event's fields, under which they were sealed.
	personal() (subject uuid.UUID, columns []column)
}

type column struct {
	name string
	text *string // nil where there is none
}

// documented is an item with sealed texts somewhere in documents. The subject, if any, is one whose key they need.
type documented interface {
	documents() (subject uuid.UUID, docs []*[]byte)
}

// open replaces sealed texts by what they say, with one read of the data keys for all.
func (v View) open(ctx context.Context, items []item) error {
	var subjects []uuid.UUID
	for _, i := range items {
		if subject := subjectOf(i); subject != uuid.Nil {
			subjects = append(subjects, subject)
		}
	}
	if len(subjects) > 0 {
		if err := v.reader.config.Opener.Preload(ctx, v.tenant.UUID, subjects); err != nil {
			return fmt.Errorf("read data keys: %w", err)
		}
	}
	for _, i := range items {
		if err := v.openOne(ctx, i); err != nil {
			return fmt.Errorf("open personal data: %w", err)
		}
	}
	return nil
}

// subjectOf is whose key an item needs, nil if it needs none.
func subjectOf(i item) uuid.UUID {
	switch i := i.(type) {
	case personal:
		subject, columns := i.personal()
		if slices.ContainsFunc(columns, func(c column) bool { return c.text != nil && *c.text != "" }) {
			return subject
		}
	case documented:
		subject, _ := i.documents()
		return subject
	}
	return uuid.Nil
}

func (v View) openOne(ctx context.Context, i item) (err error) {
	if d, ok := i.(documented); ok {
		_, docs := d.documents()
		for _, doc := range docs {
			if *doc, err = v.reader.config.Opener.OpenJSON(ctx, v.tenant.UUID, *doc); err != nil {
				return err
			}
			*doc = masks.Sealed(*doc)
		}
	}
	p, ok := i.(personal)
	if !ok {
		return nil
	}
	subject, columns := p.personal()
	for _, c := range columns {
		if c.text == nil || *c.text == "" {
			continue
		}
		if *c.text, err = v.openText(ctx, subject, c.name, *c.text); err != nil {
			return err
		}
	}
	return nil
}

// openText shows a text that is damaged, or another's, as sealed: one bad row must not take the page down.
func (v View) openText(ctx context.Context, subject uuid.UUID, field, text string) (string, error) {
	if whose, ok := vault.Subject(text); !ok || whose != subject {
		return sealed, nil
	}
	plain, err := v.reader.config.Opener.Open(ctx, v.tenant.UUID, field, text)
	switch {
	case errors.Is(err, vault.ErrErased):
		return erased, nil
	case errors.Is(err, vault.ErrUnreadable):
		return sealed, nil
	}
	return plain, err
}
