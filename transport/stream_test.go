package transport_test

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"chancery/domain"
	"chancery/internal/eventlog"
	"chancery/internal/pulls"
	"chancery/transport"
)

// tap is one pull endpoint of shop in acme, of events that the test makes. The time of all these tests is that of a bubble.
type tap struct {
	*pulls.Pulls // wakes readers; it has no database
	*world
	server *http.Server
	dial   chan net.Conn
	gone   chan struct{} // holds one for each request that has ended

	mu   sync.Mutex
	made []eventlog.Raw // mu owns it
	lags int            // how many of them are newer than what is known yet; mu owns it
	read int            // how often it was read; mu owns it
}

var tapID = uuid.MustParse("00000000-0000-7000-8000-00000000007a")

// tapped runs a test in a bubble, with a server whose network are pipes and tokens of shop.
func tapped(t *testing.T, test func(*testing.T, *tap)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		p := &tap{Pulls: pulls.New(pulls.Config{Now: time.Now}), world: newWorld(t), dial: make(chan net.Conn), gone: make(chan struct{}, 9)}
		p.people(t)
		p.append(t, domain.Root, domain.AppRegistered{App: shop.ID(), Vendor: domain.VendorIn(domain.Root), Name: shop, Title: "Shop"},
			domain.PrivilegeRegistered{Privilege: "core.endpoints.receive"})
		p.append(t, p.acme(), domain.AppEnabled{TenantApp: shop.In(p.acme()), Name: shop, Number: "1.0.0"})
		for name, ends := range map[string]string{"shop": "02", "shop 2": "02", "shop 3": "02", "shop 4": "03"} {
			p.vars[name] = p.must(t, "root", "/v1/tenants/acme/commands/issue-token", `{"user_id":"`+p.vars["abeID"]+`","name":"s","app":"shop","expires_at":"2026-03-`+ends+`T00:00:00Z"}`, "token")
		}
		p.config.Pulls = p
		p.restart(t)
		p.server = p.world.server.HTTP()
		p.server.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			p.world.server.ServeHTTP(w, r)
			p.gone <- struct{}{}
		})
		go func() { _ = p.server.Serve(p) }()
		defer p.server.Close()
		test(t, p)
	})
}

func (p *tap) Accept() (net.Conn, error) {
	if c, open := <-p.dial; open {
		return c, nil
	}
	return nil, net.ErrClosed
}
func (p *tap) Close() error   { close(p.dial); return nil }
func (p *tap) Addr() net.Addr { return &net.UnixAddr{} }

func (p *tap) Find(context.Context, domain.TenantID, domain.EndpointID) (transport.PullEndpoint, error) {
	e := &pulls.Endpoint{Tenant: p.acme().UUID, ID: tapID, App: "shop", Means: func(*eventlog.Raw) bool { return true }}
	return transport.PullEndpoint{Endpoint: e, App: shop, Kind: domain.Pull, Full: true}, nil
}

func (p *tap) Checkpoint(context.Context, transport.PullEndpoint) (int64, bool, error) {
	return 0, false, nil
}

func (p *tap) Head(context.Context, uuid.UUID) (int64, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return int64(len(p.made)), nil
}

func (p *tap) Read(_ context.Context, _ *pulls.Endpoint, after int64, most int) (pulls.Page, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	page := pulls.Page{Next: after}
	p.read++
	page.Newer = p.lags > 0 && p.read < 1000 // or who looks all the time would go on for ever
	for _, e := range p.made[min(after, int64(len(p.made))) : len(p.made)-p.lags] {
		if len(page.Events) < most {
			page.Events, page.Next = append(page.Events, e), e.TenantSeq
		}
	}
	return page, nil
}

// publish makes events, and has readers told.
func (p *tap) publish(n int) {
	p.mu.Lock()
	for range n {
		seq := int64(len(p.made) + 1)
		p.made = append(p.made, eventlog.Raw{
			Position: seq, ID: uuid.New(), Tenant: p.acme().UUID, TenantSeq: seq, SourceApp: "shop", Type: "shop.placed", Payload: []byte(`1`),
			Metadata: []byte(`{"cloudevent":{"id":"1","source":"/shop"}}`), CreatedAt: time.Now(),
		})
	}
	p.mu.Unlock()
	p.Changed(p.acme().UUID)
}

