package receivertest

import (
	"context"
	"net/http"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

func TestMain(m *testing.M) {
	Main()
	m.Run()
}

const secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYqrTwjUPD8ILPZI"

func send(t *testing.T, url, key, id, body string) (status int, err error) {
	t.Helper()
	h, err := standardwebhooks.NewWebhook(key)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	signature, err := h.Sign(id, now, []byte(body))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url+"/a", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("webhook-id", id)
	req.Header.Set("webhook-timestamp", strconv.FormatInt(now.Unix(), 10))
	req.Header.Set("webhook-signature", signature)
	req.Header.Set("Chancery-Sequence", "7")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	return resp.StatusCode, nil
}

func TestAReceiverWritesDownWhatReachedItAndDiesOnce(t *testing.T) {
	journal := filepath.Join(t.TempDir(), "journal")
	p, err := Start("", journal)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { p.Stop() }()
	if err := p.Obey(t.Context(), Rules{Secrets: map[string]string{"/a": secret}, Die: 2}); err != nil {
		t.Fatal(err)
	}
	const body = `{"subject":"s","type":"t","data":{"x": 1}}`
	if status, err := send(t, p.URL, secret, "one", body); err != nil || status != 200 {
		t.Fatalf("%d %v", status, err)
	}
	if status, err := send(t, p.URL, secret, "two", body); err == nil {
		t.Fatalf("it was to die, and answered %d", status)
	}
	<-p.Done
	if p, err = Start(strings.TrimPrefix(p.URL, "http://"), journal); err != nil {
		t.Fatal(err)
	}
	other := "whsec_" + strings.Repeat("AAAA", 8)
	for _, c := range []struct{ key, id string }{{secret, "two"}, {other, "three"}} {
		if status, err := send(t, p.URL, c.key, c.id, body); err != nil || status != 200 {
			t.Fatalf("%d %v", status, err)
		}
	}
	got, err := Journal(journal)
	if err != nil {
		t.Fatal(err)
	}
	arrived := func(id string, nth int, answered bool, wrong string) Arrival {
		return Arrival{Path: "/a", ID: id, Sequence: 7, Nth: nth, Subject: "s", Type: "t", Body: Sum([]byte(body)), Data: Sum([]byte(`{"x": 1}`)),
			Taken: true, Answered: answered, Wrong: wrong}
	}
	want := []Arrival{arrived("one", 1, true, ""), arrived("two", 1, false, ""), arrived("two", 2, true, ""), arrived("three", 1, true, "unable to verify payload, err: no matching signature found")}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestAReceiverWithoutAJournalCountsAndMeasures(t *testing.T) {
	p, err := Start("", "")
	if err != nil {
		t.Fatal(err)
	}
	defer p.Stop()
	if _, err := send(t, p.URL, secret, "one", `{"subject":"`+Subject(time.Now())+`"}`); err != nil {
		t.Fatal(err)
	}
	r, err := p.Report(t.Context())
	if err != nil || r.Count != 1 || len(r.Took) != 1 || r.Took[0] > time.Minute {
		t.Errorf("%+v %v", r, err)
	}
}
