# `make` alone lists what there is. GNU make, bash and Go are all that `make run`, `make build` and
# `make test` need; `make check` also needs git, a C compiler for the
# race detector, and PostgreSQL, MariaDB, Redis and HAProxy, which tests start themselves.

SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

MODULE := github.com/game-im/hermod
TOOL := go tool -modfile=tools/go.mod
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
MODULES := tools test/deploy test/outside $(patsubst %/go.mod,%,$(wildcard test/registries/*/go.mod docs/examples/*/go.mod))
APP ?= hermod
ARGS ?=
ENGINE ?=
FUZZTIME ?= 10s
SOAK ?= 10m
KILLS ?= 20
STORE ?= 5s
HISTORY ?= 10000000
CHAOS ?= 5m
CLIENTS ?= 300
RESTARTS ?= 50
OLD ?=
MIXED ?= 10s

# Everything but the race detector does without C, so what is tested is what ships.
export CGO_ENABLED := 0

# -X sets the variable that each program prints as its version.
version_of = -X $(MODULE)/app/$(1).Version=$(VERSION)

##@ Run

.PHONY: run
run: ## start a node with embedded defaults (ARGS="-conf configs/hermod.yaml" to pass flags)
	@# Not by go run, of which a node that Ctrl-C ended well is an error of make.
	go build -ldflags '$(call version_of,hermod)' -o bin/run/hermod ./app/hermod/cmd/hermod
	@exec bin/run/hermod $(ARGS)

.PHONY: demo
demo: ## watch a node, a business service and a client talk; it ends by itself (ARGS=-logs to see their logs)
	go run ./docs/examples/demo $(ARGS)

.PHONY: build
build: ## build bin/hermod, bin/hermodctl and bin/upstream, the sample business service, static
	go build -trimpath -ldflags '-s -w $(call version_of,hermod)' -o bin/hermod ./app/hermod/cmd/hermod
	go build -trimpath -ldflags '-s -w $(call version_of,hermodctl)' -o bin/hermodctl ./app/hermodctl/cmd/hermodctl
	go build -trimpath -ldflags '-s -w $(call version_of,upstream)' -o bin/upstream ./app/upstream/cmd/upstream

.PHONY: image
image: ## build the container image (APP=hermod, hermodctl or upstream)
	docker build --build-arg APP=$(APP) --build-arg VERSION=$(VERSION) -t $(APP):$(VERSION) .

.PHONY: compose
compose: ## start a node with Nacos, Prometheus and Grafana in containers
	VERSION=$(VERSION) docker compose -f deploy/compose/compose.yaml up --build

.PHONY: compose-cluster
compose-cluster: ## start three nodes with PostgreSQL and a balancer in containers (ENGINE=nats or redis has one beside them)
	VERSION=$(VERSION) docker compose -f deploy/compose/cluster.yaml $(if $(ENGINE),-f deploy/compose/cluster.$(ENGINE).yaml) up --build

##@ Test

.PHONY: test
test: ## run all tests with nothing but Go
	go test -shuffle=on ./...
	cd test/outside && go test -shuffle=on ./...

.PHONY: race
race: registries ## run all tests under the race detector, with real registries, databases and brokers (needs a C compiler and the servers)
	HERMOD_TEST_REGISTRIES=1 HERMOD_TEST_NODEJS=1 HERMOD_TEST_DATABASES=1 HERMOD_TEST_BROKERS=1 HERMOD_TEST_ROUNDS=50 CGO_ENABLED=1 go test -race -shuffle=on -timeout 40m ./...
	cd test/outside && CGO_ENABLED=1 go test -race -shuffle=on ./...
	# What nacos-sdk-go's own races forbid above:
	HERMOD_TEST_REGISTRIES=1 go test -run '/^nacos$$' ./internal/registry ./internal/conf/centre ./app/hermodctl/doctor
	HERMOD_TEST_REGISTRIES=1 go test -run '^Test(Registr|Outages|Close|Killed|Contexts|TLS|Nacos)/^nacos$$' ./sdk/discovery
	HERMOD_TEST_REGISTRIES=1 go test -run '^TestNacos' ./sdk/client
	HERMOD_TEST_REGISTRIES=1 go test -run '^Test(FoundByKratos|FoundBySDK|KilledNodeDisappears|DrainingNodeIsNotListed|NodeWithoutItsRegistry)$$/^nacos$$|^TestFoundWithoutKratos$$' ./test/e2e

