package receivertest

import (
	"bytes"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"
)

// latencies are how long events were on their way whose subject says when they began it.
type latencies struct {
	mu    sync.Mutex // owns the rest
	count int
	took  []time.Duration
}

// Report is what has arrived since the one before it.
type Report struct {
	Count int             `json:"count"`
	Took  []time.Duration `json:"took,omitempty"` // of those that say when they were sent, in order of length
}

var began = []byte(`"subject":"t`)

// Subject is that of an event which is sent now.
func Subject(now time.Time) string { return "t" + strconv.FormatInt(now.UnixNano(), 10) }

func (l *latencies) note(body []byte) {
	now, took := time.Now(), time.Duration(-1)
	if _, text, found := bytes.Cut(body, began); found {
		text = text[:max(bytes.IndexByte(text, '"'), 0)]
		if n, err := strconv.ParseInt(string(text), 10, 64); err == nil {
			took = now.Sub(time.Unix(0, n))
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.count++
	if took >= 0 {
		l.took = append(l.took, took)
	}
}

func (l *latencies) report(w http.ResponseWriter) {
	l.mu.Lock()
	r := Report{Count: l.count, Took: l.took}
	l.count, l.took = 0, nil
	l.mu.Unlock()
	slices.Sort(r.Took)
	_ = json.NewEncoder(w).Encode(r)
}
