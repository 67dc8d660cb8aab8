# Channeling: every command a developer or operator runs here. `make help` lists them.
.DEFAULT_GOAL := help
PYTHON ?= python3
PORT ?= 8080
VENV := .venv
BIN := $(VENV)/bin

.PHONY: help install run test test-long simulate bench-budget bench-budget-wire bench bench-growth bench-dynamodb bench-peers bench-translate bench-usage costs check format sam build invoke serve-lambda bench-lambda prices lock clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-17s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(VENV)/.run ## Install Channeling into .venv (locked versions and hashes)

$(VENV)/.run: requirements/run.lock pyproject.toml
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(0 if v >= (3, 11) else f"Channeling needs Python 3.11 or newer, and $(PYTHON) is {v[0]}.{v[1]}. Point make at a newer one: make install PYTHON=python3.13")'
	@echo "Installing into $(VENV) (about half a minute, once) ..."
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/run.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.dev: $(VENV)/.run requirements/dev.lock
	@echo "Installing the test tools into $(VENV) (once) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.lock
	@touch $@

run: $(VENV)/.run ## Run Channeling on this machine: make run [PORT=8080]
	@exec $(BIN)/channeling serve --port $(PORT)

test: $(VENV)/.dev ## Run the whole test suite
	@$(BIN)/python -m tests.suites

test-long: $(VENV)/.dev ## Run the larger counts too (minutes)
	@$(BIN)/python -m tests.suites --long

SEEDS ?= 2000
FIRST_SEED ?= 1
simulate: $(VENV)/.run ## Simulate crashes and outages: make simulate [SEEDS=2000 FIRST_SEED=1]
	@$(BIN)/python -m simulation --seeds $(SEEDS) --first-seed $(FIRST_SEED)

bench-budget: $(VENV)/.run ## Show how well each enforcement uses a budget and keeps to it (minutes)
	@$(BIN)/python -m bench.budget_study

WIRE ?=
bench-budget-wire: $(VENV)/.run ## The same over real sockets, other gateways beside it: make bench-budget-wire [WIRE="--users 2"]
	@$(BIN)/python -m bench.wire $(WIRE)

RECORDS ?= 100000
bench-usage: $(VENV)/.dev ## Time the overview of a month on DynamoDB Local: make bench-usage [RECORDS=1000000]
	@$(BIN)/python -m bench.usage_overview --records $(RECORDS)

bench-translate: $(VENV)/.run ## Show what translating for OpenAI adds to a request and to each event (seconds)
	@$(BIN)/python -m bench.translate_bench

BENCH ?=
bench: $(VENV)/.run ## How fast Channeling is, other gateways beside it: make bench [BENCH="--quick"] (minutes)
	@$(BIN)/python -m bench.speed $(BENCH)

bench-growth: $(VENV)/.run ## How cost grows with bodies, events, streams, users, holds: make bench-growth (minutes)
	@$(BIN)/python -m bench.speed.growth $(BENCH)

LATENCY_MS ?= 0
bench-dynamodb: $(VENV)/.run ## Run the benchmark's DynamoDB alone: make bench-dynamodb PORT=8000 [LATENCY_MS=5]
	@exec $(BIN)/python -m bench.dynamodb --port $(PORT) --latency-ms $(LATENCY_MS)

bench-peers: $(VENV)/.run ## Install the other gateways of bench and bench-budget-wire into .tools/peers (1.5 GB)
	@$(BIN)/python -m bench.wire.peers

costs: $(VENV)/.run ## Compute the tables of docs/costs.md from prices and measured figures
	@$(BIN)/python -m bench.costs

check: $(VENV)/.dev ## Lint, types, import direction
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/.dev ## Format the code
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# SAM's own folder comes first on PATH: `sam build` asks for a python3.13, and there is one in it.
SAM := PATH="$(CURDIR)/.tools/sam/bin:$$PATH" SAM_CLI_TELEMETRY=0 AWS_DEFAULT_REGION="$${AWS_DEFAULT_REGION:-us-east-1}" .tools/sam/bin/sam

sam: ## Install the AWS SAM CLI into .tools/sam (needs Python 3.13)
	@$(PYTHON) -m emulator.sam_cli

build: sam ## Check template.yaml and build what `sam deploy` deploys: make build [ARCHITECTURE=x86_64]
	@$(SAM) validate --lint
	@$(SAM) build $(if $(ARCHITECTURE),--parameter-overrides Architecture=$(ARCHITECTURE))
	@.tools/sam/bin/python -m emulator.finish_build .aws-sam/build

invoke: $(VENV)/.run sam ## Let the built function answer the events of events/ here, or one: make invoke [EVENT=events/message_stream.json]
	@$(BIN)/python -m emulator.invoke $(EVENT)

serve-lambda: $(VENV)/.run sam ## Run the built function behind a function URL here: make serve-lambda [PORT=8080]
	@exec $(BIN)/python -m emulator.front --port $(PORT)

LAMBDA ?=
bench-lambda: $(VENV)/.run sam ## Show what the built function costs: start, memory, size, many streams: make bench-lambda [LAMBDA=--imports]
	@$(BIN)/python -m bench.artifact $(LAMBDA)

prices: $(VENV)/.dev ## Make the table of default prices again, from the installed genai-prices
	@$(BIN)/python scripts/bake_prices.py

lock: ## Resolve and lock the dependencies again (needs uv)
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --upgrade pyproject.toml requirements/build.in -o requirements/run.lock
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --upgrade --group dev pyproject.toml requirements/build.in -c requirements/run.lock -o requirements/dev.lock
	uv pip compile --quiet --python-version 3.13 --python-platform aarch64-manylinux_2_28 --generate-hashes --no-header --no-annotate requirements/messages-deps.in -c requirements/run.lock -o layers/messages-deps/requirements.txt
	uv pip compile --quiet --python-version 3.13 --python-platform aarch64-manylinux_2_28 --generate-hashes --no-header --no-annotate requirements/admin-deps.in -c requirements/run.lock -c requirements/dev.lock -o layers/admin-deps/requirements.txt
	uv pip compile --quiet --universal --python-version 3.13 --generate-hashes --no-header --no-annotate requirements/sam.in -o requirements/sam.lock
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate requirements/checkov.in -o requirements/checkov.lock
	uv pip compile --quiet --universal --python-version 3.13 --generate-hashes --no-header --no-annotate requirements/container.in -c requirements/run.lock -o requirements/container.lock

clean: ## Remove what install and build made
	rm -rf $(VENV) .aws-sam .tools
