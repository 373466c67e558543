# Datong's commands. `make` alone lists them. Everything is installed into .venv and from locks; state lives in DATONG_HOME.

SHELL := /bin/bash
PYTHON ?= python3
PORT ?= 8600
SERVE ?= 1
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet --no-input
export PYTHONDONTWRITEBYTECODE ?= 1

.DEFAULT_GOAL := help
.PHONY: help demo test test-all check fmt bench docs lock dev clean

help: ## Show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 18

# What must be there, made once -----------------------------------------------------------------------------------------

$(BIN)/python:
	@tools/need_venv.sh $(PYTHON) $(VENV)

$(VENV)/.core: $(BIN)/python requirements/core.txt requirements/build.txt pyproject.toml
	@echo "installing Datong and what it stands on"
	@$(PIP) install --require-hashes -r requirements/build.txt -r requirements/core.txt
	@$(PIP) install --no-deps --no-build-isolation --no-index -e .
	@touch $@

$(VENV)/.dev: $(VENV)/.core requirements/dev.txt
	@echo "installing the tools that check it"
	@$(PIP) install --require-hashes -r requirements/dev.txt
	@touch $@

$(VENV)/.assets: $(VENV)/.core package.json package-lock.json tools/build_assets.py $(shell find src -path '*/templates/*' -name '*.html' -newer $(VENV)/.assets 2>/dev/null)
	@tools/need_node.sh $(BIN) requirements/node.txt
	@echo "preparing the pages' styles and scripts"
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python tools/build_assets.py
	@touch $@

dev: $(VENV)/.dev $(VENV)/.assets ## Install everything a developer needs
	@tools/need_debian.sh

# The two commands -------------------------------------------------------------------------------------------------------

demo: $(VENV)/.core $(VENV)/.assets ## Build the demonstration city, run the main job end to end, serve the portal (SERVE=0: do not serve)
	@DATONG_PORT=$(PORT) $(BIN)/datong demo $(if $(filter 0,$(SERVE)),--no-serve,)

test: dev check ## Check and test everything that fits in 15 minutes
	@$(BIN)/python -m pytest -n 2 --dist loadgroup -m "not slow" --ignore=tests/laws $(PYTEST_ARGS)

test-all: dev check ## The same, with the slow tests
	@tools/need_spark.sh $(BIN)/python
	@PATH="$(CURDIR)/acceptance/spark/.venv/bin:$$PATH" $(BIN)/python -m pytest -n 2 --dist loadgroup --ignore=tests/laws $(PYTEST_ARGS)

# Smaller pieces -----------------------------------------------------------------------------------------------------------

check: $(VENV)/.dev ## Lint, types, storeys, laws
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --cache-dir .import_linter_cache
	@$(BIN)/python -m pytest tests/laws

fmt: $(VENV)/.dev ## Format and sort
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

bench: $(VENV)/.dev ## Measure (NAME=verify|collect|audit_commit; all without NAME)
	@$(BIN)/python -m bench $(NAME)

docs: $(VENV)/.dev ## Write the generated reference pages
	@$(BIN)/python tools/write_reference.py

lock: $(VENV)/.dev ## Resolve the locks anew
	@for part in build node dev; do $(BIN)/uv pip compile -q --universal --generate-hashes --no-emit-index-url --no-header \
		--python-version 3.11 requirements/$$part.in -o requirements/$$part.txt; done
	@$(BIN)/uv pip compile -q --universal --generate-hashes --no-emit-index-url --no-header \
		--python-version 3.11 pyproject.toml -o requirements/core.txt

clean: ## Remove what make has made here (not DATONG_HOME)
	@rm -rf $(VENV) node_modules .mypy_cache .ruff_cache .pytest_cache .import_linter_cache build dist site src/datong/ui/static/vendor