.PHONY: registries
registries: ## build the registries that tests run against, once (takes minutes)
	HERMOD_TEST_REGISTRIES=1 go test -count=1 -timeout 40m -run '^TestBuild$$' ./test/registries

.PHONY: soak
soak: ## soak a node for SOAK (10m): broken networks, 10,000 connections, 1,000 clients that do not read
	HERMOD_TEST_SOAK=$(SOAK) go test -count=1 -timeout 12h -v -run '^Test(Soak|ConnectionsLeaveNothing|StalledClients)$$' ./test/e2e

.PHONY: soak-minute
soak-minute: ## the same for a minute, which is what a change must pass
	@$(MAKE) --no-print-directory soak SOAK=1m

.PHONY: fuzz
fuzz: ## run every fuzz target for FUZZTIME (10s)
	@.ci/fuzz $(FUZZTIME)

.PHONY: push-soak
push-soak: ## push to 1,000 sessions that come, go and move, for SOAK (5m)
	HERMOD_TEST_PUSH_SOAK=$(SOAK) go test -count=1 -v -timeout 60m -run '^TestA8PushSoak$$' ./test/e2e

.PHONY: endure
endure: ## kill nodes and databases KILLS times (20) for each database, and have two nodes write to one for a minute
	HERMOD_TEST_DATABASES=1 HERMOD_TEST_KILLS=$(KILLS) go test -count=1 -v -timeout 60m -parallel 1 -run '^(TestA1DurableAckSurvivesKill.*|TestWebhooksSurviveKills)$$' ./test/e2e
	HERMOD_TEST_DATABASES=1 HERMOD_TEST_NODES=1m go test -count=1 -v -timeout 60m -parallel 1 -run '^TestTwoNodesOnOneDatabase$$' ./internal/data

.PHONY: endure-cluster
endure-cluster: ## three nodes on NATS, and on Redis: CLIENTS (300) while nodes are killed and links cut for CHAOS (5m), then RESTARTS (50)
	HERMOD_TEST_DATABASES=1 HERMOD_TEST_BROKERS=1 HERMOD_TEST_CHAOS=$(CHAOS) HERMOD_TEST_CHAOS_CLIENTS=$(CLIENTS) \
	  go test -count=1 -v -timeout 4h -run '^TestA1A8ThreeNodesUnderChaos$$' ./test/cluster
	HERMOD_TEST_DATABASES=1 HERMOD_TEST_BROKERS=1 HERMOD_TEST_ROLLING=$(RESTARTS) HERMOD_TEST_CHAOS_CLIENTS=$(CLIENTS) \
	  go test -count=1 -v -timeout 4h -run '^TestRollingRestarts$$' ./test/cluster

.PHONY: upgrade-check
upgrade-check: ## replace nodes of an older version one after another under load, each mix of versions for MIXED (10s) (OLD=bin/hermod-old, its hermod)
	@[[ -x "$(OLD)" ]] || { echo "OLD=$(OLD) is no program. To build the one of a tag or commit:"; \
	  echo "  git worktree add /tmp/hermod-old TAG && (cd /tmp/hermod-old && go build -o $(CURDIR)/bin/hermod-old ./app/hermod/cmd/hermod)"; exit 1; }
	HERMOD_TEST_DATABASES=1 HERMOD_TEST_BROKERS=1 HERMOD_TEST_OLD="$(abspath $(OLD))" HERMOD_TEST_UPGRADE=$(MIXED) \
	  go test -count=1 -v -timeout 1h -run '^Test(RollingUpgrade|RoomSpansVersions|EventsSpanVersions|PushReachesOtherVersion|SessionsMoveBetweenVersions)$$' ./test/cluster

.PHONY: bench
bench: ## run the benchmarks behind docs/performance.md (ARGS="-h" lists them)
	go run ./test/bench $(ARGS)

