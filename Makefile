# Two commands are enough: `make up` shows a district at work, `make test` runs every check.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: help setup servers up test lint types imports unit wheel bench memory lock clean

help: ## say what can be done
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(READY) ## create .venv with everything; .venv/bin/hujiao is the command

$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else f"expected Python 3.11 or newer, found {sys.version.split()[0]}: make PYTHON=python3.12")'
	@$(PYTHON) -c 'import ensurepip, venv' || { echo "expected Python with venv, found none: on Debian, apt install python3-venv"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $(READY)

servers: ## install the servers that tests need, where this is root on Debian
	@deploy/install_servers.sh

up: setup ## watch a district at work: look at http://127.0.0.1:8765
	$(BIN)/hujiao demo

test: servers lint types imports unit wheel ## every check

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: setup
	$(BIN)/mypy

imports: setup
	$(BIN)/lint-imports --no-cache

unit: setup
	@BIN=$(BIN) tests/in_lanes.sh

wheel: setup ## what reads the files that ship, and a way through all, again on the built wheel outside the checkout
	PYTHON=$(BIN)/python tests/on_the_wheel.sh

bench: setup ## measure, and print ratios
	$(BIN)/python -m tests.bench.run

memory: setup ## memory and cost per fact over 100,000 generated reports
	$(BIN)/python -m tests.bench.memory

lock: setup ## lock versions with hashes
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip compile pyproject.toml --group dev --universal --python-version 3.11 --generate-hashes \
		--no-emit-index-url --no-annotate --custom-compile-command "make lock" --output-file requirements.lock --upgrade

clean: ## remove what can be made again
	rm -rf $(VENV) dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
