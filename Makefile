# Blackthorn's developer commands. `make demo` and `make test` set everything up by themselves.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
LOCK := --universal --python-version 3.11 --generate-hashes --no-annotate --no-header --no-emit-index-url
BIN := $(VENV)/bin
READY := $(VENV)/.ready
PEERS_FILES := $(addprefix tests/interop/,peers/requirements.txt peers/package-lock.json ledger/requirements.txt)
PEERS_READY := .peers/.ready

# `make check` runs these but for what is marked thorough, and one real server.
CHECKED := $(addprefix tests/,contracts docs properties scenarios unit)
SMOKE := tests/faults/test_server_cli.py
# Processes that tests start import the program: without its compiled form, for seconds each.
unexport PYTHONDONTWRITEBYTECODE
PYTEST := $(BIN)/python -m pytest --numprocesses auto --dist loadfile

.PHONY: demo demo-mail story simulate check test test-long lint abuse bench vectors peers faketime web-peers interop clean lock docs fuzz fuzz-link

demo: $(READY)
	@$(BIN)/blackthorn demo

demo-mail: $(READY)
	@$(BIN)/blackthorn demo --mail

story: $(READY)
	@$(BIN)/blackthorn story

# Years of a server and its devices, on a virtual clock.
SEEDS ?= 10
DAYS ?= 30
simulate: $(READY)
	@$(BIN)/blackthorn simulate --seeds $(SEEDS) --days $(DAYS)

check: $(READY) lint
	@$(PYTEST) -m "not thorough" $(CHECKED) $(SMOKE)

test: $(READY) vectors peers faketime web-peers lint
	@$(PYTEST)

test-long: $(READY) vectors peers faketime web-peers lint
	@$(PYTEST) --long

lint: $(READY)
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check -q .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

# Attacks on a real server's time and space, on a machine where nothing else runs.
abuse: $(READY)
	@BLACKTHORN_ABUSE_ALONE=1 $(BIN)/python -m pytest -n0 tests/abuse

bench: $(READY)
	@$(BIN)/python -m bench

vectors: $(READY)
	@$(BIN)/python tools/vectors.py

peers: $(PEERS_READY)

faketime:
	@tools/install-faketime.sh

# Debian's Pebble and Chromium.
web-peers:
	@tools/install-web-peers.sh

interop: $(READY) peers web-peers
	@$(BIN)/python -m pytest tests/interop

docs: $(READY)
	@$(BIN)/python -m tools.generate_docs

# RUNS inputs for MLS, in slices whose seeds are printed.
RUNS ?= 1000000
fuzz: $(READY)
	@$(BIN)/python -m tools.fuzz_mls --runs $(RUNS)

# The same for the link before a device is known.
SECONDS ?= 600
fuzz-link: $(READY)
	@$(BIN)/python -m tools.fuzz_link --seconds $(SECONDS)

# The environment: locked, with hashes. Debian splits venv from python3; root may add it.
$(READY): requirements-dev.txt pyproject.toml
	@echo "Building $(VENV) with all dependencies, once: a few minutes."
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || tools/install-venv.sh
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/pip install -q --disable-pip-version-check --require-hashes -r requirements-dev.txt
	@$(BIN)/pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

# Other people's MLS, locked with hashes, for tests/interop and the benchmark only.
$(PEERS_READY): $(PEERS_FILES) tools/install-peers.sh
	@PYTHON=$(PYTHON) tools/install-peers.sh
	@touch $@

lock: $(READY)
	@$(BIN)/uv pip compile -q $(LOCK) pyproject.toml -o requirements.txt
	@$(BIN)/uv pip compile -q $(LOCK) --extra dev pyproject.toml -o requirements-dev.txt

clean:
	rm -rf $(VENV) .peers tests/interop/peers/node_modules build dist src/*.egg-info .pytest_cache .mypy_cache .ruff_cache
