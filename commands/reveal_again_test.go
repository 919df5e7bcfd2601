package commands_test

import (
	"testing"

	"github.com/google/uuid"

	"chancery/commands"
	"chancery/domain"
)

func TestALesserTokenDoesNotComeByAWiderOneThroughItsIdempotencyKey(t *testing.T) {
	w := newWorld(t)
	w.must(t, w.order(acme, newUser("ann", "")))
	issue := func(token string, r rights) commands.Order {
		o := w.order(acme, &commands.IssueToken{User: user("ann"), Name: "t", ExpiresAt: now.Add(day)}, keyed("k"))
		o.Fingerprint, o.Rights, o.By.Token = []byte("the same body"), r, uuid.NewSHA1(uuid.Nil, []byte(token))
		return o
	}
	narrow := rights{all: true, ceiling: []domain.Pattern{"core.tokens.*"}}
	first := w.must(t, issue("wide", rights{all: true}))
	w.refused(t, issue("narrow", narrow), domain.ErrMayNotGive)
	for _, same := range []commands.Order{issue("wide", narrow), issue("another", rights{all: true})} {
		if again := w.must(t, same); again.Reveal != first.Reveal || !again.Replayed {
			t.Errorf("answered %+v, first %+v", again, first)
		}
	}
}

func TestWhatACredentialIsMadeOfIsShownAgainInItsOwnSessionOnly(t *testing.T) {
	for name, c := range map[string]any{
		"codes": &commands.IssueRecoveryCodes{}, "seed": &commands.EnrollTOTP{Name: "phone"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.must(t, w.order(acme, &commands.RegisterUser{ID: chief, DisplayName: "Chief"}))
			in := func(session domain.SessionID) commands.Order {
				o := w.order(acme, c, keyed("k"))
				o.Fingerprint, o.By.Session = []byte("the same body"), session.UUID
				return o
			}
			first := w.must(t, in(session("here")))
			w.refused(t, in(session("there")), domain.ErrMayNotGive)
			if again := w.must(t, in(session("here"))); again.Reveal != first.Reveal || !again.Replayed {
				t.Errorf("answered %+v, first %+v", again, first)
			}
		})
	}
}
