package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"chancery/commands"
	"chancery/domain"
	"chancery/internal/dcb"
	"chancery/internal/eventlog"
	"chancery/internal/ledger"
	"chancery/internal/mail"
	"chancery/readmodels"
)

// openMail sends mails from here on, if there is a server to send them through.
func (a *App) openMail(_, running context.Context) error {
	a.resets = commands.NewResets(a.engine, a.log)
	a.running.Go(func() { a.resets.Run(running) })
	if a.config.SMTPURL == "" {
		return nil
	}
	if a.config.MailFrom == "" {
		return errors.New("CHANCERY_MAIL_FROM must be given with CHANCERY_SMTP_URL")
	}
	sender, err := mail.NewSMTP(a.config.SMTPURL, a.config.MailFrom)
	if err != nil {
		return fmt.Errorf("CHANCERY_SMTP_URL or CHANCERY_MAIL_FROM: %w", err)
	}
	sender.Now = a.config.Now
	public := strings.TrimSuffix(a.config.PublicURL, "/")
	if public == "" {
		public = "http://localhost"
	}
	if strings.HasPrefix(public, "http://localhost") {
		a.log.Warn("the links in mails lead to localhost; give CHANCERY_PUBLIC_URL")
	}
	m := &mailer{
		engine: a.engine, sender: sender, public: public, pool: a.ledger.Pool(ledger.Project), log: a.log,
		settle: a.feed.Wait, count: a.metrics.mail, retry: a.config.MailRetry, wake: make(chan struct{}, 1),
	}
	a.mailer.Store(m)
	a.running.Go(func() { m.run(running) })
	return nil
}

// mailer sends the mails of links. What is to be sent the tables tell, and before each attempt the log, which has the last
// word: so nothing of it is lost in a crash, and a rebuild or a replay sends nothing. A mail that was taken by the server goes
// out again only if the process dies before that is on record.
//
// It is no lane of the feed: there one mail that is not taken would hold up all that come after it, for as long as its link
// lives, and with them a transaction. Of several processes the one that holds an advisory lock sends.
type mailer struct {
	engine *commands.Engine
	sender mail.Sender
	public string
	pool   *pgxpool.Pool
	log    *slog.Logger
	settle func(ctx context.Context, projector string, position int64) error
	count  func(purpose, outcome string)
	retry  time.Duration // the first pause after a failure; 0: what mail.Courier thinks good

	wake   chan struct{} // capacity 1
	newest atomic.Int64  // position of the last link that this process has seen issued
	taken  sync.Map      // of letter: taken by the server, and not on record yet
}

// letter names a mail.
type letter struct {
	tenant domain.TenantID
	link   domain.LinkID
}

const (
	mailLock   = 4847003         // class of our advisory lock; 4847001 and 4847002 are the log's and replay's
	mailPoll   = time.Second     // how often the tables are asked without being woken, for links that others issued
	mailRest   = 5 * time.Second // before the lock is tried again
	mailPage   = 500
	mailSettle = 2 * time.Second
)

// appended wakes the mailer when a link was issued here. It never waits.
func (m *mailer) appended(raws []eventlog.Raw) {
	for _, raw := range raws {
		if raw.Type != (domain.LinkIssued{}).EventType() || raw.SourceApp != dcb.Core {
			continue
		}
		m.newest.Store(raw.Position)
		select {
		case m.wake <- struct{}{}:
		default:
		}
	}
}

func (m *mailer) run(ctx context.Context) {
	for {
		if err := m.lead(ctx); err != nil && ctx.Err() == nil {
			m.log.WarnContext(ctx, "mails wait: what is to be sent cannot be read", "error", err)
		}
		rest := time.NewTimer(mailRest)
		select {
		case <-rest.C:
		case <-ctx.Done():
			rest.Stop()
			return
		}
	}
}

