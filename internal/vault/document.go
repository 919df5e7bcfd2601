package vault

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"
)

// Erased stands where the text of an erased subject stood.
const Erased = "[erased]"

// found is a sealed text in a document: raw[from:to] with its quotes, under the key field.
type found struct {
	from, to int
	field    string
	text     string
}

// OpenJSON returns the document with every sealed text replaced by what it says, or by "[erased]"; everything else keeps
// its bytes. The field is the nearest key above the text. A text that does not open stays as it is: it reveals nothing,
// and one bad row must not take the page down. A document without sealed texts is returned as it came.
func (v *Vault) OpenJSON(ctx context.Context, tenant uuid.UUID, raw []byte) ([]byte, error) {
	if !bytes.Contains(raw, []byte(Mark)) {
		return raw, nil
	}
	places, err := findSealed(raw)
	if err != nil {
		return nil, fmt.Errorf("open a document: %w", err)
	}
	subjects := make([]uuid.UUID, 0, len(places))
	for _, p := range places {
		if subject, ok := Subject(p.text); ok {
			subjects = append(subjects, subject)
		}
	}
	states, err := v.load(ctx, tenant, subjects)
	if err != nil {
		return nil, fmt.Errorf("open a document: %w", err)
	}
	out := make([]byte, 0, len(raw))
	rest := 0
	for _, p := range places {
		plain, err := openWith(states, tenant, p)
		if _, secret := subjectOf(SecretData, p.text); secret {
			plain, err = mask, nil
		}
		if errors.Is(err, ErrUnreadable) {
			continue
		}
		if errors.Is(err, ErrErased) {
			plain = Erased
		}
		out = append(out, raw[rest:p.from]...)
		out, _ = jsontext.AppendQuote(out, plain) // bad UTF-8 is replaced, and no reason to hide the page
		rest = p.to
	}
	return append(out, raw[rest:]...), nil
}

// openWith is Open with keys in hand, so that a page of more subjects than the cache holds still costs one read.
func openWith(states map[uuid.UUID]keyState, tenant uuid.UUID, p found) (string, error) {
	subject, ciphertext, ok := parseSealed(PersonalData, p.text)
	if !ok {
		return "", ErrUnreadable
	}
	key := states[subject].key
	if key == nil {
		return "", ErrErased
	}
	plain, err := key.Decrypt(ciphertext, fieldContext(PersonalData, tenant, subject, p.field))
	if err != nil {
		return "", ErrUnreadable
	}
	return string(plain), nil
}

func findSealed(raw []byte) ([]found, error) {
	var places []found
	dec := jsontext.NewDecoder(bytes.NewBuffer(raw), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	for {
		kind := dec.PeekKind()
		if kind != '"' {
			if _, err := dec.ReadToken(); err != nil {
				return nil, err
			}
			if dec.StackDepth() == 0 {
				return places, nil
			}
			continue
		}
		value, err := dec.ReadValue()
		if err != nil {
			return nil, err
		}
		parent, length := dec.StackIndex(dec.StackDepth())
		isName := parent == '{' && length%2 == 1
		if !isName && bytes.Contains(value, []byte(Mark)) {
			text, err := jsontext.AppendUnquote(nil, value)
			if err != nil {
				return nil, err
			}
			to := int(dec.InputOffset())
			places = append(places, found{from: to - len(value), to: to, field: fieldAt(dec), text: string(text)})
		}
		if dec.StackDepth() == 0 {
			return places, nil
		}
	}
}

// fieldAt returns the nearest key above the value just read: list elements belong to the key of the list.
func fieldAt(dec *jsontext.Decoder) string {
	pointer := dec.StackPointer()
	for depth := dec.StackDepth(); depth > 0; depth-- {
		if kind, _ := dec.StackIndex(depth); kind == '{' {
			return pointer.LastToken()
		}
		pointer = pointer.Parent()
	}
	return ""
}
