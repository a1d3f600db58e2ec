# `make check` is what CI checks (.ci/run runs the same targets). Each target stands alone and works on every module of
# the repository: this one, and the nested ones that keep their dependencies out of it.

SHELL       := bash
.SHELLFLAGS := -euo pipefail -c
.ONESHELL:    # a recipe is one script: it stops at the first command that fails
.NOTPARALLEL: # each target uses every core already

# Each module is checked as it is published, whatever workspace it lies in.
export GOWORK := off

FUZZTIME  ?= 2s
BENCHTIME ?= 1s
TESTFLAGS ?=
GOTEST    ?= go test

MODULES := . $(patsubst %/go.mod,%,$(shell git ls-files -- '*/go.mod' ':!*/testdata/*'))

# each runs a command in every module and stops at the first that fails.
each = for module in $(MODULES); do echo "-- $$module: $(1)"; (cd "$$module" && $(1)); done

# The linters are pinned and built here, once per version of theirs and of Go: one that was built with an older Go can't
# read what a newer one compiles.
TOOLS              := $(CURDIR)/.tools/$(shell go env GOVERSION)
STATICCHECK        := $(TOOLS)/staticcheck-v0.8.2
STATICCHECK_PKG    := honnef.co/go/tools/cmd/staticcheck
GOLANGCI_LINT      := $(TOOLS)/golangci-lint-v2.15.0
GOLANGCI_LINT_PKG  := github.com/golangci/golangci-lint/v2/cmd/golangci-lint

.PHONY: check fmt vet staticcheck lint tidy test race allocs fuzz bench tools

## check: everything that CI checks; the allocation budgets, import arrows and licences are tests
check: fmt vet staticcheck lint tidy test race fuzz

## fmt: no file that gofmt would change
fmt:
	@changed=$$(gofmt -s -l .); [ -z "$$changed" ] || { echo "gofmt -s -w these:"; echo "$$changed"; exit 1; }

vet:
	@$(call each,go vet ./...)

staticcheck: $(STATICCHECK)
	@$(call each,$(STATICCHECK) ./...)

## lint: the linters of .golangci.yml, gosec among them
lint: $(GOLANGCI_LINT)
	@$(call each,$(GOLANGCI_LINT) run --allow-parallel-runners ./...)

## tidy: no go.mod or go.sum that `go mod tidy` would change; it changes none
tidy:
	@$(call each,go mod tidy -diff)

## test: every test as users run them, without the race detector: allocations are counted here
test:
	@$(call each,go test $(TESTFLAGS) ./...)

## race: this module only. The benchmarks' ratios mean nothing under the race detector, and the browser's tests drive
## the handlers that the tests here drive. Allocation counts don't hold under it either. What MySQL's tests run is what
## PostgreSQL's run.
race:
	$(GOTEST) -race $(TESTFLAGS) -skip '^TestAllocs|/^mysql$$' ./...

## allocs: only the allocation budgets, which `test` covers
allocs:
	@$(call each,go test -count=1 -run '^TestAllocs' ./...)

## fuzz: every fuzz target that there is, for FUZZTIME each
fuzz:
	@$(call each,"$(CURDIR)/.ci/fuzz" $(FUZZTIME))

## bench: the benchmarks, to read; the budgets that gate are tests
bench:
	@$(call each,go test -run '^$$' -bench . -benchmem -benchtime $(BENCHTIME) ./...)

## tools: build the pinned linters (minutes the first time)
tools: $(STATICCHECK) $(GOLANGCI_LINT)

$(STATICCHECK):
	@$(call install,$(STATICCHECK_PKG))

$(GOLANGCI_LINT):
	@$(call install,$(GOLANGCI_LINT_PKG))

# install builds package $(1) at the version in the target's name. It is built aside and moved, so that an interrupted
# build leaves no half a tool behind.
define install
echo "building $(@F)"
mkdir -p "$(@D)"
aside=$$(mktemp -d "$(@D)/build.XXXXXX")
trap 'rm -rf "$$aside"' EXIT
GOBIN="$$aside" go install "$(1)@$(lastword $(subst -, ,$(@F)))"
mv "$$aside/$(notdir $(1))" "$@"
endef
