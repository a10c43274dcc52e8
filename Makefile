# Every target is a thin call into go or bin/steamer. "make help" lists them.

TOPOLOGY ?= all
PROFILE  ?= smoke
TIER     ?= 12
# A GitLab of SIZE users (1k to 50k) of whose jobs the share ADOPTION fetches secrets, instead of TIER.
SIZE     ?=
ADOPTION ?= 0.2
# Further flags of steamer run and steamer test, e.g. ARGS="--chart ./my-chart.tgz --keep".
ARGS     ?=

BIN     := $(CURDIR)/bin
STEAMER := $(BIN)/steamer
LOAD    := $(if $(SIZE),--size $(SIZE) --adoption $(ADOPTION),--tier $(TIER))
BEAT    := $(CURDIR)/hack/beat.sh
TOOLS   := -modfile=$(CURDIR)/hack/tools/go.mod
# The modules of this repository that hold Go code with tests.
MODULES := . perf harness/images/gitlab-stub
export PATH := $(BIN):$(PATH)
# With the flags of the images' programs, a package is compiled once for steamer, tests, linters and images. Stack traces stay; a
# debugger needs a build by hand.
export GOFLAGS := $(shell go env GOFLAGS) $(filter-out $(shell go env GOFLAGS),-trimpath -gcflags=all=-dwarf=false)
export CGO_ENABLED ?= 0

.DEFAULT_GOAL := help

## Main job

.PHONY: perf
perf: $(STEAMER) ## Install, check, load and judge the chart; installs what the machine lacks. TOPOLOGY, PROFILE, TIER or SIZE and ADOPTION, ARGS
	$(STEAMER) setup
	$(STEAMER) run --topology $(TOPOLOGY) --profile $(PROFILE) $(LOAD) $(ARGS)

.PHONY: e2e
e2e: $(STEAMER) ## Run the scenarios on kind, without load. TOPOLOGY, ARGS
	$(STEAMER) setup
	$(STEAMER) test --topology $(TOPOLOGY) $(ARGS)

.PHONY: mutants
mutants: $(STEAMER) ## Break the chart, the recipes and the configuration on purpose and see which scenarios and checks notice; an hour. ARGS
	$(STEAMER) setup
	$(STEAMER) mutants $(or $(ARGS),--json scenarios/mutants/record.json)
	go generate ./scenarios

.PHONY: gate
gate: $(STEAMER) ## Decide whether the chart may be released: checks, the whole suite, load, comparison with the previous release, mutants. PROFILE, TIER or SIZE and ADOPTION, ARGS
	$(STEAMER) setup
	$(STEAMER) gate --topology $(TOPOLOGY) --profile $(PROFILE) $(LOAD) $(ARGS)

## Tests

# Backwards, since the longest test of all is that of the last package, and would run alone.
.PHONY: test
test: $(STEAMER) lint charts-check helm ## Lint, static chart checks, unit, chart and integration tests on real OpenBao and PostgreSQL processes; no cluster
	$(STEAMER) setup --tests
	bao="$$($(STEAMER) images build bao)" && export STEAMER_BAO="$$bao" && \
	for module in $(MODULES); do \
		(cd $$module && echo "go test: $$module" && all="$$(go list ./...)" && $(BEAT) test $$(echo "$$all" | tac)) || exit 1; done

.PHONY: test-faults
test-faults: $(STEAMER) ## Twenty faults on OpenBao and PostgreSQL processes under load, and the judgement of the history; two minutes. ARGS
	$(STEAMER) setup --tests
	$(STEAMER) faults replay .ci/faults.json --output-dir $(BIN)/faults $(ARGS)

.PHONY: charts-check
charts-check: $(STEAMER) ## Static checks of the three charts; other charts: bin/steamer charts check CHART
	for chart in openbao postgresql gitlab-stub; do $(STEAMER) charts check charts/$$chart --format junit --output $(BIN)/charts-check-$$chart.xml \
		|| { $(STEAMER) charts check charts/$$chart; exit 1; }; echo "charts check: $$chart is clean"; done

.PHONY: test-race
test-race: $(STEAMER) helm ## The tests under the race detector, with their coverage (needs a C compiler)
	$(STEAMER) setup --tests
	bao="$$($(STEAMER) images build bao)" && export STEAMER_BAO="$$bao" && CGO_ENABLED=1 hack/race.sh $(MODULES)

