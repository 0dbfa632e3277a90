# Sightline: every command a user, a developer or a CI needs. `make` alone lists them.
# Each step looks whether its work is done already, so that a second `make run` starts in seconds.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.NOTPARALLEL:

CARGO ?= $(or $(shell command -v cargo),$(wildcard $(HOME)/.cargo/bin/cargo),cargo)
NPM ?= npm
PYTHON ?= python3
BIN := target/release/sightline
# Arguments of the server: make run ARGS="--bind 127.0.0.1:9000"
ARGS ?=
# Weights: where they lie, and a folder that is looked into before any network is.
SIGHTLINE_MODELS ?= $(CURDIR)/models
SIGHTLINE_MODEL_MIRROR ?= $(abspath $(wildcard ../shared/models))
export SIGHTLINE_MODELS SIGHTLINE_MODEL_MIRROR
# Models that only tests use, besides the default ones.
TEST_MODELS := smollm2-135m-instruct whisper-tiny.en

.PHONY: help
help: ## list these targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# ── what a user needs ──

.PHONY: run
run: setup web build models ## set everything up, then serve http://localhost:8080
	@exec $(BIN) serve $(ARGS)

.PHONY: setup
setup: ## install the system packages that are missing (Debian, Ubuntu), check Rust and Node
	@scripts/setup.sh run

.PHONY: build
build: ## build the server
	$(CARGO) build --release --locked

.PHONY: models
models: build ## fetch and verify the default models
	@$(BIN) models pull --defaults

.PHONY: doctor
doctor: build ## say what is missing on this machine
	@$(BIN) doctor

# The page is built again only when one of its sources is newer.
WEB_SOURCES = $(shell [ ! -d web ] || find web -path web/node_modules -prune -o -path web/dist -prune -o -path web/client/dist -prune -o -type f -print)

.PHONY: web
web: web/dist/index.html ## build the page

web/dist/index.html: web/node_modules/.package-lock.json $(WEB_SOURCES)
	cd web && $(NPM) run build && $(NPM) run build:client
	@touch $@

web/node_modules/.package-lock.json: web/package-lock.json
	cd web && $(NPM) ci --no-fund --no-audit
	@touch $@

# ── what a developer and a CI need ──

.PHONY: test
test: setup-test web build test-models test-rust test-web test-browser test-python test-conformance ## set everything up, run every test

.PHONY: setup-test
setup-test:
	@scripts/setup.sh test

.PHONY: test-models
test-models: build
	@$(BIN) models pull --defaults $(TEST_MODELS)

.PHONY: test-rust
test-rust: .venv/.ready tests/browser/node_modules/.package-lock.json ## unit and integration tests in Rust (some drive Python and Chromium)
	$(CARGO) test --release --locked

.PHONY: test-cuda
test-cuda: ## the models on an NVIDIA GPU beside the processor (needs CUDA's compiler; not part of make test)
	$(CARGO) test --release --locked --features cuda --lib a_gpu_says -- --nocapture

.PHONY: test-web
test-web: web/node_modules/.package-lock.json ## unit tests of the page
	cd web && $(NPM) test

.PHONY: test-browser
test-browser: web build tests/browser/node_modules/.package-lock.json ## the page in headless Chromium, against the real server
	cd tests/browser && SIGHTLINE_BIN=$(CURDIR)/$(BIN) $(NPM) test

tests/browser/node_modules/.package-lock.json: tests/browser/package-lock.json
	cd tests/browser && $(NPM) ci --no-fund --no-audit
	@touch $@

.PHONY: test-python
test-python: build .venv/.ready ## independent clients in Python, against the real server
	SIGHTLINE_BIN=$(CURDIR)/$(BIN) .venv/bin/python -m pytest -q tests/python

.PHONY: conformance
conformance: build test-models tests/conformance/.venv/.ready tests/conformance/.venv-beta/.ready tests/conformance/node_modules/.package-lock.json tests/browser/node_modules/.package-lock.json ## stock clients (OpenAI SDKs, LiveKit, Pipecat, aiortc) against the real server: a table
	SIGHTLINE_BIN=$(CURDIR)/$(BIN) tests/conformance/.venv/bin/python tests/conformance/run.py $(CONFORMANCE)

.PHONY: test-conformance
test-conformance: build .venv/.ready tests/conformance/node_modules/.package-lock.json ## its two commonest clients
	SIGHTLINE_BIN=$(CURDIR)/$(BIN) .venv/bin/python tests/conformance/run.py --core

