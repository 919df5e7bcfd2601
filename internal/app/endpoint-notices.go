package app

import (
	"context"
	"errors"
	"fmt"
	"time"

	"chancery/commands"
	"chancery/domain"
	"chancery/internal/dcb"
	"chancery/internal/mail"
	"chancery/internal/reactions"
)

// endpointNotices tells the owner of an endpoint by mail that Chancery disabled it: whoever's receiver is broken does not hear of it by
// a webhook. A mail that was taken may go out again if the process dies at once; mailboxes know it by its id.
func (a *App) endpointNotices() *reactions.Reaction {
	return reactions.New(reactions.Config{
		Name: "endpoint-notices", Do: a.noteDisabled, Log: a.log, GaveUp: a.metrics.gaveUp("endpoint-notices"),
		Types: []string{domain.EndpointDisabled{}.EventType()},
		Passing: func(err error) bool { // a mail server that is away may never come back, and others are to be told too
			_, mailed := errors.AsType[*mail.Error](err)
			return !mailed && (passing(err) || errors.Is(err, errNoMailYet))
		},
	})
}

var errNoMailYet = errors.New("the way to send mail is not open yet")

const aboutEndpoint = "endpoint-disabled" // as metrics call the mail

func (a *App) noteDisabled(ctx context.Context, cause dcb.Recorded) error {
	e, ok := cause.Event.(domain.EndpointDisabled)
	if !ok || e.Why == domain.DisabledByHand || a.config.SMTPURL == "" {
		return nil
	}
	m := a.mailer.Load()
	if m == nil {
		return errNoMailYet
	}
	found, err := a.engine.EndpointMail(ctx, domain.TenantID{UUID: cause.Tenant}, e.Endpoint)
	switch {
	case err != nil:
		return err
	case found.Over:
		return nil
	case found.Address == "":
		a.log.InfoContext(ctx, "nobody is told that an endpoint is disabled: its owner has no address", "tenant", cause.Tenant, "endpoint", e.Endpoint)
		return nil
	}
	err = m.sender.Send(ctx, noticeOf(found, e, cause, m.public))
	switch {
	case err == nil:
		a.metrics.mail(aboutEndpoint, "sent")
		return nil
	case mail.Permanent(err):
		a.log.WarnContext(ctx, "a mail about a disabled endpoint was refused", "tenant", cause.Tenant, "endpoint", e.Endpoint, "error", err)
		a.metrics.mail(aboutEndpoint, "given-up")
		return nil
	}
	a.metrics.mail(aboutEndpoint, "deferred")
	return err
}

// noticeOf holds nothing that somebody may have chosen but the names of the tenant and of the app.
func noticeOf(of commands.EndpointMail, e domain.EndpointDisabled, cause dcb.Recorded, public string) mail.Message {
	day := func(t time.Time) string { return t.UTC().Format("2 January 2006, 15:04 UTC") }
	why := "Its receiver answered 410 Gone, which says that it wants nothing any more."
	if e.Why == domain.DisabledFailed {
		why = fmt.Sprintf("Nothing could be delivered to it since %s.", day(e.FailingSince))
	}
	when := "When the receiver is well again, enable it:"
	if !e.NotBefore.IsZero() {
		when = fmt.Sprintf("When the receiver is well again, and not before %s, enable it:", day(e.NotBefore))
	}
	return mail.Message{
		ID: cause.ID.String(), To: of.Address,
		Subject: fmt.Sprintf("An endpoint of %s at %s is disabled", of.App, of.Organisation),
		Text: fmt.Sprintf(`The endpoint %[1]s, by which the app %[2]s has events of %[3]s, was disabled on %[4]s.

%[5]s

Nothing is lost: what would have been sent waits. %[6]s

POST %[7]s/v1/tenants/%[8]s/commands/enable-endpoint
{"id":"%[1]s"}

It goes on where it was; with "skip":true it goes on with what comes from then on.
What came of each attempt: GET %[7]s/v1/tenants/%[8]s/deliveries?endpoint_id=%[1]s
`, e.Endpoint, of.App, of.Organisation, day(cause.At), why, when, public, cause.Tenant),
	}
}
