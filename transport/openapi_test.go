package transport_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"chancery/commands"
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
