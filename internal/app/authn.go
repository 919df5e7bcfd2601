package app

import (
	"context"
	"errors"
	"net"
	"time"

	"github.com/go-json-experiment/json"

	"chancery/commands"
	"chancery/domain"
	"chancery/internal/authn"
	"chancery/internal/ledger"
	"chancery/internal/throttle"
)

// prover is commands.Authn: the engine, with our types.
type prover struct {
	*authn.Engine
	keys ticketKeys
}

type ticketKeys interface {
	SealTicket(purpose string, plain []byte) string
	OpenTicket(purpose, text string) ([]byte, bool)
}

func (p prover) Ticket(t commands.Ticket) string {
	text, _ := json.Marshal(t) // ids, texts and a time
	return p.keys.SealTicket(t.Purpose, text)
}

func (p prover) OpenTicket(purpose, text string, now time.Time) (t commands.Ticket, ok bool) {
	plain, ok := p.keys.OpenTicket(purpose, text)
	if !ok || json.Unmarshal(plain, &t) != nil || !now.Before(t.Until) {
		return commands.Ticket{}, false
	}
	return t, true
}

func (p prover) PasskeyCreation(user commands.PasskeyUser) (options, state []byte, err error) {
	options, state, err = p.Engine.PasskeyCreation(authn.PasskeyUser(user))
	return options, state, passkeysOff(err)
}

func (p prover) PasskeyRequest(known []string) (options, state []byte, err error) {
	options, state, err = p.Engine.PasskeyRequest(known)
	return options, state, passkeysOff(err)
}

// passkeysOff makes a refusal of what is no fault of the server's: strangers could fill its log with it.
func passkeysOff(err error) error {
	if errors.Is(err, authn.ErrNoPasskeys) {
		return domain.ErrPasskeysOff
	}
	return err
}

func (p prover) NewPasskey(user commands.PasskeyUser, state, response []byte) (material, keyID string, err error) {
	return p.Engine.NewPasskey(authn.PasskeyUser(user), state, response)
}

func (p prover) Passkey(user commands.PasskeyUser, material string, state, response []byte, counted uint32) (uint32, error) {
	return p.Engine.Passkey(authn.PasskeyUser(user), material, state, response, counted)
}

// sweepEvery is how often buckets that are full again are removed.
const sweepEvery = 10 * time.Minute

func (a *App) openAuthn(_, running context.Context) error {
	engine, err := authn.New(authn.Config{
		Keys: a.vault, Memory: a.config.PasswordMemory, Breached: a.config.BreachedPasswords, PublicURL: a.config.PublicURL,
	})
	if err != nil {
		return err
	}
	a.onClose(func() { _ = engine.Close() })
	a.engine.Authn = prover{engine, a.vault}
	a.throttle = throttle.New(throttle.Config{
		Pool: a.ledger.Pool(ledger.Append), Hash: func(key string) [32]byte { return a.vault.TokenSecret("throttle", key) },
	})
	a.running.Go(func() { a.sweep(running) })
	return nil
}

func (a *App) sweep(running context.Context) {
	ticks := time.NewTicker(sweepEvery)
	defer ticks.Stop()
	for {
		select {
		case <-running.Done():
			return
		case <-ticks.C:
		}
		if err := a.throttle.Sweep(running, a.config.Now()); err != nil && running.Err() == nil {
			a.log.Warn("old counts of tries stay", "error", err)
		}
	}
}

// localURL is where browsers on this machine find a server that listens at an address.
func localURL(listen string) string {
	_, port, err := net.SplitHostPort(listen)
	if err != nil || port == "" {
		return "http://localhost"
	}
	return "http://localhost:" + port
}
