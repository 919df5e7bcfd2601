// Package mail sends mail; it knows no feature, and its errors hold neither an address nor a password nor what a mail server said.
package mail

import (
	"context"
	"errors"
	"fmt"
)

// Message is one mail to one recipient, in plain text.
type Message struct {
	ID      string // the same for a mail that is sent again, so that mailboxes may show it once; letters, digits and hyphens
	To      string
	Subject string
	Text    string
}

// Sender sends mail. SMTP is one.
type Sender interface {
	// Send returns nil when somebody has taken charge of the message. An *Error says whether it may be tried again; after
	// any other error, too, the message may have been taken.
	Send(ctx context.Context, m Message) error
}

// Error is why a message was not sent.
type Error struct {
	Permanent bool // this message to this recipient will never be taken
	Code      int  // the server's reply, 0 if there was none
	step      string
	cause     error // from the network; never the server's words
}

func (e *Error) Error() string {
	text := "mail: " + e.step
	if e.Code != 0 {
		text += fmt.Sprintf(": the server answered %d", e.Code)
	}
	if e.cause != nil {
		text += ": " + e.cause.Error()
	}
	return text
}

func (e *Error) Unwrap() error { return e.cause }

// Permanent reports whether there is no use in sending again.
func Permanent(err error) bool {
	e, ok := errors.AsType[*Error](err)
	return ok && e.Permanent
}
