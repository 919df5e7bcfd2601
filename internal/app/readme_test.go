package app

import (
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
)

var shell = regexp.MustCompile("(?s)```sh\n(.*?)```")

// scripts are the shell blocks of a section of a document at the root of the module.
func scripts(t *testing.T, document, heading string) []string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("../..", document))
	if err != nil {
		t.Fatal(err)
	}
	_, section, found := strings.Cut(string(text), "\n## "+heading+"\n")
	section, _, _ = strings.Cut(section, "\n## ")
	blocks := shell.FindAllStringSubmatch(section, -1)
	if !found || len(blocks) == 0 {
		t.Fatalf("%s has no section %q with commands", document, heading)
	}
	var list []string
	for _, b := range blocks {
		list = append(list, b[1])
	}
	return list
}

// runShell runs a script in a folder; it ends at the first command that fails.
func runShell(t *testing.T, folder, script string, env ...string) string {
	t.Helper()
	cmd := exec.Command("bash", "-euo", "pipefail", "-c", script)
	cmd.Dir, cmd.Env = folder, append(os.Environ(), env...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v:\n%s\nsaid:\n%s", err, script, out)
	}
	return string(out)
}

func needPrograms(t *testing.T, names ...string) {
	t.Helper()
	for _, name := range names {
		if _, err := exec.LookPath(name); err != nil {
			t.Skipf("needs the program %s, which is not on this machine", name)
		}
	}
}

func TestTheRunnableMinuteOfTheReadmeRuns(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a durable server")
	}
	needPrograms(t, "bash", "curl", "sed")
	blocks := scripts(t, "README.md", "A runnable minute")
	if !strings.HasPrefix(blocks[0], "make run") || !strings.HasPrefix(blocks[len(blocks)-1], "make test") {
		t.Fatalf("the section no longer begins with make run and ends with make test: %q", blocks)
	}
	folder := t.TempDir()
	v := launch(t, filepath.Join(folder, ".chancery")) // as make run does
	script := strings.ReplaceAll(strings.Join(blocks[1:len(blocks)-1], "\n"), "localhost:8080", strings.TrimPrefix(v.url, "http://"))
	out := runShell(t, folder, strings.ReplaceAll(script, "curl -s ", "curl -sS --fail-with-body -w '\\n' "))
	answers := strings.Split(strings.TrimSpace(out), "\n")
	want := []string{`"type":"tenant.created"`, `"type":"user.registered"`, `"email":"bob@acme.test"`, `"action":"user.registered"`, `{"items":[],"position":"2"}`,
		`"type":"credential.password-set"`, `"token":"chn_ses_`, `"type":"secret.created"`, `"value":"hush"`, `"number":1`}
	if len(answers) != len(want) {
		t.Fatalf("%d answers, want %d:\n%s", len(answers), len(want), out)
	}
	for i, part := range want {
		if !strings.Contains(answers[i], part) {
			t.Errorf("answer %d lacks %s:\n%s", i+1, part, answers[i])
		}
	}
}

func TestTheDocumentsNameEveryMetricAndEveryVariable(t *testing.T) {
	read := func(document string) string {
		text, err := os.ReadFile(filepath.Join("../..", document))
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	metrics := make(chan *prometheus.Desc, 1000)
	newMetrics().registry.Describe(metrics)
	close(metrics)
	name, found := regexp.MustCompile(`fqName: "(chancery_[a-z_]+)"`), 0
	operations := read("docs/operations.md")
	for d := range metrics {
		if m := name.FindStringSubmatch(d.String()); m != nil {
			found++
			if !strings.Contains(operations, "| `"+m[1]+"`") {
				t.Errorf("docs/operations.md does not explain %s", m[1])
			}
		}
	}
	if found == 0 {
		t.Error("no metrics were found")
	}
	readme := read("README.md")
	for f := range reflect.TypeFor[Settings]().Fields() {
		if variable := f.Tag.Get("env"); !strings.Contains(readme, "| `"+variable+"`") {
			t.Errorf("README.md does not explain %s", variable)
		}
	}
}