.PHONY: bench-store
bench-store: ## measure how fast each database stores, for STORE (5s) each time (needs PostgreSQL and MariaDB)
	HERMOD_BENCH_STORE=$(STORE) HERMOD_TEST_DATABASES=1 go test -count=1 -timeout 2h -v -run '^TestThroughput$$' ./test/bench/store

.PHONY: bench-cluster
bench-cluster: ## measure what three nodes cost beside one, and how long a message takes, on NATS and on Redis, for STORE (5s) each time (needs PostgreSQL and Redis)
	HERMOD_BENCH_CLUSTER=$(STORE) HERMOD_TEST_DATABASES=1 HERMOD_TEST_BROKERS=1 go test -count=1 -timeout 1h -v -run '^Test(Cost|Delay)$$' ./test/bench/cluster

.PHONY: bench-storm
bench-storm: ## have a node follow 10,000 rooms and 100,000 users at once, and again after an outage of NATS, and of Redis
	HERMOD_TEST_BROKERS=1 go test -count=1 -p 1 -v -run '^TestStorm$$' ./internal/realtime/broker/natsbroker ./internal/realtime/broker/redisbroker

.PHONY: bench-history
bench-history: ## measure reading from a SQLite file of HISTORY (10000000) messages (needs 4 GB of disk, in TMPDIR)
	HERMOD_BENCH_HISTORY=$(HISTORY) go test -count=1 -timeout 2h -v -run '^TestHistory$$' ./test/bench/store

##@ Check

.PHONY: check
check: fmt-check tidy-check vet lint wires generate-check deploy-check race soak-minute ## everything that is required of a change beyond `make test`

.PHONY: deploy-check
deploy-check: ## check Dockerfile, chart, compose files and dashboards (needs Linux, root, CA certificates and HAProxy; no cluster, no engine)
	cd test/deploy && go test -count=1 -vet=off -shuffle=on ./...

.PHONY: lint
lint: ## run golangci-lint
	$(TOOL) golangci-lint run

.PHONY: vet
vet: ## run go vet
	go vet ./...
	cd test/outside && go vet ./...

.PHONY: fmt-check
fmt-check: ## list files that gofmt would change
	@unformatted=$$(gofmt -l .); [[ -z $$unformatted ]] || { echo "not as gofmt has it (make fmt):"; echo "$$unformatted"; exit 1; }

.PHONY: tidy-check
tidy-check: ## compare go.mod and go.sum of every module with what go mod tidy writes
	@for module in . $(MODULES); do (cd "$$module" && go mod tidy -diff); done

.PHONY: wires
wires: ## check the .proto files and compare them with the published wires, and with what released nodes say to each other
	$(TOOL) buf format --diff --exit-code
	$(TOOL) buf lint
	$(TOOL) buf breaking api --against third_party/wires
	$(TOOL) buf build --path internal/protocol/wire -o - | $(TOOL) buf breaking - --against internal/protocol/released
	third_party/wires/prove.sh

.PHONY: generate-check
generate-check: ## compare generated files with what make generate writes
	@.ci/generated

##@ Change

.PHONY: generate proto
generate: ## regenerate protobuf, gRPC and wire code, and the reference of plugins
	$(TOOL) buf generate
	$(TOOL) wire gen ./app/hermod
	mkdir -p docs/reference
	cd tools && go run ./reference ../plugin=$(MODULE)/plugin ../docs/reference/plugin.md
	cd tools && go run ./reference ../plugin/plugintest=$(MODULE)/plugin/plugintest ../docs/reference/plugintest.md
	cd tools && go run ./reference ../plugin/nodetest=$(MODULE)/plugin/nodetest ../docs/reference/nodetest.md
proto: generate ## the same

.PHONY: fmt
fmt: ## format Go and .proto files
	gofmt -w .
	$(TOOL) buf format -w

.PHONY: clean
clean: ## remove built files; data/ stays
	rm -rf bin dist coverage.out

.PHONY: help
help:
	@awk 'BEGIN { FS = ":.*## " } \
	  /^##@ / { printf "\n%s\n", substr($$0, 5) } \
	  /^[a-z-]+:.*## / { sub(/:.*/, "", $$1); printf "  make %-15s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))
