// Package imports sends histories kept elsewhere through the bulk API, with their real times. It is a client like any
// other: it knows addresses and commands, never tables.
package imports

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Line is one command of a bulk request.
type Line struct {
	Command string    `json:"command"`
	Body    any       `json:"body"`
	Key     string    `json:"key,omitzero"`
	At      time.Time `json:"at,omitzero"`
}

// Client talks to one server as one caller.
type Client struct {
	URL   string // base address
	Token string
	HTTP  *http.Client
	Retry time.Duration // how long to try again where nothing answers; 0 for a minute
	Chunk int           // lines per request; 0 for 1000
	Done  func(lines int)
}

// RefusedError says that a command was refused.
type RefusedError struct {
	Line    Line
	Status  int
	Problem jsontext.Value
}

func (e *RefusedError) Error() string {
	return fmt.Sprintf("%s (key %s) was answered %d: %s", e.Line.Command, e.Line.Key, e.Status, e.Problem)
}

// Send runs the lines in a tenant, in order, and stops at the first refusal. Lines with keys may be sent again.
func (c *Client) Send(ctx context.Context, tenant string, lines []Line) error {
	chunk := c.Chunk
	if chunk == 0 {
		chunk = 1000
	}
	for len(lines) > 0 {
		n := min(chunk, len(lines))
		if err := c.sendPatiently(ctx, tenant, lines[:n]); err != nil {
			return err
		}
		if c.Done != nil {
			c.Done(n)
		}
		lines = lines[n:]
	}
	return nil
}

// errAgain marks what may go better another time: the server was away, or busy.
var errAgain = errors.New("the server did not answer")

func (c *Client) sendPatiently(ctx context.Context, tenant string, lines []Line) error {
	patience := c.Retry
	if patience == 0 {
		patience = time.Minute
	}
	deadline, pause := time.Now().Add(patience), 100*time.Millisecond
	for {
		err := c.send(ctx, tenant, lines)
		if !errors.Is(err, errAgain) || time.Now().After(deadline) {
			return err
		}
		t := time.NewTimer(pause)
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return ctx.Err()
		}
		pause = min(2*pause, 5*time.Second)
	}
}

func (c *Client) send(ctx context.Context, tenant string, lines []Line) error {
	var body bytes.Buffer
	for _, l := range lines {
		if err := json.MarshalWrite(&body, l, json.Deterministic(true)); err != nil {
			return fmt.Errorf("encode %s: %w", l.Command, err)
		}
		body.WriteByte('\n')
	}
	address := strings.TrimSuffix(c.URL, "/") + "/v1/tenants/" + url.PathEscape(tenant) + "/commands"
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, &body)
	if err != nil {
		return fmt.Errorf("address: %w", err)
	}
	req.Header.Set("Authorization", "Bearer "+c.Token)
	req.Header.Set("Content-Type", "application/x-ndjson")
	resp, err := c.HTTP.Do(req)
	if err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return fmt.Errorf("%w: %w", errAgain, err)
	}
	defer resp.Body.Close()
	switch {
	case resp.StatusCode == http.StatusOK:
		return c.read(resp.Body, lines)
	case resp.StatusCode == http.StatusTooManyRequests, resp.StatusCode >= http.StatusInternalServerError:
		return fmt.Errorf("%w: status %s", errAgain, resp.Status)
	}
	problem, _ := io.ReadAll(io.LimitReader(resp.Body, 1<<16))
	return fmt.Errorf("the server answered %s: %s", resp.Status, problem)
}

func (c *Client) read(answer io.Reader, lines []Line) error {
	in := bufio.NewScanner(answer)
	in.Buffer(nil, 4<<20)
	for i := range lines {
		if !in.Scan() {
			return fmt.Errorf("%w: %d of %d lines were answered", errAgain, i, len(lines))
		}
		var a struct {
			Status  int            `json:"status"`
			Problem jsontext.Value `json:"problem"`
		}
		if err := json.Unmarshal(in.Bytes(), &a); err != nil {
			return fmt.Errorf("read the answer to line %d: %w", i+1, err)
		}
		switch {
		case a.Status == http.StatusConflict, a.Status >= http.StatusInternalServerError:
			return fmt.Errorf("%w: %s", errAgain, a.Problem)
		case a.Status != http.StatusOK:
			return &RefusedError{lines[i], a.Status, a.Problem}
		}
	}
	return nil
}
