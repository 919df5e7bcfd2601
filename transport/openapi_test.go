package transport_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"chancery/commands"
	"chancery/domain"
	"chancery/transport"
)

var param = regexp.MustCompile(`:(\w+)`)

func TestTheDescriptionNamesEveryRoute(t *testing.T) {
	w := newWorld(t)
	var doc struct {
		Paths map[string]map[string]any `json:"paths"`
	}
	if err := json.Unmarshal(w.do("", "GET", "/openapi.json", "").Body.Bytes(), &doc); err != nil {
		t.Fatal(err)
	}
	silent := map[string]bool{"/metrics": true, "/openapi.json": true, "/docs": true, "/docs/*": true}
	for _, r := range w.server.Routes() {
		path := param.ReplaceAllString(r.Path, "{$1}")
		if r.Method == http.MethodHead || silent[path] || strings.Contains(path, "configuration/v1") || strings.HasSuffix(path, "}/.well-known/authzen-configuration") ||
			strings.HasPrefix(path, "/v1/tenants/{tenant}/tenants") {
			continue // described elsewhere, or under another name
		}
		paths := []string{path}
		if strings.HasSuffix(path, "{command}") {
			paths = nil
			for _, spec := range commands.Registry {
				paths = append(paths, strings.Replace(path, "{command}", spec.Name, 1))
			}
		}
		for _, p := range paths {
			if doc.Paths[p][strings.ToLower(r.Method)] == nil {
				t.Errorf("%s %s is not described", r.Method, p)
			}
		}
	}
}

func TestTheDescriptionIsTheSameEachTime(t *testing.T) {
	first, err := transport.OpenAPI("1")
	if err != nil {
		t.Fatal(err)
	}
	again, err := transport.OpenAPI("1")
	if err != nil || string(first) != string(again) {
		t.Errorf("two descriptions differ: %v", err)
	}
}

func TestTheSchemasOfCommandsAreSchemas(t *testing.T) {
	w := newWorld(t)
	w.people(t)
	var got struct {
		Items []struct {
			Name   string `json:"name"`
			Schema any    `json:"schema"`
		} `json:"items"`
	}
	if err := json.Unmarshal(w.do("root", "GET", "/v1/tenants/root/commands", "").Body.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	for i, c := range got.Items {
		compiler := jsonschema.NewCompiler()
		name := fmt.Sprintf("mem:///%d.json", i)
		if err := compiler.AddResource(name, c.Schema); err != nil {
			t.Fatal(err)
		}
		if _, err := compiler.Compile(name); err != nil {
			t.Errorf("%s: %v", c.Name, err)
		}
	}
}

type described map[string]any

// at is what a pointer leads to; each word of the path is a key.
func (d described) at(t *testing.T, words ...string) described {
	t.Helper()
	for i, w := range words {
		next, ok := d[w].(map[string]any)
		if !ok {
			t.Fatalf("nothing at %v: %v", words[:i+1], d)
		}
		d = next
	}
	return d
}

func description(t *testing.T) (d described) {
	t.Helper()
	w := newWorld(t)
	if err := json.Unmarshal(w.do("", "GET", "/openapi.json", "").Body.Bytes(), &d); err != nil {
		t.Fatal(err)
	}
	return d
}

func (d described) expect(t *testing.T, key string, want any) {
	t.Helper()
	if got, _ := json.Marshal(d[key]); string(got) != fmt.Sprint(want) {
		t.Errorf("%s: %s, want %s", key, got, want)
	}
}

func TestEventsAreDescribedInEachModeThatIsTaken(t *testing.T) {
	d := description(t)
	publish := d.at(t, "paths", "/v1/tenants/{tenant}/events", "post")
	content := publish.at(t, "requestBody", "content")
	content.at(t, "application/cloudevents+json", "schema").expect(t, "$ref", `"#/components/schemas/PublishedEvent"`)
	content.at(t, "application/cloudevents-batch+json", "schema").expect(t, "items", `{"$ref":"#/components/schemas/PublishedEvent"}`)
	content.at(t, "application/cloudevents-batch+json", "schema").expect(t, "maxItems", domain.MaxEventBatch)
	if _, is := content.at(t, "application/json", "schema")["$ref"]; is {
		t.Error("the data of an event is described as an event")
	}
	parameters := fmt.Sprint(publish["parameters"])
	for _, name := range []string{"specversion", "id", "source", "type", "subject", "time", "dataschema"} {
		if !strings.Contains(parameters, "name:ce-"+name+" ") {
			t.Errorf("ce-%s is not described", name)
		}
	}
	d.at(t, "components", "schemas", "PublishedEvent").expect(t, "required", `["specversion","id","source","type","data"]`)
}

// What a command's answer holds beside the events, the code says where it makes it.
func TestEveryValueThatACommandTellsIsDescribed(t *testing.T) {
	files, err := filepath.Glob("../commands/*.go")
	if err != nil || len(files) == 0 {
		t.Fatal("no commands", err)
	}
	told := map[string]bool{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`(?m)^func \(c \w+\) (?:Reveal|Disclose|Hand)\([^{]*\{\n(?:\t.*\n|\n)*?.*(?:return|out\() ?"([a-z_]+)", `).FindAllStringSubmatch(string(text), -1) {
			told[m[1]] = true
		}
	}
	if len(told) < 7 {
		t.Errorf("found only %v", told)
	}
	properties := description(t).at(t, "components", "schemas", "CommandAnswer", "properties")
	for name := range told {
		properties.at(t, name)
	}
}

