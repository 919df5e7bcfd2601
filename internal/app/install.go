package app

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/google/uuid"

	"chancery/commands"
	"chancery/domain"
	"chancery/internal/dcb"
	"chancery/readmodels"
	"chancery/transport"
)

// privileges are those of Chancery itself: of its commands, its queries, and a few that are neither.
func privileges() (all []domain.PrivilegeRegistered, reads []domain.Privilege) {
	seen := map[domain.Privilege]bool{}
	add := func(p domain.Privilege, doc string) {
		if !seen[p] {
			seen[p] = true
			all = append(all, domain.PrivilegeRegistered{Privilege: p, Description: doc})
		}
	}
	for _, s := range commands.Registry {
		add(s.Privilege, s.Doc)
	}
	add(commands.Export.Privilege, commands.Export.Doc)
	add(commands.Publishing.Privilege, commands.Publishing.Doc)
	for _, c := range readmodels.Collections {
		add(c.Privilege(), "Read "+c.Name+".")
		reads = append(reads, c.Privilege())
	}
	add("core.access.evaluate", "Ask what others may do.")
	add(transport.ReadGateway, "Read where all routes lead, and the configuration of gateways.")
	add("core.history.import", "Give commands a past time.")
	return all, append(reads, "core.access.evaluate")
}

// install makes what every installation has, as far as it is missing.
func (a *App) install(ctx context.Context) error {
	all, reads := privileges()
	order := commands.SystemOrder("install", commands.Install{Privileges: all, Reads: reads}, domain.Root, dcb.Provenance{})
	if _, err := a.engine.Execute(ctx, order); err != nil {
		return fmt.Errorf("install the platform's own tenant: %w", err)
	}
	return a.offerBootstrap(ctx)
}

const (
	bootstrapFile   = "bootstrap-token"
	bootstrapPrefix = "chn_boot_"
)

// offerBootstrap writes the one-time token, until the first administrator exists.
func (a *App) offerBootstrap(ctx context.Context) error {
	if done, err := a.bootstrapped(ctx); err != nil || done {
		return err
	}
	path := filepath.Join(a.config.Data, bootstrapFile)
	if _, err := readBootstrapToken(path); err == nil {
		return nil
	}
	draft := path + ".new"
	err := os.WriteFile(draft, []byte(bootstrapPrefix+rand.Text()+"\n"), 0o600)
	if err == nil {
		err = os.Rename(draft, path)
	}
	if err != nil {
		return fmt.Errorf("write the bootstrap token: %w", err)
	}
	return nil
}

// readBootstrapToken refuses a file that is no token, such as one cut off by a crash.
func readBootstrapToken(path string) (string, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	token := strings.TrimSpace(string(text))
	if len(token) != len(bootstrapPrefix)+26 || !strings.HasPrefix(token, bootstrapPrefix) {
		return "", ErrBootstrapToken
	}
	return token, nil
}

func (a *App) bootstrapped(ctx context.Context) (bool, error) {
	done := domain.Bootstrapped()
	err := a.engine.Ask(ctx, domain.Root, dcb.From(done))
	return done.Value, err
}

// ErrBootstrapToken refuses a wrong or used bootstrap token.
var ErrBootstrapToken = errors.New("the bootstrap token is wrong or was used")

// Bootstrap makes the first administrator; it works once, with the token in the data folder. Should the process die before
// the token is removed, it is answered again as it was, whatever else it comes with: else nobody would ever get in.
func (a *App) Bootstrap(ctx context.Context, from transport.Origin, given, email, displayName string) (token string, user, tenant uuid.UUID, err error) {
	path := filepath.Join(a.config.Data, bootstrapFile)
	want, err := readBootstrapToken(path)
	if err != nil || subtle.ConstantTimeCompare([]byte(want), []byte(given)) != 1 {
		return "", user, tenant, ErrBootstrapToken
	}
	order := bootstrapOrder(want, email, displayName)
	order.By.IP, order.By.Agent = dcb.Plain(from.IP), dcb.Plain(from.Agent)
	result, err := a.engine.Execute(ctx, order)
	if err != nil {
		return "", user, tenant, err
	}
	if err := os.Remove(path); err != nil { // while it lies there it opens the door again
		return "", user, tenant, fmt.Errorf("remove the used bootstrap token: %w", err)
	}
	return result.Reveal[1], result.ID, domain.Root.UUID, nil
}

// bootstrapOrder is the same request, about the same things, whenever it is made with the same bootstrap token. The log
// keeps nothing that the token, or the seed of the secret, follows from.
func bootstrapOrder(token, email, displayName string) commands.Order {
	derived := func(what string) []byte { return commands.Fingerprint([]byte(what), []byte(token)) }
	id := func(what string) uuid.UUID {
		id := uuid.UUID(derived(what)[:16])
		id[6], id[8] = id[6]&0x0f|0x80, id[8]&0x3f|0x80 // RFC 9562, version 8
		return id
	}
	c := commands.Bootstrap{
		User: domain.UserID{UUID: id("bootstrap-user")}, Token: domain.TokenID{UUID: id("bootstrap-token")},
		Assignment: domain.AssignmentID{UUID: id("bootstrap-assignment")}, Email: email, DisplayName: displayName,
	}
	by := dcb.Provenance{Actor: c.User.UUID, Effective: c.User.UUID, ActorTenant: domain.Root.UUID}
	o := commands.SystemOrder("bootstrap", c, domain.Root, by)
	o.Request, o.Keyed, o.Fingerprint = id("bootstrap-request"), true, derived("bootstrap-fingerprint")
	o.Seed = string(derived("bootstrap-seed"))
	return o
}
