# Every target is two or three lines; what takes more stands in scripts/.

# Building must work in a tarball and in somebody else's checkout: no VCS stamp.
export GOFLAGS := $(shell go env GOFLAGS 2>/dev/null) -buildvcs=false
export FUZZTIME ?= 30s

.DEFAULT_GOAL := help
.PHONY: help setup build build-static test test-race test-root test-peers fuzz soak-verdicts soak-delivery bench lint fmt generate generate-check demo clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-15s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: ## install what is missing: Debian packages, Go modules
	@scripts/setup build run modules

build: ## bin/weir, with DuckDB (needs a C compiler)
	CGO_ENABLED=1 go build -o bin/weir ./cmd/weir

build-static: ## bin/weir-static: capture only, without cgo, for any Linux of this architecture
	CGO_ENABLED=0 go build -tags noduckdb -trimpath -ldflags '-s -w' -o bin/weir-static ./cmd/weir

test: setup ## every test this machine can run; says what it skipped and why
	@scripts/test

test-race: setup ## the same with the race detector
	@scripts/test -race

test-root: setup ## the same, and a skipped test is a failure (needs root)
	@scripts/test --no-skip

test-peers: ## deliver to services that are not ours (moto's server), and read back
	@scripts/test-peers

fuzz: ## each fuzz target for FUZZTIME (30s)
	@scripts/fuzz

soak-verdicts: setup ## COUNT random packets (100000) from SEED (1): does the kernel do what policy says? (needs root)
	@scripts/soak-verdicts

soak-delivery: setup ## FOR (10m) of traffic and faults from SEED (1): is everything delivered, once? (needs root)
	@scripts/soak-delivery

bench: setup build ## what counting, draining, encoding and asking cost
	@scripts/bench

lint: ## golangci-lint (pinned in tools/go.mod, built into bin/) and the licences
	@scripts/lint run
	@scripts/licences >/dev/null

fmt: ## format the Go files
	@scripts/lint fmt

generate: ## compile the eBPF programs (needs clang-14)
	@scripts/setup generate
	go generate ./...

generate-check: ## fail when a generated file is not what its source gives
	@scripts/generate-check

demo: setup build ## a VPC on this machine for a minute, and what its flow logs say (needs root)
	@scripts/demo

clean: ## remove what was built
	rm -rf bin
