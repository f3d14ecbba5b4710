# make demo   a small network on this machine, deployed to with git push
# make test   everything that CI checks
# The rest: make help
SHELL := /bin/sh
export PATH := $(CURDIR)/build:$(PATH):/usr/local/go/bin:/usr/sbin:/sbin
export CGO_ENABLED := 0

PREFIX ?= /usr/local
REVISION := $(shell git describe --always --dirty --abbrev=12 2>/dev/null || echo unknown)
LDFLAGS := -s -w -X github.com/git-deploy/git-deploy/pkg/version.Revision=$(REVISION)
BINARIES := build/git-deploy build/git-remote-node

.PHONY: help build install demo demo-clean test model property faults lint bench generate deps clean

help: ## this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

build: deps-build ## build/git-deploy and build/git-remote-node, static
	@go build -trimpath -tags urfave_cli_no_docs -ldflags '$(LDFLAGS)' -o build/ ./cmd/...

install: build ## install to $(PREFIX)/bin, with man pages and completions
	install -D -m 755 -t $(DESTDIR)$(PREFIX)/bin $(BINARIES)
	install -d $(DESTDIR)$(PREFIX)/share/man/man1 $(DESTDIR)$(PREFIX)/share/man/man5
	build/git-deploy man > $(DESTDIR)$(PREFIX)/share/man/man1/git-deploy.1
	build/git-deploy man options > $(DESTDIR)$(PREFIX)/share/man/man5/git-deploy-options.5
	install -d $(DESTDIR)$(PREFIX)/share/bash-completion/completions $(DESTDIR)$(PREFIX)/share/zsh/site-functions $(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d
	build/git-deploy completion bash > $(DESTDIR)$(PREFIX)/share/bash-completion/completions/git-deploy
	build/git-deploy completion zsh > $(DESTDIR)$(PREFIX)/share/zsh/site-functions/_git-deploy
	build/git-deploy completion fish > $(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d/git-deploy.fish

demo: deps-demo build ## three nodes on this machine, deployed to with git push
	@build/git-deploy demo

demo-clean: build ## stop the demo's nodes and remove its folder
	@build/git-deploy demo --clean

test: deps-test build ## all tests; CI runs this
	@go vet ./...
	go test -timeout 40m ./...

model: deps-test ## the model of a deployment, searched for two faults (nine minutes)
	go test -count=1 -timeout 120m -v ./pkg/activate/model -run 'TestHolds|TestEnds|TestAround' -args -long

property: deps-test build ## people and machines in random orders, a minute for each five seeds (SEED=1 COUNT=36 LENGTH=24; STEPS=1,4: only those)
	GIT_DEPLOY_BIN=$(CURDIR)/build go test -count=1 -timeout 120m ./tests/property -run TestNothingIsLost -args -seed $(or $(SEED),1) -count $(or $(COUNT),36) -length $(or $(LENGTH),24) -shrink $(or $(SHRINK),30) $(if $(STEPS),-steps $(STEPS))

faults: deps-test build ## break deployments in every way, about half an hour; writes docs/faults.md (RUN='TestFaults$$/kill-ssh$$': only those)
	@test -n "$(RUN)" || rm -rf build/faults
	FAULTS=all FAULTS_RESULTS=$(CURDIR)/build/faults GIT_DEPLOY_BIN=$(CURDIR)/build go test -count=1 -timeout 120m -run '$(or $(RUN),TestFaults)' ./tests/faults
	FAULTS_RESULTS=$(CURDIR)/build/faults go test -count=1 -run 'TestReport$$' ./tests/faults -update

lint: deps-build ## formatting, vet, shell scripts
	@test -z "$$(gofmt -l $$(git ls-files '*.go'))" || { echo "these files need gofmt:"; gofmt -l $$(git ls-files '*.go'); exit 1; }
	go vet ./...
	@if command -v shellcheck >/dev/null; then git ls-files '*.sh' .ci/run scripts | xargs -r shellcheck -x; fi

bench: deps-test build ## ratios against floors measured in the same run
	@go test -count=1 -run '^$$' -bench . -benchtime 1x ./tests/bench | grep -E '^(name|[a-z].* (ok|over)$$)'

generate: build ## write the generated references anew
	go test . -run TestVendorHash -update
	go test ./nixlib -run TestOptionReference -update
	go test ./pkg/bundle -run TestSchema -update
	go test ./pkg/cli -run TestReference -update

clean: ## remove what was built
	rm -rf build

# What is needed: scripts/deps installs it on Debian and Ubuntu, and says what is missing elsewhere.
.PHONY: deps-build deps-demo deps-test
deps-build:
	@scripts/deps build
deps-demo:
	@scripts/deps demo
deps-test:
	@scripts/deps test