tests/conformance/node_modules/.package-lock.json: tests/conformance/package-lock.json
	cd tests/conformance && $(NPM) ci --no-fund --no-audit
	@touch $@

tests/conformance/.venv/.ready: tests/conformance/requirements.txt
	$(PYTHON) -m venv tests/conformance/.venv
	tests/conformance/.venv/bin/python -m pip install --quiet --disable-pip-version-check -r $<
	@touch $@

tests/conformance/.venv-beta/.ready: tests/conformance/requirements-beta.txt
	$(PYTHON) -m venv tests/conformance/.venv-beta
	tests/conformance/.venv-beta/bin/python -m pip install --quiet --disable-pip-version-check -r $<
	@touch $@

.venv/.ready: tests/python/requirements.txt
	$(PYTHON) -m venv .venv
	.venv/bin/python -m pip install --quiet --disable-pip-version-check -r tests/python/requirements.txt
	@touch $@

.PHONY: schemas
schemas: build ## write schemas/ and web/src/client/wire.gen.ts anew from the types in src/wire
	$(BIN) schemas --out $(CURDIR)

.PHONY: lint
lint: ## formatting, clippy, licences and advisories
	$(CARGO) fmt --check
	$(CARGO) clippy --release --locked --all-targets -- -D warnings
	@if command -v cargo-deny >/dev/null; then $(CARGO) deny --locked check; \
	 else echo "lint: cargo-deny is not installed (cargo install cargo-deny): licences and advisories not checked"; fi

# Seconds for each target.
FUZZ_SECONDS ?= 60
.PHONY: fuzz-smoke
fuzz-smoke: ## what strangers send, with coverage: each target for a minute (FUZZ_SECONDS=600 for longer)
	CARGO=$(CARGO) FUZZ_SECONDS=$(FUZZ_SECONDS) fuzz/smoke.sh

.PHONY: bench
bench: ## micro-benchmarks
	$(CARGO) bench --locked $(addprefix --bench ,assemble watch wire prompt kernels engine memory route)

PEERS ?= llm ingest asr dialogue
.PHONY: bench-peers
bench-peers: build models test-models benches/peers/.venv/.ready tests/browser/node_modules/.package-lock.json ## Sightline beside llama.cpp, aiortc, faster-whisper and Pipecat: same weights, same input, alternating, ratios (PEERS=llm for one row; needs espeak-ng, Chromium for one row, and an idle machine)
	@for row in $(PEERS); do SIGHTLINE_BIN=$(CURDIR)/$(BIN) CANDLE_NUM_THREADS=1 benches/peers/.venv/bin/python -W ignore benches/peers/$$row.py --data $(abspath $(DATA)) || exit 1; done

# gcc before 13 drops the stores of what `_tile_loadconfig` reads, so that llama.cpp's AMX kernels end with SIGILL.
NO_AMX = $(shell grep -qs amx_tile /proc/cpuinfo && cc -dumpversion | awk -F. '$$1 < 13 { f = "-mno-amx-tile -mno-amx-int8 -mno-amx-bf16"; print "-DCMAKE_C_FLAGS=\047" f "\047 -DCMAKE_CXX_FLAGS=\047" f "\047" }')

benches/peers/.venv/.ready: benches/peers/requirements.txt
	$(PYTHON) -m venv benches/peers/.venv
	CMAKE_ARGS="-DGGML_NATIVE=ON $(NO_AMX)" benches/peers/.venv/bin/python -m pip install --quiet --disable-pip-version-check -r $<
	@touch $@

# What a machine carries, and what sessions cost each other. Each wants an idle machine and espeak-ng.
LOAD = SIGHTLINE_BIN=$(CURDIR)/$(BIN) .venv/bin/python benches/load

.PHONY: bench-neighbours
bench-neighbours: build models .venv/.ready ## from a question to its first word, alone and beside sessions that flood, reconnect, or come new (LOADED="--rounds 3" for less)
	$(LOAD)/neighbours.py --data $(abspath $(DATA)) $(LOADED)

.PHONY: bench-scaling
bench-scaling: build models .venv/.ready ## 1, 2, 4, 8 calls with camera and microphone: latency by stage, processor, memory, refusals (LOADED="--admission measured" for one row)
	$(LOAD)/scaling.py --data $(abspath $(DATA)) $(LOADED)

