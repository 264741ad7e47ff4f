# Every target sets itself up: a virtual environment in .venv, built again when the requirements change.
PYTHON ?= python3
JOBS ?= 2
BENCH ?= $(sort $(filter-out %/__init__.py,$(wildcard benchmarks/*.py)))
BIN := .venv/bin
CHROMIUM := $(shell command -v chromium || command -v chromium-browser || command -v google-chrome)

# The apps say nothing to anyone; pip hides its own notices.
export GRADIO_ANALYTICS_ENABLED = False
export PIP_DISABLE_PIP_VERSION_CHECK = 1
# One thread a process: with JOBS test processes more threads only fight each other.
QUIET := HF_HUB_OFFLINE=1 OMP_NUM_THREADS=1 MKL_NUM_THREADS=1

.DEFAULT_GOAL := help
.PHONY: help app test check browser bench format clean

help:
	@echo "make app      start the laboratory in a browser (http://127.0.0.1:7860)"
	@echo "make test     the fast tests; PYTEST='-k dirac' narrows them"
	@echo "make check    ruff, mypy, import-linter"
	@echo "make browser  the tests that drive a real Chromium"
	@echo "make bench    every benchmark; BENCH=benchmarks/one.py runs one"

app: .venv/.stamp-app
	$(BIN)/python app.py

test: .venv/.stamp-dev
	$(QUIET) $(BIN)/python -m pytest -n $(JOBS) $(PYTEST)

check: .venv/.stamp-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

browser: .venv/.stamp-dev
	@if [ -z "$(CHROMIUM)" ]; then $(BIN)/python -m playwright install chromium; fi
	$(QUIET) $(BIN)/python -m pytest -m browser --timeout 300 $(PYTEST)

bench: .venv/.stamp-dev
	@set -e; for file in $(BENCH); do echo "== $$file"; $(BIN)/python $$file; done

format: .venv/.stamp-dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf .venv build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .import_linter_cache

.venv/bin/pip:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' \
	  || { echo "ganlab needs Python 3.10 or newer; name one with: make PYTHON=/path/to/python3"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null \
	  || { echo "This Python has no venv. On Debian or Ubuntu: apt-get install python3-venv"; exit 1; }
	$(PYTHON) -m venv .venv

.venv/.stamp-app: requirements.txt | .venv/bin/pip
	$(BIN)/python -m pip install -r requirements.txt
	@touch $@

.venv/.stamp-dev: pyproject.toml .venv/.stamp-app
	$(BIN)/python -m pip install -e ".[dev]"
	@touch $@
