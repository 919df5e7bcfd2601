// Package docs writes the documents that follow from the code: events, commands, refusals, the API. It never says what the code does
// not say, and is no part of the program.
package docs

import (
	"path/filepath"

	"chancery/commands"
	"chancery/domain"
	"chancery/transport"
)

//go:generate go run ./generate

// apiVersion stands in the description of the API, which names no build, so that the file changes only with the API.
const apiVersion = "v1"

// Document is a generated file; Path starts at the root of the module.
type Document struct {
	Path string
	Text []byte
}

// All writes every document. Root is the folder of the module, whose comments are read.
func All(root string) ([]Document, error) {
	words, err := wordsIn(filepath.Join(root, "domain"), filepath.Join(root, "internal/dcb"))
	if err != nil {
		return nil, err
	}
	samples := filepath.Join(root, "domain/testdata/events")
	events, err := eventsPage(domain.Catalog, words, samples)
	if err != nil {
		return nil, err
	}
	api, err := transport.OpenAPI(apiVersion)
	if err != nil {
		return nil, err
	}
	refusals, err := refusalsPage(filepath.Join(root, "domain"), filepath.Join(root, "commands"), filepath.Join(root, "transport"))
	if err != nil {
		return nil, err
	}
	return []Document{
		{"docs/events.md", events},
		{"docs/commands.md", commandsPage(commands.Registry, domain.Settings)},
		{"docs/refusals.md", refusals},
		{"docs/openapi.yaml", api},
	}, nil
}
