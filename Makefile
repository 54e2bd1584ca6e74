# make demo | test | check | bench; VENV=... puts the virtual environment elsewhere,
# PYTHON=... names the interpreter that makes it (3.11 or later).

VENV ?= .venv
PYTHON ?= $(shell for python in python3.11 python3 python; do \
	"$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && \
	echo "$$python" && break; done)

BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet --constraint constraints.txt
CORE := $(VENV)/.installed-core
TESTS := $(VENV)/.installed-tests

# Processes with threads of their own get in each other's way if those that wait do not sleep.
SIDE_BY_SIDE := OMP_WAIT_POLICY=PASSIVE

.DEFAULT_GOAL := help
.PHONY: help demo test test-slow lint check bench clean

help: ## Show this list.
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1|\2/p' $(MAKEFILE_LIST) | column -t -s '|' 2>/dev/null || \
	sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1: \2/p' $(MAKEFILE_LIST)

demo: $(CORE) ## Install the core (no torch) and rank the bundled sample survey.
	$(BIN)/skysieve demo

test: $(TESTS) ## Install what the tests need and run them, but for the slow ones.
	$(SIDE_BY_SIDE) $(BIN)/python -m pytest -m "not slow" -n auto --maxprocesses 4 --dist loadfile

test-slow: $(TESTS) ## Run the slow tests.
	$(BIN)/python -m pytest -m slow

lint: $(TESTS) ## Run ruff, pyright and import-linter.
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/pyright --pythonpath $(BIN)/python
	$(BIN)/lint-imports

check: lint test ## Run all that continuous integration runs.

bench: $(CORE) ## Measure the speed and memory of `skysieve find`.
	$(BIN)/python benchmarks/bench_find.py

clean: ## Remove the virtual environment and what the tools left behind.
	rm -rf $(VENV) .pytest_cache .ruff_cache .hypothesis .import_linter_cache

# A stamp is younger than what it was made of; the larger install covers the smaller one.
$(CORE): pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) --editable .
	@touch $@

$(TESTS): pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) --editable '.[train,dev]'
	@touch $(CORE) $@

# Where Python comes without ensurepip, as Debian's does, the pip outside puts one inside.
$(BIN)/python:
	$(if $(PYTHON),,$(error skysieve needs Python 3.11 or later; name one with PYTHON=...))
	$(PYTHON) -m venv $(VENV) || { $(PYTHON) -m venv --clear --without-pip $(VENV) && \
	$(PYTHON) -m pip --python $(VENV)/bin/python install --quiet pip; }
