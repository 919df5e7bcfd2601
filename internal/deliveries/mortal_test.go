package deliveries

import (
	"bytes"
	"context"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
)

// mortal is a node that can be killed: it reaches the database through a wire that can be cut.
type mortal struct {
	*node
	*wire
	dead atomic.Bool
}

func (w *world) mortal(name string, change func(*Config)) *mortal {
	w.t.Helper()
	m := &mortal{wire: w.wire()}
	m.node = w.nodeAt(m.url, name, func(c *Config) {
		if change != nil {
			change(c)
		}
		send := c.Send
		c.Send = func(ctx context.Context, ep Endpoint, i Item) Outcome {
			if m.dead.Load() {
				<-ctx.Done()
				return Outcome{Err: "dead"}
			}
			return send(ctx, ep, i)
		}
	})
	return m
}

// kill ends a node at once.
func (m *mortal) kill() {
	m.dead.Store(true)
	m.cut()
	go m.stop()
}

// wire passes on what a node says to the database, and what it hears.
type wire struct {
	url    string
	server string
	listen net.Listener

	mu     sync.Mutex // owns the rest
	ends   []net.Conn
	over   bool
	marker string        // what has it is passed on late
	held   chan struct{} // closed when something is
	freed  chan struct{}
}

func (w *world) wire() *wire {
	w.t.Helper()
	u, err := url.Parse(w.url)
	if err != nil {
		w.t.Fatal(err)
	}
	folder, err := os.MkdirTemp("", "wire") // short, for a socket's name
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = os.RemoveAll(folder) })
	q := u.Query()
	socket := ".s.PGSQL." + q.Get("port")
	wi := &wire{server: filepath.Join(q.Get("host"), socket)}
	q.Set("host", folder)
	u.RawQuery = q.Encode()
	wi.url = u.String()
	if wi.listen, err = net.Listen("unix", filepath.Join(folder, socket)); err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(wi.cut)
	go wi.accept()
	return wi
}

func (w *wire) accept() {
	for {
		c, err := w.listen.Accept()
		if err != nil {
			return
		}
		s, err := net.Dial("unix", w.server)
		if err != nil {
			_ = c.Close()
			continue
		}
		w.mu.Lock()
		w.ends = append(w.ends, c, s)
		over := w.over
		w.mu.Unlock()
		if over {
			w.cut()
		}
		go w.pass(c, s)
		go w.pass(s, c)
	}
}

func (w *wire) pass(to, from net.Conn) {
	defer to.Close()
	b := make([]byte, 32<<10)
	for {
		n, err := from.Read(b)
		if err != nil {
			return
		}
		last := w.delay(b[:n], to, from)
		if _, err := to.Write(b[:n]); err != nil || last {
			return
		}
	}
}

// late has what comes next with a marker in it wait until it is freed, also if the wire is cut before. Nothing follows it.
func (w *wire) late(marker string) (held <-chan struct{}, free func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.marker, w.held, w.freed = marker, make(chan struct{}), make(chan struct{})
	return w.held, sync.OnceFunc(func() { close(w.freed) })
}

func (w *wire) delay(text []byte, ends ...net.Conn) (delayed bool) {
	w.mu.Lock()
	if w.marker == "" || !bytes.Contains(text, []byte(w.marker)) {
		w.mu.Unlock()
		return false
	}
	w.marker = ""
	w.ends = slices.DeleteFunc(w.ends, func(c net.Conn) bool { return slices.Contains(ends, c) })
	w.mu.Unlock()
	close(w.held)
	<-w.freed
	return true
}

// cut ends all that is said, now and later.
func (w *wire) cut() {
	_ = w.listen.Close()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.over = true
	for _, c := range w.ends {
		_ = c.Close()
	}
}
