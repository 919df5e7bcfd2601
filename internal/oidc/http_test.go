package oidc

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"chancery/internal/egress"
)

func TestTheAddressThatIsDialledIsJudged(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	defer server.Close()
	get := func(c *http.Client, url string) error {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		answer, err := c.Do(r)
		if err == nil {
			_, err = io.ReadAll(answer.Body)
			answer.Body.Close()
		}
		return err
	}
	for _, url := range []string{server.URL, strings.Replace(server.URL, "127.0.0.1", "localhost", 1)} {
		if err := get(guarded(nil), url); !errors.Is(err, egress.ErrAddress) {
			t.Errorf("%s: %v", url, err)
		}
		if err := get(guarded([]netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}), url); err != nil {
			t.Errorf("%s, allowed: %v", url, err)
		}
	}
}

func TestAnswersAreBoundedAndRedirectsStayAtHome(t *testing.T) {
	mux := http.NewServeMux()
	server := httptest.NewServer(mux)
	defer server.Close()
	elsewhere := httptest.NewServer(http.NotFoundHandler())
	defer elsewhere.Close()
	mux.HandleFunc("/large", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(make([]byte, largestAnswer+1)) })
	mux.HandleFunc("/signed", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/jwt; charset=utf-8")
	})
	mux.HandleFunc("/away", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, elsewhere.URL, http.StatusFound) })
	mux.HandleFunc("/home", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/there", http.StatusFound) })
	mux.HandleFunc("/there", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("/circle", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/circle", http.StatusFound) })
	client := guarded([]netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")})
	for path, want := range map[string]error{"/large": errTooLarge, "/away": errRedirect, "/home": nil, "/circle": errRedirect, "/signed": errSigned} {
		r, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+path, http.NoBody)
		answer, err := client.Do(r)
		if err == nil {
			_, err = io.ReadAll(answer.Body)
			answer.Body.Close()
		}
		if !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", path, err, want)
		}
	}
	post, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL+"/home", strings.NewReader("code=x"))
	answer, err := client.Do(post)
	if err == nil {
		answer.Body.Close()
	}
	if !errors.Is(err, errRedirect) {
		t.Errorf("what was posted went on: %v", err)
	}
}

func TestTheCacheOfBearersIsBounded(t *testing.T) {
	b, now := newBearers(), time.Now()
	for i := range mostBearers + 10 {
		b.keep("i", strconv.Itoa(i), Claims{}, now)
	}
	if len(b.known) > mostBearers {
		t.Errorf("%d are kept", len(b.known))
	}
	long := strings.Repeat("x", longestKept+1)
	b.keep("i", long, Claims{}, now)
	if _, ok := b.find("i", long, now); ok {
		t.Error("a long token is kept")
	}
	if b.keep("i", "x", Claims{raw: map[string]jsontext.Value{"a": jsontext.Value("1")}}, now); b.known[sha256.Sum256([]byte("x"))].claims.raw != nil {
		t.Error("claims that nobody asks for are kept")
	}
	if _, ok := b.find("other", "x", now); ok {
		t.Error("a token of another issuer is found")
	}
}

func TestProvidersAreBounded(t *testing.T) {
	ps := &providers{now: time.Now, known: map[string]*provider{}, failed: map[string]failure{}}
	for i := range mostProviders + 10 {
		ps.keep(strings.Repeat("x", i), &provider{asked: time.Unix(int64(i), 0)}, nil)
		ps.keep(strings.Repeat("y", i), nil, errRedirect)
	}
	if len(ps.known) > mostProviders || len(ps.failed) > mostProviders {
		t.Errorf("%d and %d are kept", len(ps.known), len(ps.failed))
	}
	if ps.known[""] != nil {
		t.Error("the oldest stays")
	}
}

func TestPeekNamesTheIssuerOfWhatLooksLikeAToken(t *testing.T) {
	for text, want := range map[string]string{
		"eyJhbGciOiJub25lIn0.eyJpc3MiOiJodHRwczovL2lkLnRlc3QifQ.x": "https://id.test", "chn_pat_x": "", "": "", "ey.ey": "", "ey.!.x": "", "a.b.c": "",
		"eyJ.e30.": "", "eyJhbGciOiJub25lIn0." + strings.Repeat("A", longestToken) + ".x": "",
	} {
		if got, ok := Peek(text); got != want || ok != (want != "") {
			t.Errorf("%.60s: %q", text, got)
		}
	}
}

func TestNothingThatAProviderKnowsIsPrinted(t *testing.T) {
	for _, v := range []any{
		Client{Secret: "canary"}, Request{Verifier: "canary", Nonce: "canary"}, Answer{Code: "canary"}, Claims{Subject: "canary", Email: "canary"}, &Claims{Name: "canary"},
	} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x"} {
			if text := fmt.Sprintf(verb, v); strings.Contains(text, "canary") || strings.Contains(text, "63616e617279") {
				t.Errorf("%s of %T prints %s", verb, v, text)
			}
		}
	}
}
