// Package transporttest tries an HTTP API out: by scripts, and by asking for what must not be told. It never looks behind it.
package transporttest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"
)

// Scripts runs every testdata file that matches the pattern as a test of its own. Each gets what begin returns: a fresh
// handler and the words that ${name} stands for. A step reads
//
//	-- what is expected, as a sentence
//	as ann
//	POST /v1/tenants/acme/commands/create-role
//	If-Match: "3"
//
//	{"name":"Writer"}
//	=> 200
//	Chancery-Position: *
//	{"events":[{"type":"role.created"}]}
//	keep role id
//
// "as" sends the token ${ann}; without it nobody asks. The JSON names what must be there at least; "*" stands for any
// text. "keep NAME a.b.0" keeps a part of the answer, "keep NAME" all of it, and "same NAME" demands equal bytes.
func Scripts(t *testing.T, pattern string, begin func(*testing.T) (http.Handler, map[string]string)) {
	t.Helper()
	files, err := filepath.Glob(pattern)
	if err != nil || len(files) == 0 {
		t.Fatalf("no script matches %s: %v", pattern, err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			h, vars := begin(t)
			for i, step := range strings.Split("\n"+string(text), "\n-- ")[1:] {
				title, rest, _ := strings.Cut(step, "\n")
				run(t, h, vars, fmt.Sprintf("%d: %s", i+1, title), rest)
			}
		})
	}
}

func run(t *testing.T, h http.Handler, vars map[string]string, title, text string) {
	t.Helper()
	lines := strings.Split(expand(strings.TrimRight(text, "\n"), vars), "\n")
	head := http.Header{}
	if name, ok := strings.CutPrefix(lines[0], "as "); ok {
		head.Set("Authorization", "Bearer "+vars[name])
		lines = lines[1:]
	}
	method, target, _ := strings.Cut(lines[0], " ")
	lines = lines[1:]
	for len(lines) > 0 && lines[0] != "" && !strings.HasPrefix(lines[0], "=>") {
		name, value, _ := strings.Cut(lines[0], ": ")
		head.Add(name, value)
		lines = lines[1:]
	}
	var body []string
	for len(lines) > 0 && !strings.HasPrefix(lines[0], "=>") {
		body, lines = append(body, lines[0]), lines[1:]
	}
	if len(lines) == 0 {
		t.Fatalf("%s: expects nothing", title)
	}
	r := httptest.NewRequestWithContext(t.Context(), method, target, strings.NewReader(strings.TrimPrefix(strings.Join(body, "\n"), "\n")))
	r.Header = head
	if len(body) > 1 && head.Get("Content-Type") == "" {
		head.Set("Content-Type", "application/json")
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	judge(t, vars, title, w, lines)
}

func judge(t *testing.T, vars map[string]string, title string, w *httptest.ResponseRecorder, lines []string) {
	t.Helper()
	if want := strings.TrimPrefix(lines[0], "=> "); want != strconv.Itoa(w.Code) {
		t.Errorf("%s: status %d, want %s: %s", title, w.Code, want, w.Body)
	}
	var expected []string
	for _, line := range lines[1:] {
		if line == "" {
			continue
		}
		if len(expected) > 0 || line[0] == '{' || line[0] == '[' {
			if !strings.HasPrefix(line, "keep ") && !strings.HasPrefix(line, "same ") {
				expected = append(expected, line)
				continue
			}
		}
		demand(t, vars, title, w, line)
	}
	if len(expected) > 0 {
		compare(t, title, w.Body.Bytes(), strings.Join(expected, "\n"))
	}
}

// demand obeys one line: keep, same, or a header.
func demand(t *testing.T, vars map[string]string, title string, w *httptest.ResponseRecorder, line string) {
	t.Helper()
	words := strings.Fields(line)
	switch {
	case words[0] == "keep" && len(words) == 2:
		vars[words[1]] = w.Body.String()
	case words[0] == "keep":
		vars[words[1]] = pick(t, title, w.Body.Bytes(), words[2])
	case words[0] == "same":
		if got := w.Body.String(); got != vars[words[1]] {
			t.Errorf("%s: answer %s, want the same as %s: %s", title, got, words[1], vars[words[1]])
		}
	default:
		name, want, _ := strings.Cut(line, ": ")
		if got := w.Header().Get(name); got != want && (want != "*" || got == "") {
			t.Errorf("%s: header %s is %q, want %q", title, name, got, want)
		}
	}
}

func compare(t *testing.T, title string, answer []byte, expected string) {
	t.Helper()
	var got, want any
	if err := json.Unmarshal([]byte(expected), &want); err != nil {
		t.Fatalf("%s: the expected JSON is none: %v", title, err)
	}
	if err := json.Unmarshal(answer, &got); err != nil {
		t.Errorf("%s: the answer is no JSON: %v: %s", title, err, answer)
		return
	}
	if where := differs("", got, want); where != "" {
		t.Errorf("%s: at %s the answer is not as expected: %s", title, where, answer)
	}
}

// differs tells where got lacks something of want; empty if nowhere.
func differs(at string, got, want any) string {
	switch want := want.(type) {
	case map[string]any:
		g, _ := got.(map[string]any)
		for k, v := range want {
			if where := differs(at+"/"+k, g[k], v); where != "" {
				return where
			}
		}
		if g != nil {
			return ""
		}
	case []any:
		g, ok := got.([]any)
		if !ok || len(g) != len(want) {
			return at + "/ (length)"
		}
		for i := range want {
			if where := differs(at+"/"+strconv.Itoa(i), g[i], want[i]); where != "" {
				return where
			}
		}
		return ""
	default:
		text, ok := got.(string)
		if reflect.DeepEqual(got, want) || want == "*" && ok && text != "" {
			return ""
		}
	}
	return at + "/"
}

func pick(t *testing.T, title string, body []byte, path string) string {
	t.Helper()
	var at any
	if err := json.Unmarshal(body, &at); err != nil {
		t.Fatalf("%s: nothing to keep: %s", title, body)
	}
	for word := range strings.SplitSeq(path, ".") {
		switch v := at.(type) {
		case map[string]any:
			at = v[word]
		case []any:
			i, err := strconv.Atoi(word)
			if err != nil || i >= len(v) {
				t.Fatalf("%s: there is no %s in %s", title, path, body)
			}
			at = v[i]
		}
	}
	text, ok := at.(string)
	if !ok {
		t.Fatalf("%s: %s is no text in %s", title, path, body)
	}
	return text
}

func expand(text string, vars map[string]string) string {
	return os.Expand(text, func(name string) string {
		if v, ok := vars[name]; ok {
			return v
		}
		return "${" + name + "}"
	})
}