.PHONY: bench-gates
bench-gates: models ## looks that the gates of watch.gates save on a typical call, and what that costs, beside looks at random (needs photographs: DATA=folder; LOADED="--without --clips" for more)
	CANDLE_NUM_THREADS=1 $(CARGO) bench --locked --bench gates -- --data $(abspath $(DATA)) $(LOADED)

.PHONY: bench-hour
bench-hour: models ## time to the first token in the second minute of watching and after an hour, in virtual time
	CANDLE_NUM_THREADS=1 $(CARGO) bench --locked --bench hour -- $(LOADED)

.PHONY: voice
voice: ## what our recognisers understand of the voice, and how fast it speaks (`sightline models pull kokoro-82m` first)
	$(CARGO) test --release --locked --lib voice::tests -- --nocapture --test-threads=1

.PHONY: bench-e2e
bench-e2e: web build models tests/browser/node_modules/.package-lock.json ## p50 and p95 per stage over spoken turns in Chromium
	cd tests/browser && SIGHTLINE_BIN=$(CURDIR)/$(BIN) $(NPM) run bench

.PHONY: soak
soak: web build models tests/browser/node_modules/.package-lock.json ## ten minutes of one conversation, its memory minute by minute
	cd tests/browser && SIGHTLINE_BIN=$(CURDIR)/$(BIN) node bench.mjs --turns 60 --gap 10 --watch 60

.PHONY: soak-memory
soak-memory: ## eight hours through the memory in virtual time: bytes per tier, cost of insert and recall
	$(CARGO) bench --locked --bench soak_memory

.PHONY: needle
needle: models setup-test ## a generated day, asked about at ages of ten seconds to an hour: recall with and without memory (NEEDLE="--seed 2" draws another)
	CANDLE_NUM_THREADS=1 $(CARGO) bench --locked --bench needle -- --data $(abspath $(DATA)) --svg $(CURDIR)/target/needle.svg $(NEEDLE)

.PHONY: interruptions
interruptions: models ## what is said, coughed, played and broadcast into an answer, and whether it stops (needs espeak-ng)
	CANDLE_NUM_THREADS=1 $(CARGO) bench --locked --bench interruptions

TURN_VOICE ?= kokoro-82m
.PHONY: turn-taking
turn-taking: models ## when a turn is taken to be over, by what was said, beside 500 ms of silence; then interruptions (needs espeak-ng; gets a neural voice for every second dialogue unless TURN_VOICE is empty)
	$(if $(TURN_VOICE),$(BIN) models pull $(TURN_VOICE))
	CANDLE_NUM_THREADS=1 $(CARGO) bench --locked --bench turn_taking -- --data $(abspath $(DATA)) $(TURNS)
	CANDLE_NUM_THREADS=1 $(CARGO) bench --locked --bench interruptions

.PHONY: answer-ahead
answer-ahead: build .venv/.ready ## from the last word of a question to the first of its answer, with and without answers begun ahead (needs espeak-ng)
	SIGHTLINE_BIN=$(CURDIR)/$(BIN) .venv/bin/python tests/python/measure_ahead.py $(ROUNDS)

.PHONY: wer
wer: models test-models ## words that the recognisers get wrong on recorded human speech
	CANDLE_NUM_THREADS=1 $(CARGO) bench --locked --bench wer -- --data $(abspath $(DATA)) $(WER)

# A folder with photographs and what people say about them (captions.jsonl); not part of the repository.
PICTURES ?= $(wildcard ../shared/data/scenes)
# The folder with pictures/labels.tsv, scenes/ and video/ that `make needle` builds its day from.
DATA ?= ../shared/data
.PHONY: pictures
pictures: web build models tests/browser/node_modules/.package-lock.json ## ten photographs shown to the page, asked about aloud
	cd tests/browser && SIGHTLINE_BIN=$(CURDIR)/$(BIN) node pictures.mjs --folder $(abspath $(PICTURES)) --count 10

.PHONY: clean
clean: ## remove what was built; weights stay
	$(CARGO) clean
	rm -rf fuzz/target fuzz/artifacts web/dist web/client/dist web/node_modules tests/browser/node_modules tests/conformance/node_modules tests/conformance/.venv tests/conformance/.venv-beta benches/peers/.venv tests/artifacts .venv .setup