// lead sends while this process holds the lock, which goes with the connection. It returns at once if another one does.
func (m *mailer) lead(ctx context.Context) error {
	pooled, err := m.pool.Acquire(ctx)
	if err != nil {
		return err
	}
	conn := pooled.Hijack() // for itself: a pooled one would be missing for work
	defer conn.Close(context.WithoutCancel(ctx))
	var mine bool
	if err := conn.QueryRow(ctx, "SELECT pg_try_advisory_lock($1::int, 1)", mailLock).Scan(&mine); err != nil || !mine {
		return err
	}
	courier := &mail.Courier[letter]{Try: m.try, Min: m.retry}
	var working sync.WaitGroup
	sending, stop := context.WithCancel(ctx)
	defer working.Wait()
	defer stop()
	working.Go(func() { courier.Run(sending) })
	tick := time.NewTicker(mailPoll)
	defer tick.Stop()
	for after := int64(0); ; {
		found, err := readmodels.UnmailedLinks(ctx, conn, after, mailPage)
		if err != nil {
			return err
		}
		for _, u := range found {
			courier.Add(letter{domain.TenantID{UUID: u.Tenant}, domain.LinkID{UUID: u.Link}})
			after = u.Version
		}
		if len(found) == mailPage {
			continue
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		case <-m.wake:
			m.await(ctx)
		}
	}
}

// await returns when the tables have seen the newest link; if that takes too long, the next tick finds it.
func (m *mailer) await(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, mailSettle)
	defer cancel()
	_ = m.settle(ctx, "core", m.newest.Load())
}

// try is one attempt; true if there will be no other.
func (m *mailer) try(ctx context.Context, l letter) bool {
	log := m.log.With("tenant", l.tenant.UUID, "link", l.link.UUID)
	found, err := m.engine.LinkMail(ctx, l.tenant, l.link)
	switch {
	case err != nil:
		log.WarnContext(ctx, "a mail waits: the log cannot be read", "error", err)
		return false
	case found.Over:
		return true
	case found.Hopeless != "":
		return m.record(ctx, l, found, found.Hopeless)
	case found.Waits:
		return false
	}
	if _, taken := m.taken.Load(l); taken {
		return m.record(ctx, l, found, "")
	}
	err = m.sender.Send(ctx, write(found, l.tenant, m.public))
	switch {
	case err == nil:
		m.taken.Store(l, struct{}{})
		return m.record(ctx, l, found, "")
	case ctx.Err() != nil:
		return false
	}
	log.WarnContext(ctx, "a mail was not taken", "given_up", mail.Permanent(err), "error", err)
	if mail.Permanent(err) {
		return m.record(ctx, l, found, domain.MailRefused)
	}
	m.count(string(found.Purpose), "deferred")
	return false
}

// record is finished even where ctx ends: that a mail was taken is known nowhere else.
func (m *mailer) record(ctx context.Context, l letter, of commands.LinkMail, reason string) bool {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	if err := m.engine.LinkMailed(ctx, l.tenant, of.Link, reason); err != nil {
		m.log.WarnContext(ctx, "what became of a mail is not on record yet", "tenant", l.tenant.UUID, "link", l.link.UUID, "error", err)
		return false
	}
	m.taken.Delete(l)
	outcome := "sent"
	if reason != "" {
		outcome = "given-up"
	}
	m.count(string(of.Purpose), outcome)
	return true
}

// write is the mail of a link. It names the tenant and holds nothing else that somebody may have chosen, so that nobody
// speaks through us. The token stands behind #: browsers keep that part to themselves, so it is in no server's log.
func write(of commands.LinkMail, tenant domain.TenantID, public string) mail.Message {
	url := fmt.Sprintf("%s/links/%s?tenant=%s#%s", public, of.Purpose, tenant, of.Token)
	until := of.ExpiresAt.UTC().Format("2 January 2006, 15:04 UTC")
	m := mail.Message{ID: of.ID.String(), To: of.Address}
	switch of.Purpose {
	case domain.Invitation:
		m.Subject = "Your invitation to " + of.Organisation
		m.Text = fmt.Sprintf("You have been invited to %s.\n\nChoose a password here:\n\n%s\n\nThe link works once, until %s. "+
			"If you did not expect it, you need not do anything.\n", of.Organisation, url, until)
	case domain.PasswordReset:
		m.Subject = "Another password for " + of.Organisation
		m.Text = fmt.Sprintf("Somebody asked for another password for your account at %s. If it was you, choose one here:\n\n%s\n\n"+
			"The link works once, until %s. If it was not you, you need not do anything: your password stays as it is.\n", of.Organisation, url, until)
	}
	return m
}
