// Package receivertest is a receiver of webhooks that fails, hangs and dies as it is told, for tests and measurements. It runs as a
// process of its own, and writes down whatever reached it before it answers.
package receivertest

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

// Rules say how what arrives is treated. The zero value takes all of it at once.
type Rules struct {
	Secrets map[string]string `json:"secrets,omitempty"` // by path: the secret by which what comes there is verified
	Doomed  int               `json:"doomed,omitempty"`  // one in so many events is refused whenever it comes; 0: none
	Fail    int               `json:"fail,omitempty"`    // of a thousand requests are refused
	Hang    int               `json:"hang,omitempty"`    // of a thousand are taken and never answered
	Slow    int               `json:"slow,omitempty"`    // of a thousand are answered late
	Late    time.Duration     `json:"late,omitempty"`    // by so much
	Die     int               `json:"die,omitempty"`     // the request that it takes and dies of, once; 0: none
}

// Arrival is a request as it was written down.
type Arrival struct {
	Path     string `json:"path"`
	ID       string `json:"id"`       // webhook-id
	Sequence int64  `json:"sequence"` // Chancery-Sequence
	Nth      int    `json:"nth"`      // arrival of the event here, from 1
	Subject  string `json:"subject,omitempty"`
	Type     string `json:"type,omitempty"`
	Wrong    string `json:"wrong,omitempty"` // why the signature did not verify
	Body     string `json:"body"`            // the beginning of its hash
	Data     string `json:"data,omitempty"`  // likewise, of the event's data
	Taken    bool   `json:"taken"`           // the receiver has done its work
	Answered bool   `json:"answered"`        // and says what came of it; else it hangs, or dies
}

// receiver is the process's. mu owns the fields below it, and is held while an arrival is written down: so the journal has the order
// in which they came.
type receiver struct {
	fate func() // ends the process
	late *latencies

	mu      sync.Mutex
	rules   Rules
	file    string
	journal *os.File // nil: nothing is written down
	seen    map[[2]string]int
	total   int
	died    bool
	hooks   map[string]*standardwebhooks.Webhook
}

func newReceiver(file string, fate func()) (*receiver, error) {
	r := &receiver{fate: fate, late: &latencies{}, file: file, seen: map[[2]string]int{}, hooks: map[string]*standardwebhooks.Webhook{}}
	if file == "" {
		return r, nil
	}
	before, err := Journal(file)
	if err != nil && !os.IsNotExist(err) {
		return nil, err
	}
	for _, a := range before {
		r.seen[[2]string{a.Path, a.ID}]++
		r.total++
	}
	r.died = len(before) > 0 // what was written before was written by one that died
	if text, err := os.ReadFile(file + ".rules"); err == nil {
		if err := r.obey(text); err != nil {
			return nil, err
		}
	}
	r.journal, err = os.OpenFile(file, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	return r, err
}

// Journal reads what was written down, in the order of arrival.
func Journal(file string) ([]Arrival, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var all []Arrival
	for line := range bytes.Lines(text) {
		var a Arrival
		if err := json.Unmarshal(line, &a); err != nil {
			return nil, fmt.Errorf("line %d of the journal: %w", len(all)+1, err)
		}
		all = append(all, a)
	}
	return all, nil
}

func (r *receiver) obey(text []byte) error {
	var rules Rules
	if err := json.Unmarshal(text, &rules); err != nil {
		return err
	}
	hooks := map[string]*standardwebhooks.Webhook{}
	for path, secret := range rules.Secrets {
		h, err := standardwebhooks.NewWebhook(secret)
		if err != nil {
			return err
		}
		hooks[path] = h
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.rules, r.hooks = rules, hooks
	return nil
}

// ServeHTTP takes what it is sent; /rules and /latencies are for whoever started it.
func (r *receiver) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	body, err := io.ReadAll(q.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	switch {
	case q.URL.Path == "/rules":
		r.setRules(w, body)
	case q.URL.Path == "/latencies":
		r.late.report(w)
	case strings.HasPrefix(q.URL.Path, "/hangs"):
		<-q.Context().Done()
	case r.journal == nil:
		r.late.note(body)
	default:
		r.take(w, q, body)
	}
}

func (r *receiver) setRules(w http.ResponseWriter, text []byte) {
	err := r.obey(text)
	if err == nil && r.file != "" {
		err = os.WriteFile(r.file+".rules", text, 0o600)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
	}
}

func (r *receiver) take(w http.ResponseWriter, q *http.Request, body []byte) {
	a := arrival(q, body)
	wait, dies := r.write(&a, q.Header, body)
	switch {
	case dies:
		r.fate()
	case !a.Answered:
		<-q.Context().Done()
	default:
		select {
		case <-time.After(wait):
		case <-q.Context().Done():
		}
		if !a.Taken {
			http.Error(w, "not today", http.StatusInternalServerError)
		}
	}
}

func arrival(q *http.Request, body []byte) Arrival {
	var e struct {
		Subject string          `json:"subject"`
		Type    string          `json:"type"`
		Data    json.RawMessage `json:"data"`
	}
	a := Arrival{Path: q.URL.Path, ID: q.Header.Get("Webhook-Id"), Body: sum(body)}
	if err := json.Unmarshal(body, &e); err != nil {
		a.Wrong = err.Error()
		return a
	}
	a.Subject, a.Type = e.Subject, e.Type
	if e.Data != nil {
		a.Data = sum(e.Data)
	}
	a.Sequence, _ = strconv.ParseInt(q.Header.Get("Chancery-Sequence"), 10, 64)
	return a
}

func sum(b []byte) string {
	s := sha256.Sum256(b)
	return hex.EncodeToString(s[:16])
}

// Sum is how Arrival names bytes.
func Sum(b []byte) string { return sum(b) }

// write judges an arrival and writes it down.
func (r *receiver) write(a *Arrival, header http.Header, body []byte) (wait time.Duration, dies bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if h := r.hooks[a.Path]; h == nil {
		a.Wrong = "there is no secret for it"
	} else if err := h.Verify(body, header); err != nil {
		a.Wrong = err.Error()
	}
	r.total++
	r.seen[[2]string{a.Path, a.ID}]++
	a.Nth = r.seen[[2]string{a.Path, a.ID}]
	a.Taken, a.Answered = true, true
	luck := int(chance(fmt.Sprint(a.Path, a.ID, a.Nth)) % 1000)
	switch r := &r.rules; {
	case r.Doomed > 0 && chance(a.Path+a.ID)%uint64(r.Doomed) == 0, luck < r.Fail:
		a.Taken = false
	case luck < r.Fail+r.Hang:
		a.Answered = false
	case luck < r.Fail+r.Hang+r.Slow:
		wait = r.Late
	}
	if dies = r.rules.Die == r.total && !r.died; dies {
		a.Taken, a.Answered = true, false
	}
	line, err := json.Marshal(a)
	if err == nil {
		_, err = r.journal.Write(append(line, '\n'))
	}
	if err != nil {
		panic(err) // a receiver that forgets is of no use
	}
	return wait, dies
}

// chance is a number that is the same whenever it is asked for.
func chance(of string) uint64 {
	s := sha256.Sum256([]byte(of))
	return binary.BigEndian.Uint64(s[:])
}

// DoomedAt reports whether an event is refused whenever it comes.
func (r Rules) DoomedAt(path, id string) bool {
	return r.Doomed > 0 && chance(path+id)%uint64(r.Doomed) == 0
}
