package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"chancery/internal/deliveries/receivertest"
	"chancery/internal/imports"
)

const (
	publishLeast = 5000 // events a second, at least
	deliverLeast = 3000
	senders      = 64 // requests at once to one receiver
	eventKinds   = 100
	eventsPath   = "/v1/tenants/root/events"
)

// wire is an app that publishes, one that consumes, and a receiver in a process of its own.
type wire struct {
	*server         // as the administrator
	app      string // token of the app that publishes
	consumer string // and of the other
	receiver *receivertest.Process
	prefix   string // of the ids of this run
	sent     atomic.Int64
	stopAll  func()
}

// wire starts them.
func (b *bench) wire(ctx context.Context) (*wire, error) {
	s, err := b.serve(ctx)
	if err != nil {
		return nil, err
	}
	w := &wire{server: s, prefix: fmt.Sprint(time.Now().UnixNano(), "-"), stopAll: s.stop}
	if err := w.prepare(ctx); err != nil {
		w.stopAll()
		return nil, err
	}
	b.aside = strconv.Itoa(w.receiver.PID())
	return w, nil
}

func (w *wire) prepare(ctx context.Context) error {
	var publishes []map[string]any
	for n := range eventKinds {
		publishes = append(publishes, map[string]any{"type": kindOfEvent(n), "schema": map[string]any{"type": "object"}})
	}
	lines := []imports.Line{{Command: "create-signing-key", Body: map[string]any{}}}
	for i, m := range []map[string]any{
		{"app": "shop", "version": "1.0.0", "title": "Shop", "events": map[string]any{"publishes": publishes}},
		{"app": "stock", "version": "1.0.0", "title": "Stock", "events": map[string]any{"consumes": []string{"shop.*"}}},
	} {
		lines = append(lines,
			imports.Line{Command: "register-user", Body: map[string]any{"id": numbered('u', int64(i)), "display_name": "a service"}},
			imports.Line{Command: "register-app", Body: map[string]any{"name": m["app"], "title": m["title"]}},
			imports.Line{Command: "publish-app-version", Body: map[string]any{"manifest": m}},
			imports.Line{Command: "enable-app", Body: map[string]any{"app": m["app"]}})
	}
	err := w.bulk().Send(ctx, "root", lines)
	if err == nil {
		w.app, err = w.appToken(ctx, numbered('u', 0), "shop")
	}
	if err == nil {
		w.consumer, err = w.appToken(ctx, numbered('u', 1), "stock")
	}
	if err == nil {
		w.receiver, err = receivertest.Start("", "")
	}
	if err != nil {
		return err
	}
	stop := w.stopAll
	w.stopAll = func() { stop(); w.receiver.Stop() }
	return nil
}

func kindOfEvent(n int) string { return fmt.Sprintf("shop.order.kind-%02d", n%eventKinds) }

// event is one in structured form, of about 500 bytes of data, that says when it was sent.
func (w *wire) event(kind int) string {
	n := w.sent.Add(1)
	return fmt.Sprintf(`{"specversion":"1.0","id":"%s%d","source":"/bench","type":%q,"subject":%q,"data":{"order":"%d","total":99.5,"note":%q}}`,
		w.prefix, n, kindOfEvent(kind), receivertest.Subject(time.Now()), n, padding)
}

var padding = strings.Repeat("what somebody has to say about it. ", 13)

func posting(path, token, kind, body string) []byte {
	return fmt.Appendf(nil, "POST %s HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer %s\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n%s", path, token, kind, len(body), body)
}

func (w *wire) publishOne(c *conn, kind int) error {
	return c.ok(posting(eventsPath, w.app, "application/cloudevents+json", w.event(kind)))
}

// backlog publishes so many events in batches.
func (w *wire) backlog(ctx context.Context, count int) error {
	conns, closeAll, err := dial(ctx, w.address, 1)
	if err != nil {
		return err
	}
	defer closeAll()
	const batch = 100
	for range count / batch {
		var all []string
		for range batch {
			all = append(all, w.event(0))
		}
		if err := conns[0].ok(posting(eventsPath, w.app, "application/cloudevents-batch+json", "["+strings.Join(all, ",")+"]")); err != nil {
			return err
		}
	}
	return nil
}

// command sends one and returns the id of its thing.
func (w *wire) command(ctx context.Context, name string, body any) (id string, err error) {
	conns, closeAll, err := dial(ctx, w.address, 1)
	if err != nil {
		return "", err
	}
	defer closeAll()
	text, err := json.Marshal(body)
	if err != nil {
		return "", err
	}
	if err := conns[0].ok(request("/v1/tenants/root/commands/"+name, w.token, string(text))); err != nil {
		return "", fmt.Errorf("%s: %w", name, err)
	}
	var answer struct{ ID string }
	err = json.Unmarshal(conns[0].body, &answer)
	return answer.ID, err
}