CLUSTER ?= steamer
.PHONY: test-install
test-install: $(STEAMER) helm ## Install charts/openbao by Helm, as a sub-chart and as GitOps does, upgrade it and roll it back, on a kept cluster, with terratest. First: bin/steamer cluster up --name steamer. CLUSTER
	$(STEAMER) images build openbao postgresql gitlab-stub
	$(STEAMER) cluster exec --name $(CLUSTER) -- go test -tags kind -run '^TestInstall' -count=1 -timeout 30m -v ./charts

.PHONY: test-browser
test-browser: ## The report in a headless Chromium (needs Chromium)
	go test -tags browser ./harness/report/...

.PHONY: lint
lint: tools ## gofumpt, go vet, staticcheck, golangci-lint, sizes of files and comments, shell syntax
	hack/lint.sh $(MODULES)

.PHONY: exported
exported: ## Exported names that no other package uses
	go run ./hack/exported

.PHONY: generate
generate: ## Write again what is generated from code: docs/reference, docs/scenarios.md and the chart's README
	go generate ./scenarios ./hack/reference ./charts

.PHONY: ci-lint
ci-lint: ## Read .gitlab-ci.yml with gitlab-ci-local and list the jobs of each occasion (needs Node.js 20 and npm)
	cd hack/ci && npm ci --ignore-scripts --no-audit --no-fund
	node hack/ci/lint.mjs

JOBS ?= lint generated charts
.PHONY: ci-jobs
ci-jobs: ## Run jobs of the pipeline that need no container, as in a merge request, with gitlab-ci-local (needs Node.js 20, npm and rsync). JOBS
	cd hack/ci && npm ci --ignore-scripts --no-audit --no-fund
	hack/ci/run.sh $(JOBS)

.PHONY: vulncheck
vulncheck: ## Known vulnerabilities that the code calls. VULNDB=module takes the database from the Go proxy where its own site is out of reach
	hack/vulncheck.sh $(MODULES)

.PHONY: xk6
xk6: ## Prove that xk6 builds k6 with the extension
	@$(BEAT) build $(BIN)/xk6 go.k6.io/xk6 $(TOOLS)
	cd perf && $(BIN)/xk6 build v2.1.0 --with gitlab.com/steamer/steamer/perf=. --output $(BIN)/k6-xk6
	$(BIN)/k6-xk6 version

.PHONY: xk6-lint
xk6-lint: ## What k6's own linter says of the extension, at its strictest preset for third parties; see perf/README.md
	@$(BEAT) build $(BIN)/xk6 go.k6.io/xk6 $(TOOLS)
	cd hack/tools/gosec && go build -o $(BIN)/gosec github.com/securego/gosec/v2/cmd/gosec
	cd perf && $(BIN)/xk6 lint --preset strict --disable git,versions,vulnerability

## Benchmarks

.PHONY: bench
bench: $(STEAMER) ## Client CPU per fetch against plain k6 JavaScript, alternating; then the times of the runs in runs/
	bao="$$($(STEAMER) images build bao)" k6="$$($(STEAMER) images build k6)" && \
	(cd perf && STEAMER_BAO="$$bao" go run ./bench -k6 "$$k6" -at-least 1.5 -max-rss 300)
	@if ls runs/*/result.json >/dev/null 2>&1; then go run ./hack/timings runs/*/result.json; fi

.PHONY: bench-memory
bench-memory: $(STEAMER) ## k6's memory over 20 minutes at 500 fetches/s: at most 300 MiB, within 5 % from the second minute on
	bao="$$($(STEAMER) images build bao)" k6="$$($(STEAMER) images build k6)" && \
	cd perf && STEAMER_BAO="$$bao" go run ./bench -k6 "$$k6" -rounds 0 -steady 20m -rate 500 -max-rss 300 -flat 5 $(ARGS)

.PHONY: bench-generator
bench-generator: $(STEAMER) ## Client CPU per fetch and highest honest rate: our extension, plain k6/http, wrk. ARGS
	$(STEAMER) setup --bench
	bao="$$($(STEAMER) images build bao)" k6="$$($(STEAMER) images build k6)" && \
	cd perf && STEAMER_BAO="$$bao" go run ./bench -k6 "$$k6" -searches 2 -steady 0 $(ARGS)

