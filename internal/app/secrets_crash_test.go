package app

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
)

// told is a value that has reached a caller.
type told struct{ secret, position, value string }

// kept is a rotation that was acknowledged.
type kept struct{ secret, value string }

func TestAKilledServerHasLostNoSecretAndToldNoneWithoutItsRecord(t *testing.T) {
	if testing.Short() {
		t.Skip("starts durable servers")
	}
	data := t.TempDir()
	v := launch(t, data)
	token := bootstrapAt(t, v.url, data)
	var secrets []string
	var rotations []kept
	for n := range 8 {
		body := fmt.Sprintf(`{"name":"s%d","value":"first"}`, n)
		status, answer := call(t, http.MethodPost, v.url+"/v1/tenants/root/commands/create-secret", token, body)
		if status != http.StatusOK {
			t.Fatalf("%d %s", status, answer)
		}
		secrets = append(secrets, part(answer, "id"))
		rotations = append(rotations, kept{secrets[n], "first"})
	}
	var readings []told
	for round := range 3 {
		r, k := turnAndReadUntilKilled(t, v, token, round, secrets)
		readings, rotations = append(readings, r...), append(rotations, k...)
		v = launch(t, data)
		checkRotations(t, v, token, rotations)
		checkReadings(t, v, token, readings)
	}
	t.Logf("%d rotations and %d readings survived 3 kills", len(rotations), len(readings))
}

func part(answer []byte, name string) string { return reply{body: string(answer)}.part(name) }

// turnAndReadUntilKilled lets one caller for each secret rotate it and read it back, and two others read it, and kills the
// server in the midst of it.
func turnAndReadUntilKilled(t *testing.T, v *victim, token string, round int, secrets []string) (readings []told, rotations []kept) {
	t.Helper()
	var (
		mu    sync.Mutex
		ready = make(chan struct{})
		once  sync.Once
		wg    sync.WaitGroup
	)
	note := func(do func()) {
		mu.Lock()
		defer mu.Unlock()
		do()
		if len(readings) >= 200 && len(rotations) >= 60 {
			once.Do(func() { close(ready) })
		}
	}
	// command tells whether it was done; on is false when the server is gone or the test has failed.
	command := func(name, body string) (answer []byte, done, on bool) {
		status, answer, err := try(http.MethodPost, v.url+"/v1/tenants/root/commands/"+name, token, body)
		if err == nil && status != http.StatusOK && status != http.StatusConflict { // others changed the same: try again
			t.Errorf("%s: %d %s", name, status, answer)
		}
		return answer, status == http.StatusOK, err == nil && (status == http.StatusOK || status == http.StatusConflict)
	}
	read := func(id string) (value string, done, on bool) {
		answer, done, on := command("read-secret", fmt.Sprintf(`{"id":%q}`, id))
		if done {
			value = part(answer, "value")
			note(func() { readings = append(readings, told{id, part(answer, "position"), value}) })
		}
		return value, done, on
	}
	for _, id := range secrets {
		wg.Go(func() {
			for n := 0; ; n++ {
				value := fmt.Sprintf("value %s %d %d", id, round, n)
				_, done, on := command("rotate-secret", fmt.Sprintf(`{"id":%q,"value":%q}`, id, value))
				if !on {
					return
				}
				if done {
					note(func() { rotations = append(rotations, kept{id, value}) })
				}
				got, did, on := read(id)
				if done && did && got != value {
					t.Errorf("%q was read after %q was acknowledged", got, value)
				}
				if !on {
					return
				}
			}
		})
		for range 2 {
			wg.Go(func() {
				for {
					if _, _, on := read(id); !on {
						return
					}
				}
			})
		}
	}
	go func() { wg.Wait(); once.Do(func() { close(ready) }) }()
	<-ready
	v.kill()
	wg.Wait()
	return readings, rotations
}

// checkRotations reads every version there is and finds every acknowledged value among them.
func checkRotations(t *testing.T, v *victim, token string, rotations []kept) {
	t.Helper()
	found := map[string]map[string]bool{}
	for _, k := range rotations {
		if found[k.secret] == nil {
			found[k.secret] = versions(t, v, token, k.secret)
		}
		if !found[k.secret][k.value] {
			t.Fatalf("the acknowledged value %q of %s is lost", k.value, k.secret)
		}
	}
}

// versions are the values of a secret, oldest to newest.
func versions(t *testing.T, v *victim, token, id string) map[string]bool {
	t.Helper()
	values := map[string]bool{}
	for n := 1; ; n++ {
		status, answer := call(t, http.MethodPost, v.url+"/v1/tenants/root/commands/read-secret", token, fmt.Sprintf(`{"id":%q,"version":%d}`, id, n))
		switch {
		case status == http.StatusNotFound:
			return values
		case status != http.StatusOK:
			t.Fatalf("version %d: %d %s", n, status, answer)
		}
		values[part(answer, "value")] = true
	}
}

// checkReadings finds the event and the row of every value that was told.
func checkReadings(t *testing.T, v *victim, token string, readings []told) {
	t.Helper()
	events := collected(t, v, token, "events", "&type=secret.read")
	rows := collected(t, v, token, "secret-access", "")
	for _, r := range readings {
		if !strings.Contains(events[r.position], r.secret) {
			t.Fatalf("the value told at %s has no event", r.position)
		}
		if !strings.Contains(rows[r.position], r.secret) {
			t.Fatalf("the value told at %s has no row", r.position)
		}
		if r.value != "first" && !strings.Contains(r.value, r.secret) {
			t.Fatalf("of %s the value %q of another was told", r.secret, r.value)
		}
	}
}

// collected is every item of a collection, by its position.
func collected(t *testing.T, v *victim, token, name, filter string) map[string]string {
	t.Helper()
	all, cursor := map[string]string{}, ""
	for {
		var page struct {
			Items []json.RawMessage `json:"items"`
			Next  string            `json:"next"`
		}
		status, answer := call(t, http.MethodGet, v.url+"/v1/tenants/root/"+name+"?limit=1000"+filter+cursor, token, "")
		if err := json.Unmarshal(answer, &page); err != nil || status != http.StatusOK {
			t.Fatalf("%s: %d %s", name, status, answer)
		}
		for _, item := range page.Items {
			all[part(item, "position")] = string(item)
		}
		if page.Next == "" {
			return all
		}
		cursor = "&cursor=" + page.Next
	}
}
