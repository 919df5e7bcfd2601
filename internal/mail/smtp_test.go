package mail_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"chancery/internal/mail"
	"chancery/internal/mail/mailtest"
)

const (
	canaryTo       = "kanari-empfaenger@acme.test"
	canaryPassword = "kanari-kennwort"
	canaryReply    = "kanari-antwort"
)

func smtp(t *testing.T, server *mailtest.Server, scheme, login, query string) *mail.SMTP {
	t.Helper()
	s, err := mail.NewSMTP(scheme+"://"+login+server.Address+query, "Chancery <chancery@example.org>")
	if err != nil {
		t.Fatal(err)
	}
	s.TLS, s.Now = server.Trust(), func() time.Time { return time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC) }
	return s
}

func message() mail.Message {
	return mail.Message{ID: "id-1", To: canaryTo, Subject: "Grüße", Text: "Hallo Ännchen,\n\n" + strings.Repeat("lang", 60) + "\n"}
}

// clean fails if an error tells what it must not.
func clean(t *testing.T, err error) {
	t.Helper()
	for _, canary := range []string{canaryTo, "kanari", "example.org"} {
		if text := fmt.Sprintf("%v %+v %#v", err, err, err); strings.Contains(text, canary) {
			t.Errorf("the error tells %s: %s", canary, text)
		}
	}
}

func TestAMailArrivesAsItWasWritten(t *testing.T) {
	server := (&mailtest.Server{}).Start(t)
	if err := smtp(t, server, "smtp", "", "?starttls=none").Send(t.Context(), message()); err != nil {
		t.Fatal(err)
	}
	got := server.Wait(t, 1)[0]
	if got.From != "chancery@example.org" || got.To != canaryTo || got.Subject != message().Subject || got.Text != message().Text || got.TLS {
		t.Errorf("arrived as %+v", got)
	}
	for name, want := range map[string]string{
		"Message-Id": "<id-1@example.org>", "Auto-Submitted": "auto-generated", "Date": "Fri, 02 Jan 2026 03:04:05 +0000",
		"From": `"Chancery" <chancery@example.org>`, "To": "<" + canaryTo + ">", "User-Agent": "", "X-Mailer": "",
	} {
		if text := got.Header.Get(name); text != want {
			t.Errorf("%s: %q, want %q", name, text, want)
		}
	}
}

func TestAMailGoesOverTLSWithAPassword(t *testing.T) {
	login := "bot:" + canaryPassword + "@"
	for scheme, server := range map[string]*mailtest.Server{
		"smtp":  {Certificate: true, User: "bot", Password: canaryPassword},
		"smtps": {Implicit: true, User: "bot", Password: canaryPassword},
	} {
		server.Start(t)
		if err := smtp(t, server, scheme, login, "").Send(t.Context(), message()); err != nil {
			t.Errorf("%s: %v", scheme, err)
			continue
		}
		if got := server.Wait(t, 1)[0]; !got.TLS && scheme == "smtp" || got.User != "bot" {
			t.Errorf("%s: arrived as %+v", scheme, got)
		}
		wrong := smtp(t, server, scheme, "bot:other@", "").Send(t.Context(), message())
		if wrong == nil || mail.Permanent(wrong) || !strings.Contains(wrong.Error(), "535") {
			t.Errorf("%s: a wrong password is our matter, not the mail's: %v", scheme, wrong)
		}
		clean(t, wrong)
		unknown := smtp(t, server, scheme, login, "")
		unknown.TLS = nil
		if err := unknown.Send(t.Context(), message()); err == nil || mail.Permanent(err) {
			t.Errorf("%s: nobody vouches for the server: %v", scheme, err)
		} else {
			clean(t, err)
		}
		if n := len(server.Mails()); n != 1 {
			t.Errorf("%s: %d mails", scheme, n)
		}
	}
}

func TestWithoutTLSNothingGoesOutUnlessThatIsAllowed(t *testing.T) {
	server := (&mailtest.Server{}).Start(t)
	if err := smtp(t, server, "smtp", "", "").Send(t.Context(), message()); err == nil {
		t.Error("sent in the clear")
	}
	if server.Tries() != 0 {
		t.Error("the server has seen the mail")
	}
	if err := smtp(t, server, "smtp", "", "?starttls=optional").Send(t.Context(), message()); err != nil {
		t.Error(err)
	}
	offering := (&mailtest.Server{Certificate: true}).Start(t)
	if err := smtp(t, offering, "smtp", "", "?starttls=optional").Send(t.Context(), message()); err != nil || !offering.Wait(t, 1)[0].TLS {
		t.Errorf("TLS was offered and not used: %v", err)
	}
}

func TestAServersWordsDecideWhetherToTryAgain(t *testing.T) {
	server := (&mailtest.Server{}).Start(t)
	s := smtp(t, server, "smtp", "", "?starttls=none")
	for code, permanent := range map[int]bool{450: false, 451: false, 452: false, 550: true, 553: true, 554: true} {
		answer := func(to string) error { return mailtest.Reply(code, canaryReply+" "+to) }
		for name, misbehave := range map[string]func(func(string) error){"recipient": server.Refuse, "data": server.OnData} {
			misbehave(answer)
			err := s.Send(t.Context(), message())
			if err == nil || mail.Permanent(err) != permanent || !strings.Contains(err.Error(), strconv.Itoa(code)) {
				t.Errorf("%d to the %s: %v", code, name, err)
			}
			clean(t, err)
			misbehave(nil)
		}
	}
	if err := s.Send(t.Context(), message()); err != nil {
		t.Errorf("the server means well again: %v", err)
	}
	bad := message()
	bad.To = "kanari no address"
	if err := s.Send(t.Context(), bad); !mail.Permanent(err) {
		t.Errorf("no address at all: %v", err)
	} else {
		clean(t, err)
	}
}

