// Package commandstest stands in for what commands ask of the world outside. It is fast and always the same, and secures nothing.
package commandstest

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/google/uuid"

	"chancery/commands"
	"chancery/domain"
)

// Authn is a commands.Authn whose secrets can be read off. A password that begins with "known" is on the list.
type Authn struct{ PasskeysOff bool }

var _ commands.Authn = Authn{}

// Hash is how a password is stored; strongly for those who hold much.
func Hash(password string, strong bool) string {
	if strong {
		return "strong:" + password
	}
	return "hash:" + password
}

// HashPassword is Hash.
func (Authn) HashPassword(_ context.Context, password, _ string, strong bool) (string, error) {
	return Hash(password, strong), nil
}

// VerifyPassword takes what Hash made; what was made for others than strong says is stale, and so is old:password.
func (Authn) VerifyPassword(_ context.Context, hash, password, account string, strong bool) (ok, stale bool, err error) {
	if account == "" {
		return false, false, errors.New("no account")
	}
	_, stored, _ := strings.Cut(hash, ":")
	return hash != "" && stored == password, hash != Hash(password, strong), nil
}

// Known is of passwords that begin with known, or hold what they must not.
func (Authn) Known(password string, about ...string) (bool, error) {
	return strings.HasPrefix(password, "known") || slices.ContainsFunc(about, func(s string) bool {
		return s != "" && strings.Contains(password, s)
	}), nil
}

// Code is what an authenticator with the seed shows at an instant.
func Code(seed string, at time.Time) string { return code(seed, at.Unix()/30) }

func code(seed string, step int64) string { return strconv.FormatInt(step, 10) + " of " + seed }

// TOTP takes the codes of the near steps.
func (a Authn) TOTP(seed, typed string, at time.Time) (int64, bool) {
	for _, step := range a.NearSteps(at) {
		if typed == code(seed, step) {
			return step, true
		}
	}
	return 0, false
}

// NearSteps are three.
func (Authn) NearSteps(at time.Time) []int64 {
	now := at.Unix() / 30
	return []int64{now - 1, now, now + 1}
}

// Seed is the secret with a word before it.
func (Authn) Seed(secret, account string) (seed, uri string) {
	return "seed " + secret, "otpauth://totp/" + account + "?secret=seed " + secret
}

// Codes are numbered.
func (a Authn) Codes(secret string, n int) (codes, hashes []string) {
	short := strings.ReplaceAll(secret, " ", "_")
	for i := range n {
		codes = append(codes, fmt.Sprintf("%s-%d", short, i))
		hashes = append(hashes, a.CodeHash(codes[i]))
	}
	return codes, hashes
}

// CodeHash is the code with a sign before it.
func (Authn) CodeHash(code string) string { return "#" + code }

// Ticket is readable.
func (Authn) Ticket(t commands.Ticket) string {
	text, _ := json.Marshal(t)
	return "ticket." + base64.RawURLEncoding.EncodeToString(text)
}

// OpenTicket reads it.
func (Authn) OpenTicket(purpose, text string, now time.Time) (t commands.Ticket, ok bool) {
	body, ok := strings.CutPrefix(text, "ticket.")
	plain, err := base64.RawURLEncoding.DecodeString(body)
	if !ok || err != nil || json.Unmarshal(plain, &t) != nil || t.Purpose != purpose || !now.Before(t.Until) {
		return commands.Ticket{}, false
	}
	return t, true
}

const challenge = "challenge"

// PasskeyCreation asks for the challenge back.
func (Authn) PasskeyCreation(u commands.PasskeyUser) (options, state []byte, err error) {
	options, err = json.Marshal(map[string]string{"create": challenge, "user": u.Name})
	return options, []byte(challenge), err
}

// PasskeyRequest asks for the challenge back.
func (a Authn) PasskeyRequest(known []string) (options, state []byte, err error) {
	if a.PasskeysOff {
		return nil, nil, domain.ErrPasskeysOff
	}
	options, err = json.Marshal(map[string]any{"get": challenge, "allow": len(known)})
	return options, []byte(challenge), err
}

// Answer is what an authenticator says: which key it is, what it was asked, and how often it has said something.
func Answer(id string, count uint32) []byte {
	return fmt.Appendf(nil, `{"id":%q,"challenge":%q,"count":%d}`, id, challenge, count)
}

type answer struct {
	ID        string `json:"id"`
	Challenge string `json:"challenge"`
	Count     uint32 `json:"count"`
}

var errAnswer = errors.New("not an answer to what was asked")

func read(response, state []byte) (a answer, err error) {
	if json.Unmarshal(response, &a) != nil || a.ID == "" || a.Challenge != string(state) {
		return answer{}, errAnswer
	}
	return a, nil
}

// Key is how a passkey is stored.
func Key(id string) string { return "key " + id }

// NewPasskey takes an Answer.
func (Authn) NewPasskey(_ commands.PasskeyUser, state, response []byte) (material, keyID string, err error) {
	a, err := read(response, state)
	return Key(a.ID), a.ID, err
}

// PasskeyID is that of an Answer.
func (Authn) PasskeyID(response []byte) (keyID string, user uuid.UUID, err error) {
	a, err := read(response, []byte(challenge))
	return a.ID, uuid.Nil, err
}

// Passkey takes an Answer that has counted on.
func (Authn) Passkey(_ commands.PasskeyUser, material string, state, response []byte, counted uint32) (uint32, error) {
	a, err := read(response, state)
	if err == nil && (material != Key(a.ID) || a.Count <= counted && counted > 0) {
		err = errAnswer
	}
	return a.Count, err
}
