# Two stories: `make demo` trains and asks a real model on this machine, `make test` passes the whole suite.
# Both set everything up first, once; `make help` lists the rest.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
PIP := $(BIN)/python -m pip install -qq --disable-pip-version-check -c constraints.txt
MODEL := smollm2-135m
JOBS ?= 2

.DEFAULT_GOAL := help
.PHONY: help setup demo test check format clean

help:
	@echo "make demo     set up, fine-tune a small model on a database, ask it questions"
	@echo "make test     set up and run every test"
	@echo "make check    formatting, lint and types, as CI runs them"
	@echo "make setup    virtual environment and dependencies, in $(VENV)"
	@echo "make format   put the code into the house format"
	@echo "make clean    remove $(VENV) and caches; runs/ is kept"

setup: $(INSTALLED)

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "error: $(PYTHON) is missing or older than Python 3.11" >&2; \
	  echo "  → make PYTHON=python3.12, or the name of another newer Python" >&2; exit 1; }
	@echo "setup: virtual environment in $(VENV)"
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); \
	  echo "error: $(PYTHON) cannot make a virtual environment" >&2; \
	  echo "  → on Debian and Ubuntu: apt install python3-venv" >&2; exit 1; }

# torch comes first and alone, so that nothing else can choose another build of it.
$(INSTALLED): pyproject.toml constraints.txt | $(BIN)/python
	@echo "setup: torch (half a minute to a few minutes)"
	@$(PIP) torch
	@echo "setup: luciola and everything else (about half a minute)"
	@$(PIP) -e '.[dev]'
	@touch $@
	@echo "setup: done"

demo: setup
	@$(BIN)/luciola models get $(MODEL)
	@$(BIN)/luciola demo

# Two processes of one thread each: the tests' models are so small that threads would wait for each other.
# What is slow (every family of models) is run by .ci/run.
# Without the package index the tests that need the model are skipped, and say so.
test: setup
	@$(BIN)/luciola models get $(MODEL) || echo "test: going on without $(MODEL)" >&2
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -m "not slow" -n $(JOBS) --dist loadfile --durations=15

check: setup
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy

format: setup
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache
