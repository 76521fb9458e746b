# `make help` lists what there is. Every target makes what it needs first.

PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	command -v $$p >/dev/null 2>&1 && $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

.DEFAULT_GOAL := help
.PHONY: help run test lint format test-services fuzz fuzz-guided bench bench-coediting openapi docs golden lock migration clean

help: ## List the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-15s %s\n", $$1, $$2}'

run: $(VENV)/.run ## Serve the API and the local grid on this machine until Ctrl-C
	@exec $(BIN)/scaiflow dev

test: $(VENV)/.dev ## Run the tests; needs no server
	$(BIN)/python -m pytest

lint: $(VENV)/.dev ## Check format, style, types and the direction of imports
	$(BIN)/ruff format --check .
	$(BIN)/ruff check --no-cache .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/.dev ## Format the code and mend what can be mended
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

test-services: $(VENV)/.dev ## Run the tests of storage, SQL and the API against real servers
	$(BIN)/python -m pytest -m services -n 0
	$(BIN)/python -m pytest tests/db tests/api --database postgres
	$(BIN)/python -m pytest tests/db tests/api --database mariadb

fuzz: $(VENV)/.dev ## Draw 20,000 flows, broken documents and manifests (hours)
	HYPOTHESIS_PROFILE=fuzz $(BIN)/python -m pytest tests/compiler/test_compiler_semantics.py \
		tests/localgrid/test_localgrid_agrees_with_the_graph.py \
		tests/localgrid/test_localgrid_resume_agrees_with_the_graph.py tests/compiler/test_compiler_hostile.py \
		tests/compiler/test_compiler_hostile_shapes.py

fuzz-guided: $(VENV)/.fuzz ## Look for inputs that break the compiler, led by coverage: make fuzz-guided seconds=600
	@mkdir -p .fuzz/corpus
	cd tests && ../$(BIN)/python -m compiler.fuzz_compiler ../.fuzz/corpus -max_total_time=$(or $(seconds),600)

bench: $(VENV)/.bench ## Measure, as ratios to a peer or a floor in the same run
	$(BIN)/python -m benchmarks.compiler
	$(BIN)/python -m benchmarks
	$(BIN)/python -m benchmarks.directory
	$(BIN)/python -m benchmarks.tokens
	$(BIN)/python -m benchmarks.testruns
	$(BIN)/python -m benchmarks.proxies
	$(BIN)/python -m benchmarks.coediting

bench-coediting: $(VENV)/.bench ## Compare editing together with other servers, which npm fetches
	$(BIN)/python -m benchmarks.coediting

openapi: $(VENV)/.run ## Print the OpenAPI document
	@$(BIN)/scaiflow openapi

docs: $(VENV)/.dev ## Write the generated pages of docs/, .env.example and the schema of flows
	$(BIN)/python docs/generate.py

golden: $(VENV)/.dev ## Rewrite the compiler's golden files; review the difference like code
	UPDATE_GOLDEN=1 $(BIN)/python -m pytest -q -n 0 tests/compiler

lock: $(VENV)/.dev ## Pin what requirements*.in ask for, with hashes and without a host (needs uv)
	uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header requirements.in -o requirements.txt
	uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header requirements-dev.in -c requirements.txt -o requirements-dev.txt
	uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header requirements-fuzz.in -o requirements-fuzz.txt
	uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header requirements-bench.in -o requirements-bench.txt

migration: $(VENV)/.dev ## Write a migration: make migration m="what changes"
	$(BIN)/python -c 'import sys; from scaiflow_api.db.schema import new_revision, upgrade; url = "sqlite+aiosqlite:///./.scaiflow/migration.db"; upgrade(url); new_revision(url, sys.argv[1])' "$(m)"

clean: ## Remove the environment and the caches; your data in .scaiflow stays
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis .fuzz

# The environment, made anew when a pin changes.
$(VENV)/.made:
	@test -n "$(PYTHON)" || { echo "ScaiFlow needs Python 3.11 or newer; none was found on the path." >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "ScaiFlow needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) --version 2>&1)." >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) || \
		{ echo "Python cannot make an environment; on Debian: apt-get install python3-venv." >&2; exit 1; }
	@touch $@

$(VENV)/.run: $(VENV)/.made requirements.txt pyproject.toml
	@echo "Installing what the server needs (once)…"
	@$(PIP) install --require-hashes -r requirements.txt
	@$(PIP) install --no-build-isolation --no-deps -e .
	@$(BIN)/python -m compileall -q scaiflow_api  # as in an installed package; Python may be told not to do it
	@touch $@

$(VENV)/.dev: $(VENV)/.run requirements-dev.txt
	@echo "Installing what the tests need (once)…"
	@$(PIP) install --require-hashes -r requirements-dev.txt
	@touch $@

$(VENV)/.bench: $(VENV)/.dev requirements-bench.txt
	@echo "Installing what only the benchmarks need (once)…"
	@$(PIP) install --require-hashes -r requirements-bench.txt
	@touch $@

$(VENV)/.fuzz: $(VENV)/.dev requirements-fuzz.txt
	@echo "Installing the fuzzer (once)…"
	@$(PIP) install --require-hashes -r requirements-fuzz.txt
	@touch $@