func TestAServerThatIsDownIsTriedAgain(t *testing.T) {
	server := (&mailtest.Server{}).Start(t)
	s := smtp(t, server, "smtp", "", "?starttls=none")
	server.Stop()
	err := s.Send(t.Context(), message())
	if err == nil || mail.Permanent(err) {
		t.Errorf("nobody listens: %v", err)
	}
	clean(t, err)
	back := (&mailtest.Server{Address: server.Address}).Start(t)
	if err := s.Send(t.Context(), message()); err != nil || len(back.Wait(t, 1)) != 1 {
		t.Errorf("the server is back: %v", err)
	}
}

func TestASlowServerIsGivenUpAndItsConnectionClosed(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	closed := make(chan error, 1)
	connected := make(chan struct{})
	go func() {
		conn, err := l.Accept()
		if err != nil {
			closed <- err
			return
		}
		close(connected)
		_, err = conn.Read(make([]byte, 1)) // says nothing, and hears the end
		closed <- err
	}()
	s := smtp(t, &mailtest.Server{Address: l.Addr().String()}, "smtp", "", "?starttls=none")
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-connected; cancel() }()
	err = s.Send(ctx, message())
	if !errors.Is(err, context.Canceled) || mail.Permanent(err) {
		t.Errorf("a silent server: %v", err)
	}
	clean(t, err)
	if err := <-closed; err == nil {
		t.Error("the connection stayed open")
	}
}

func TestASettingThatMakesNoSenseIsRefusedWithoutBeingTold(t *testing.T) {
	for _, server := range []string{
		"", "mail.test", "http://kanari@mail.test", "smtp://", "smtp://mail.test/x", "smtp://mail.test:0", "smtp://mail.test:65536",
		"smtp://mail.test?starttls=maybe", "smtps://mail.test?starttls=required", "smtp://u:kanari@mail.test?starttls=none",
		"smtp://u:kanari@mail.test?starttls=optional", "smtp://u:kan ari@mail.test", "smtp://u:kanari@mail.test:x", "smtp://u:kanari%zz@mail.test",
	} {
		_, err := mail.NewSMTP(server, "a@b.test")
		if err == nil {
			t.Errorf("%s is accepted", server)
		} else if strings.Contains(err.Error(), "kan") {
			t.Errorf("%s: %v", server, err)
		}
	}
	if _, err := mail.NewSMTP("smtp://mail.test", "nobody"); err == nil {
		t.Error("a sender without an address is accepted")
	}
	for _, server := range []string{"smtp://mail.test", "smtps://u:p@mail.test:2465/", "smtp://u:p@mail.test:2525?starttls=required", "smtp://[::1]:25?starttls=none"} {
		if _, err := mail.NewSMTP(server, "a@b.test"); err != nil {
			t.Errorf("%s: %v", server, err)
		}
	}
}

func TestACourierTriesEachDeliveryAtItsOwnPace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		tried := map[string][]time.Duration{}
		var c mail.Courier[string]
		c.Workers, c.Min, c.Max = 1, time.Second, 4*time.Second
		fifth := make(chan struct{})
		c.Try = func(_ context.Context, key string) bool { // one worker: no lock is needed
			tried[key] = append(tried[key], time.Since(began))
			if len(tried[key]) == 5 {
				close(fifth)
			}
			return key == "quick" || len(tried[key]) == 5
		}
		c.Add("dogged", "quick", "dogged")
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { defer close(ended); c.Run(ctx) }()
		<-fifth
		synctest.Wait()
		if got := fmt.Sprint(tried["dogged"], tried["quick"]); got != "[0s 1s 3s 7s 11s] [0s]" {
			t.Errorf("tried at %s", got)
		}
		if c.Waiting() != 0 {
			t.Errorf("%d deliveries wait", c.Waiting())
		}
		c.Add("quick") // what is over may come again
		synctest.Wait()
		if len(tried["quick"]) != 2 {
			t.Error("a delivery that came later was not tried")
		}
		stop()
		<-ended
	})
}

func TestASlowDeliveryHoldsUpNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		took := make(chan time.Duration, 10)
		c := mail.Courier[int]{Workers: 3, Try: func(ctx context.Context, key int) bool {
			if key < 2 { // two of three workers are held
				t := time.NewTimer(10 * time.Second)
				defer t.Stop()
				select {
				case <-t.C:
				case <-ctx.Done():
				}
				return false
			}
			took <- time.Since(began)
			return true
		}}
		for key := range 12 {
			c.Add(key)
		}
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { defer close(ended); c.Run(ctx) }()
		for range 10 {
			if d := <-took; d > 0 {
				t.Errorf("a delivery waited for %s", d)
			}
		}
		stop()
		<-ended
		if c.Waiting() != 2 {
			t.Errorf("%d deliveries wait, want 2", c.Waiting())
		}
	})
}
