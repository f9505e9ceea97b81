# Everything here works on a machine with only Python 3.11 (or newer) and make: the first target
# sets up .venv by itself, with the exact versions of constraints.txt.

PYTHON ?= $(shell command -v python3.11 || command -v python3 || echo python3)
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready
PEERS  := $(VENV)/.peers
PYTEST := $(BIN)/pytest

.PHONY: help demo test check format bench faults selftest clean

help:
	@echo "make demo     both ends simulated: a full sync, a second pass, the books"
	@echo "make test     the tests"
	@echo "make check    format, lint, types, tests"
	@echo "make format   put the code into shape"
	@echo "make bench    measured figures against their thresholds"
	@echo "make faults   the long searches for faults"
	@echo "make selftest ends the connector at every place where it waits; writes its report"
	@echo "make clean    removes .venv and caches"

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  echo "ml-connector needs Python 3.11 or newer; '$(PYTHON)' is $$($(PYTHON) --version 2>&1)."; \
	  echo "Install it, or name one: make PYTHON=/path/to/python3.11 demo"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]' -c constraints.txt
	@touch $(READY)

$(PEERS): $(READY)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev,peers]' -c constraints.txt
	@touch $(PEERS)

demo: $(READY)
	@$(BIN)/ml-connector demo

test: $(READY)
	$(PYTEST) -m "not slow" -n 3

check: $(READY)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(PYTEST) -m "not slow" -n 3

format: $(READY)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(PEERS)
	@failed=; for each in tests/bench/bench_*.py; do \
	  $(BIN)/python -m tests.bench.$$(basename $$each .py) || failed="$$failed $$(basename $$each .py)"; \
	done; [ -z "$$failed" ] || { echo "below their bars:$$failed"; exit 1; }

faults: $(READY)
	$(PYTEST) -m slow -n 2

selftest: $(READY)
	$(BIN)/python -m tests.selftest --report selftest-report.json

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis build dist *.egg-info