// events measures events on their way: into the log, out to a receiver, and to whoever comes for them.
func (b *bench) events(ctx context.Context) error {
	w, err := b.wire(ctx)
	if err != nil {
		return err
	}
	defer func() { w.stopAll() }()
	for _, measure := range []func(context.Context, *wire) error{b.publishing, b.delivering, b.underWay, b.pulling} {
		if err := measure(ctx, w); err != nil {
			return err
		}
	}
	return nil
}

func (b *bench) publishing(ctx context.Context, w *wire) error {
	conns, closeAll, err := dial(ctx, w.address, clients)
	if err != nil {
		return err
	}
	defer closeAll()
	before := b.usage()
	published, err := drive(clients, b.span, func(i int) error { return w.publishOne(conns[i], i) })
	if err != nil {
		return fmt.Errorf("publish: %w", err)
	}
	b.spent(before, published.rate*b.span.Seconds()*1.1)
	var users atomic.Int64
	registered, err := b.send(ctx, w.server, "/v1/tenants/root/commands/register-user", func() string {
		n := users.Add(1)
		return fmt.Sprintf(`{"id":"%s","email":"user-%d@example.org","display_name":"User %d"}`, numbered('p', n), n, n)
	})
	if err != nil {
		return err
	}
	b.add(versus(fmt.Sprintf("HTTP publish of 500 bytes, %d connections (register-user)", clients), published, registered, publishLeast))
	return nil
}

// delivering has endpoints catch up with a backlog.
func (b *bench) delivering(ctx context.Context, w *wire) error {
	for _, c := range []struct{ endpoints, atOnce int }{{1, senders}, {16, senders / 16}} {
		var ids []string
		for range c.endpoints {
			id, err := w.endpoint(ctx, c.atOnce, "/fast", "shop.*")
			if err == nil {
				_, err = w.command(ctx, "disable-endpoint", map[string]any{"id": id})
			}
			if err != nil {
				return err
			}
			ids = append(ids, id)
		}
		want := int(deliverLeast * b.span.Seconds() * 2)
		if err := w.backlog(ctx, want/c.endpoints); err != nil {
			return err
		}
		want = want / c.endpoints / 100 * 100 * c.endpoints
		if _, err := w.receiver.Report(ctx); err != nil {
			return err
		}
		before, began := b.usage(), time.Now()
		for _, id := range ids {
			if _, err := w.command(ctx, "enable-endpoint", map[string]any{"id": id}); err != nil {
				return err
			}
		}
		if _, err := w.arrived(ctx, want); err != nil {
			return err
		}
		rate := float64(want) / time.Since(began).Seconds()
		b.spent(before, float64(want))
		bare, err := b.posts(ctx, w)
		if err != nil {
			return err
		}
		b.add(row{
			what:     fmt.Sprintf("deliveries of a backlog of %s, %d endpoint(s) of %d requests at once (as many POSTs of net/http)", number(float64(want)), c.endpoints, c.atOnce),
			measured: number(rate) + "/s", baseline: bare.String(), ratio: rate / bare.rate, aim: fmt.Sprintf("≥ %s/s", number(deliverLeast)), met: rate >= deliverLeast,
		})
		for _, id := range ids {
			if _, err := w.command(ctx, "delete-endpoint", map[string]any{"id": id}); err != nil {
				return err
			}
		}
	}
	return nil
}

func (w *wire) endpoint(ctx context.Context, atOnce int, path string, types ...string) (id string, err error) {
	return w.command(ctx, "create-endpoint", map[string]any{
		"app": "stock", "kind": "webhook", "url": w.receiver.URL + path, "types": types, "body": "full", "concurrency": atOnce,
	})
}

// arrived waits for so many, and says how long they took.
func (w *wire) arrived(ctx context.Context, want int) (all receivertest.Report, err error) {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	quiet := time.Now()
	for all.Count < want {
		r, err := w.receiver.Report(ctx)
		if err != nil {
			return all, err
		}
		if r.Count > 0 {
			quiet = time.Now()
		}
		all.Count, all.Took = all.Count+r.Count, append(all.Took, r.Took...)
		if time.Since(quiet) > 30*time.Second {
			return all, fmt.Errorf("%d events of %d have arrived, and no more come", all.Count, want)
		}
		<-tick.C
	}
	if all.Count > want {
		return all, fmt.Errorf("%d events have arrived of %d", all.Count, want)
	}
	return all, nil
}

// posts sends the same to the receiver without anything in between.
func (b *bench) posts(ctx context.Context, w *wire) (driven, error) {
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: senders}}
	defer client.CloseIdleConnections()
	return drive(senders, b.span, func(int) error { return post(ctx, client, w.receiver.URL+"/fast", w.event(0)) })
}

func post(ctx context.Context, client *http.Client, url, body string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/cloudevents+json")
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	return resp.Body.Close()
}