.PHONY: capacity
capacity: $(STEAMER) ## The highest rate that holds the objectives, and what limits it; OpenBao and PostgreSQL as processes. ARGS
	$(STEAMER) setup --tests
	$(STEAMER) capacity --local $(ARGS)

# How often steamer compare is wrong on this machine: 60 comparisons of OpenBao with itself, 20 each with 10 and 20 % added to the median. By turns, so
# that 10 pairs take 36 s; docs/method.md has the reasons. Interrupted: make calibrate ARGS="--resume runs/calibrate-…".
.PHONY: calibrate
calibrate: $(STEAMER) ## Count false alarms and found regressions of steamer compare on this machine; an hour. ARGS
	$(STEAMER) setup --tests
	$(STEAMER) calibrate --local --turns --recipe two-level-jwt --batch-tokens --reuse-connections --rate 140 --slice 1450ms --warmup 1s --idle 100ms \
		--pairs 10 --interim-every 10 --gate fetch_p50_ms --margin 0 --same 60 --effect 10,20 --each 20 $(ARGS)

.PHONY: sizing
sizing: $(STEAMER) ## How OpenBao grows with tenants, beside GitLab's published numbers; as processes. ARGS
	$(STEAMER) setup --tests
	$(STEAMER) sizing --local $(ARGS)

.PHONY: findings
findings: $(STEAMER) ## Run the experiments and write docs/findings.md; fails if a known effect is not found again; about half an hour. ARGS
	$(STEAMER) setup --tests
	$(STEAMER) findings --markdown docs/findings.md $(ARGS)

## Building

.PHONY: build
build: $(STEAMER) ## Build bin/steamer

.PHONY: $(STEAMER)
$(STEAMER):
	@mkdir -p $(BIN)
	@$(BEAT) build $(STEAMER) ./harness/cmd/steamer -ldflags=-s

.PHONY: helm
helm: ## Build the Helm CLI that terratest needs from the Helm module in go.mod
	@$(BEAT) build $(BIN)/helm helm.sh/helm/v3/cmd/helm

.PHONY: tools
tools: ## Build the linters pinned in hack/tools
	@$(BEAT) build $(BIN)/gofumpt mvdan.cc/gofumpt $(TOOLS)
	@$(BEAT) build $(BIN)/staticcheck honnef.co/go/tools/cmd/staticcheck $(TOOLS)
	@cd hack/tools/golangci && $(BEAT) build $(BIN)/golangci-lint github.com/golangci/golangci-lint/v2/cmd/golangci-lint

.PHONY: images
images: $(STEAMER) ## Build all container images into the cache
	$(STEAMER) setup
	$(STEAMER) images build

.PHONY: openbao
openbao: $(STEAMER) ## Build the OpenBao program and print its path
	@$(STEAMER) images build bao

.PHONY: k6
k6: $(STEAMER) ## Build k6 with the extension and print its path
	@$(STEAMER) images build k6

## Releasing

# Where to push; empty pushes nothing. DRY_RUN=1 makes and pushes nothing at all.
REGISTRY ?=
DRY_RUN  ?=

.PHONY: release
release: $(STEAMER) ## Package charts/openbao reproducibly into dist/, with checksums, provenance and changes. REGISTRY=oci://…, DRY_RUN=1
	$(STEAMER) charts release $(if $(REGISTRY),--registry $(REGISTRY)) $(if $(DRY_RUN),--dry-run)

.PHONY: dist
dist: ## Build the binaries of a release into dist/, with SBOMs (CycloneDX) and checksums
	hack/dist.sh dist

## Housekeeping

.PHONY: doctor
doctor: $(STEAMER) ## Look at what a run depends on
	$(STEAMER) doctor

.PHONY: down
down: $(STEAMER) ## Remove the clusters that this checkout made and no process uses, and stop the private engine when nothing else runs on it
	$(STEAMER) cluster gc --all

.PHONY: clean
clean: ## Remove what was built in this checkout; the caches stay
	rm -rf $(BIN) runs

.PHONY: help
help: ## Show this list
	@awk 'BEGIN {FS = ":.*## "} /^## / {printf "\n%s\n", substr($$0, 4)} /^[a-z0-9-]+:.*## / {printf "  %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
