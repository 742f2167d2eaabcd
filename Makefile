# Two commands do all the set-up: `make run` and `make test`. The others are for daily work.
SHELL := /bin/bash
.DELETE_ON_ERROR:
.PHONY: run test test-clients check dev bench soak flood clean help

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
ROOMS := domain risk brokers storage daemon testnet
SITE = $(shell $(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
SOURCES := $(shell find $(ROOMS) -name '*.py' -o -name '*.yaml' -o -name py.typed) pyproject.toml README.md LICENSE
# Two a core of a small machine: half of a test's time is a process that starts, or waits.
WORKERS ?= 4

help:  ## show this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

$(VENV)/.tools: constraints.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	    || { echo "Python 3.11 or newer is needed; name one with make PYTHON=python3.11 ..." >&2; exit 1; }
	$(PYTHON) -m venv --clear $(VENV)
	@$(BIN)/python -c 'import tomllib; p = tomllib.load(open("pyproject.toml", "rb"))["project"]; \
	    print(*p["dependencies"], *p["optional-dependencies"]["dev"], sep="\n")' > $(VENV)/requirements.txt
	$(BIN)/pip install --quiet --disable-pip-version-check -r $(VENV)/requirements.txt -c constraints.txt
	@touch $@

# The package as it ships: a wheel built from the checkout, installed without touching the pins.
$(VENV)/.wheel: $(VENV)/.tools $(SOURCES)
	@rm -rf $(SITE)/otonom_trader
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --force-reinstall .
	@touch $@

# The links come after the wheel's metadata and go before the next install: pip must never see them.
dev: $(VENV)/.wheel  ## link the checkout into the virtual environment, so that edits are live
	@rm -rf $(SITE)/otonom_trader $(VENV)/.wheel && mkdir $(SITE)/otonom_trader
	@for room in $(ROOMS); do ln -s $(CURDIR)/$$room $(SITE)/otonom_trader/$$room; done

run: $(VENV)/.wheel  ## local testnet, example decision-maker and daemon in shadow mode [DURATION=seconds]
	@$(BIN)/python examples/run_demo.py $(if $(DURATION),--duration $(DURATION))

test: $(VENV)/.wheel  ## the whole test suite, against the package as installed
	$(BIN)/pytest -q -n $(WORKERS) --dist worksteal $(ARGS)

check: $(VENV)/.wheel  ## format, lint, types, import rules
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy $(ROOMS:%=-p otonom_trader.%)
	$(BIN)/mypy tests examples benchmarks
	$(BIN)/lint-imports

test-clients: $(VENV)/.wheel  ## unmodified Binance clients against the local testnet, each in an environment of its own
	$(BIN)/python tests/clients/run.py $(ARGS)

soak: $(VENV)/.wheel  ## many decisions while faults strike at random, then the oracle [ARGS="--decisions 1000"]
	$(BIN)/python -m tests.system.soak $(ARGS)

flood: $(VENV)/.wheel  ## thousands of decisions at once on an account near its limits, then the oracle
	$(BIN)/python -m tests.system.flood $(ARGS)

bench: $(VENV)/.wheel  ## the speed table, measured side by side
	$(BIN)/python benchmarks/bench.py

clean:  ## remove the virtual environment and caches
	rm -rf $(VENV) dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
