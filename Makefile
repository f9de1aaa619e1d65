# The first Python that starts and is new enough.
PYTHON ?= $(shell for name in python3 python3.14 python3.13 python3.12 python3.11 python; do \
	"$$name" -c "import sys; sys.exit(sys.version_info < (3, 11))" 2>/dev/null && { echo "$$name"; break; }; done)
ifeq ($(strip $(PYTHON)),)
$(error Scriba needs Python 3.11 or newer. Install it, e.g. `apt-get install python3 python3-venv` or from python.org)
endif

BIN := .venv/bin
NPM := tests/clients/npm

.DEFAULT_GOAL := help
.PHONY: help run setup setup-dev test lint format types pytest bench-gateway lock clean

help: ## List the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1|\2/p' Makefile | while IFS='|' read -r name what; do \
		printf '%-22s %s\n' "$$name" "$$what"; done

run: setup ## Set everything up and start Scriba with a demo organisation (ARGS="--port 3000")
	@$(BIN)/scriba serve --demo $(ARGS)

test: lint types pytest ## Set everything up, then lint, types and every test

setup: ## Install what Scriba needs into .venv
	@$(PYTHON) scripts/setup.py $(if $(ARGS),-- $(ARGS))

setup-dev: ## Install what the tests need as well
	@$(PYTHON) scripts/setup.py --dev

lint: setup-dev ## Check style, format and the direction of imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports

types: setup-dev ## Check the types
	$(BIN)/mypy

pytest: setup-dev $(NPM)/node_modules ## Run every test (ARGS="tests/unit -k settings")
	$(BIN)/python scripts/browser.py
	$(BIN)/pytest -n 2 $(ARGS)

$(NPM)/node_modules: $(NPM)/package-lock.json | setup-dev
	NODE_USE_SYSTEM_CA=1 $(BIN)/npm ci --prefix $(NPM) --ignore-scripts --no-audit --no-fund --loglevel=error
	@touch $@

format: setup-dev ## Format the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench-gateway: setup-dev ## Measure the gateway beside a plain upstream and nginx
	$(BIN)/python bench/gateway.py $(ARGS)

lock: ## Write both lock files anew, with the newest versions that pyproject.toml allows (needs uv)
	uv pip compile pyproject.toml --extra postgres $(LOCK) -o requirements.lock
	uv pip compile pyproject.toml --extra postgres --group test --group lint -c requirements.lock $(LOCK) \
		-o requirements-dev.lock

clean: ## Remove the environment and all caches; data stays
	rm -rf .venv $(NPM)/node_modules dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find src tests bench scripts -name __pycache__ -prune -exec rm -rf {} +

LOCK := --upgrade --universal --generate-hashes --no-header --no-annotate --python-version 3.11 --quiet
