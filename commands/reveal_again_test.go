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
