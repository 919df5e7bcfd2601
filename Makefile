# `make` lists the targets. They need Go and PostgreSQL, and install PostgreSQL where it is missing.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

# The tools have a module of their own, so that the program does not depend on them. sqlc and golangci-lint are built at
# first use (a few minutes) and cached by Go.
TOOL := go tool -modfile=tools/go.mod

# Of each package's tests. Every package starts a PostgreSQL of its own when a test of it first needs one.
TEST_FLAGS ?= -timeout=15m

# What runs as the tests of `make check`; the build machine has run them just before, and says CHECK_TEST= .
CHECK_TEST ?= test

.PHONY: help run dev test check format vet lint verify generate bench build

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "%-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: build ## build and serve, with all data in ./.chancery
	exec bin/chancery serve --data .chancery

dev: build ## the same with data that is thrown away at the end
	data=$$(mktemp -d); trap 'rm -rf "$$data"' EXIT; chmod 711 "$$data"; bin/chancery serve --data "$$data"

build:
	CGO_ENABLED=0 go build -o bin/ ./cmd/...

test: ## run all tests, on a PostgreSQL of their own
	go test $(TEST_FLAGS) ./...

check: format vet lint $(CHECK_TEST) verify ## all that must hold before a commit: format, vet, lint, test, verify

format:
	@out=$$(gofmt -l .); test -z "$$out" || { echo "gofmt these:"; echo "$$out"; exit 1; }

vet:
	go vet ./...

lint: ## the linter, all rules (.golangci.yml)
	$(TOOL) golangci-lint run

generate: ## write what is generated: queries, documents
	CGO_ENABLED=0 $(TOOL) sqlc generate
	go generate ./...

verify: ## prove that what is generated is current and that go.mod is tidy
	CGO_ENABLED=0 $(TOOL) sqlc diff
	go test -run Current ./internal/docs
	go mod tidy -diff
	go mod verify

bench: ## run the benchmarks on a durable PostgreSQL
	go run ./bench