const streamPath = "/v1/tenants/acme/endpoints/00000000-0000-7000-8000-00000000007a/stream"

// stream begins to read one, and has read what each begins with.
func (p *tap) stream(t *testing.T, who string) *bufio.Reader {
	t.Helper()
	ours, theirs := net.Pipe()
	t.Cleanup(func() { ours.Close() })
	_ = ours.SetReadDeadline(time.Now().Add(time.Hour)) // or a stream that is silent would be waited for for ever
	p.dial <- theirs
	_, _ = fmt.Fprintf(ours, "GET %s HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\n\r\n", streamPath, p.vars[who])
	answer, err := http.ReadResponse(bufio.NewReader(ours), nil)
	if err != nil || answer.StatusCode != http.StatusOK {
		t.Fatalf("%v, %v", answer, err)
	}
	t.Cleanup(func() { answer.Body.Close() })
	body := bufio.NewReader(answer.Body)
	p.reads(t, body, "retry: 1000", 0)
	return body
}

// reads has the next line that says anything be this one, after so long.
func (p *tap) reads(t *testing.T, body *bufio.Reader, beginning string, after time.Duration) {
	t.Helper()
	began := time.Now()
	for {
		line, err := body.ReadString('\n')
		if line == "\n" {
			continue
		}
		if took := time.Since(began); err != nil || !strings.HasPrefix(line, beginning) || took != after {
			t.Fatalf("read %q (%v) after %s, want %q after %s", line, err, took, beginning, after)
		}
		return
	}
}

func (p *tap) readsEvent(t *testing.T, body *bufio.Reader, seq int) {
	t.Helper()
	for _, line := range []string{fmt.Sprintf("id: %d\n", seq), "event: shop.placed\n", "data: {"} {
		p.reads(t, body, line, 0)
	}
}

// poll waits for events as long as it may, and tells what was answered.
func (p *tap) poll(who string) <-chan string {
	answered, head := make(chan string, 1), len(p.made)
	go func() {
		answered <- p.do(who, "GET", fmt.Sprintf("%sevents?wait=30&after=%d", strings.TrimSuffix(streamPath, "stream"), head), "").Body.String()
	}()
	return answered
}

func TestAStreamShowsThatItLives(t *testing.T) {
	tapped(t, func(t *testing.T, p *tap) {
		body := p.stream(t, "shop")
		p.reads(t, body, ":\n", 15*time.Second)
		p.reads(t, body, ":\n", 15*time.Second)
		p.publish(2)
		p.readsEvent(t, body, 1)
		p.readsEvent(t, body, 2)
		p.reads(t, body, ":\n", 15*time.Second)
	})
}

func TestWhoDoesNotTakeWhatIsWrittenIsCutOffAndHoldsUpNobody(t *testing.T) {
	tapped(t, func(t *testing.T, p *tap) {
		slow, quick := p.stream(t, "shop"), p.stream(t, "shop")
		p.publish(2)
		began := time.Now()
		p.readsEvent(t, quick, 1)
		p.readsEvent(t, quick, 2)
		p.reads(t, quick, ":\n", 15*time.Second)
		p.publish(1)
		p.readsEvent(t, quick, 3)
		<-p.gone
		if took := time.Since(began); took != 30*time.Second {
			t.Errorf("cut off after %s", took)
		}
		if rest, err := slow.ReadString(0); err == nil || strings.Contains(rest, "id: 2") {
			t.Errorf("still there: %q", rest)
		}
	})
}