func TestOperationsHaveNamesOfTheirOwn(t *testing.T) {
	seen := map[string]string{}
	for path, methods := range description(t).at(t, "paths") {
		for method, operation := range methods.(map[string]any) {
			at := method + " " + path
			id, _ := operation.(map[string]any)["operationId"].(string)
			if !regexp.MustCompile(`^[a-z]+(-[a-z0-9]+)*$`).MatchString(id) || seen[id] != "" {
				t.Errorf("%s is called %q, as is %q", at, id, seen[id])
			}
			seen[id] = at
		}
	}
	for id, at := range map[string]string{"create-endpoint": "post /v1/tenants/{tenant}/commands/create-endpoint", "get-tenant-users-id": "get /v1/tenants/{tenant}/users/{id}", "post-access-evaluation": "post /access/v1/evaluation"} {
		if seen[id] != at {
			t.Errorf("%s is %s, not %s", id, seen[id], at)
		}
	}
}

func TestTheBoundsOfEndpointsAreDescribedAsTheyAre(t *testing.T) {
	schemas := description(t).at(t, "components", "schemas")
	for _, command := range []string{"CreateEndpointCommand", "ChangeEndpointCommand"} {
		p := schemas.at(t, command, "properties")
		p.at(t, "types").expect(t, "maxItems", domain.MostTypes)
		p.at(t, "filter").expect(t, "maxLength", domain.MaxFilter)
		p.at(t, "url").expect(t, "maxLength", domain.MaxURL)
		for name, most := range map[string]int{"concurrency": domain.MostConcurrency, "per_second": domain.MostPerSecond, "lease_seconds": domain.MostLease, "max_attempts": domain.MostAttempts} {
			p.at(t, name).expect(t, "maximum", most)
		}
	}
	schemas.at(t, "RotateEndpointSecretCommand", "properties", "grace_hours").expect(t, "maximum", domain.LongestOverlap.Hours())
	schemas.at(t, "Endpoint", "properties", "disabled_why").expect(t, "enum", `["by-hand","gone","failing",null]`)
	schemas.at(t, "Endpoint", "properties", "status").expect(t, "enum", `["enabled","disabled","deleted"]`)
	schemas.at(t, "Delivery", "properties", "status").expect(t, "enum", `["pending","waiting","retrying","leased","delivered","dead"]`)
	stats := schemas.at(t, "EndpointStats", "properties")
	stats.at(t, "window").expect(t, "enum", `["1h","24h","7d"]`)
	stats.at(t, "latency_ms").expect(t, "anyOf", `[{"type":"null"},{"$ref":"#/components/schemas/Latency"}]`)
}