func TestWhoseTokenEndsIsCutOffAndGetsNothingThatCameSince(t *testing.T) {
	tapped(t, func(t *testing.T, p *tap) {
		revoke := func(who string) {
			t.Helper()
			p.must(t, "root", "/v1/tenants/acme/commands/revoke-token", fmt.Sprintf(`{"id":%q}`, p.tokenID(t, who)), "id")
		}
		for _, c := range []struct {
			name, who string
			end       func(who string)
			events    int
		}{
			{"revoked", "shop", revoke, 0}, {"revoked as something comes", "shop 2", revoke, 1},
			{"expired", "shop 3", func(string) { p.forward(24 * time.Hour) }, 0}, {"expired as something comes", "shop 4", func(string) { p.forward(24 * time.Hour) }, 1},
		} {
			body, answered := p.stream(t, c.who), p.poll(c.who)
			synctest.Wait()
			c.end(c.who)
			began := time.Now()
			after, answer := 3*time.Second, 30*time.Second
			if c.events > 0 {
				p.publish(c.events)
				after, answer = 0, 0
			}
			p.reads(t, body, ": unauthenticated\n", after)
			<-p.gone
			if got := <-answered; !strings.Contains(got, `"unauthenticated"`) || time.Since(began) != answer {
				t.Errorf("%s: who waits is told %s after %s", c.name, got, time.Since(began))
			}
		}
	})
}

func TestOnlySoManyReadOnAtAnEndpointAtOnce(t *testing.T) {
	tapped(t, func(t *testing.T, p *tap) {
		e, err := p.Find(t.Context(), p.acme(), domain.EndpointID{})
		if err != nil {
			t.Fatal(err)
		}
		for range pulls.MostReaders {
			r, err := p.Follow(e.Endpoint)
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
		}
		for _, path := range []string{streamPath, strings.TrimSuffix(streamPath, "stream") + "events"} {
			if rec := p.do("shop", "GET", path, ""); rec.Code != http.StatusTooManyRequests || !strings.Contains(rec.Body.String(), "too-many-readers") || rec.Header().Get("Retry-After") == "" {
				t.Errorf("%s: %d %v %s", path, rec.Code, rec.Header(), rec.Body)
			}
		}
	})
}

func TestAPlaceInAStreamIsThatOfAnEventOrNone(t *testing.T) {
	tapped(t, func(t *testing.T, p *tap) {
		p.publish(3)
		for _, place := range []string{"0", "1", "3", "003"} {
			if rec := p.do("shop", "HEAD", streamPath, "", "Last-Event-ID", place); rec.Code != http.StatusOK {
				t.Errorf("%q: %d %s", place, rec.Code, rec.Body)
			}
		}
		for _, place := range []string{"x", "-1", "+1", "1.5", "1 ", "4", "0x1", "9223372036854775807", "9223372036854775808", "１", "1\x00"} {
			for _, method := range []string{"GET", "HEAD"} {
				if rec := p.do("shop", method, streamPath+"?after=1", "", "Last-Event-ID", place); rec.Code != http.StatusBadRequest {
					t.Errorf("%s %q: %d %s", method, place, rec.Code, rec.Body)
				}
			}
		}
		for _, query := range []string{"x", "-1", "4", "9223372036854775807", "9223372036854775808"} {
			for _, way := range []string{streamPath, strings.TrimSuffix(streamPath, "stream") + "events"} {
				if rec := p.do("shop", "GET", way+"?after="+query, ""); rec.Code != http.StatusBadRequest || !strings.Contains(rec.Body.String(), "after") {
					t.Errorf("%s %q: %d %s", way, query, rec.Code, rec.Body)
				}
			}
		}
	})
}

// Who reads on where something newer than what is known is there looks again, but not all the time; what comes of it is read soon.
func TestWhoReadsOnDoesNotLookAllTheTimeForWhatIsNewer(t *testing.T) {
	tapped(t, func(t *testing.T, p *tap) {
		polled, body := p.poll("shop"), p.stream(t, "shop")
		p.mu.Lock()
		p.lags, p.read = 1, 0
		p.mu.Unlock()
		p.publish(1)
		<-time.After(time.Second) // of the bubble
		p.mu.Lock()
		if p.read < 2*20 || p.read > 2*50 {
			t.Errorf("they looked %d times in a second", p.read)
		}
		p.lags = 0
		p.mu.Unlock()
		<-time.After(25 * time.Millisecond)
		p.readsEvent(t, body, 1)
		if answer := <-polled; !strings.Contains(answer, `"items":[{`) {
			t.Error(answer)
		}
	})
}
