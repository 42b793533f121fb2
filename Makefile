# make run     start Armillary with a demonstration night
# make test    functions, engines, interfaces; SEED=number gives another order, ARMILLARY_EXAMPLES=other other examples,
#              PROCESSES=number more or fewer processes at once (2)
# make unit    the pure parts alone
# make siege   whole programs: installed and used, killed, under load, on full disks; CI runs it after the tests
# make bench   the side-by-side table
# make soak    thousands of kills, and minutes of load
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt
DATA ?= demo
PORT ?= 8000
SEED ?= 1
# How many processes run tests at once.
PROCESSES ?= 2
# The many processes that tests start would compile everything again where Python may write no bytecode.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: setup packages run test unit lint siege bench soak clean

setup: .venv/ready

.venv/ready: pyproject.toml constraints.txt
	@PYTHON=$(PYTHON) scripts/system-packages venv=python3-venv
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Armillary needs Python 3.11 or newer; say which by PYTHON=...")'
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(PIP) --editable .
	@touch $@

.venv/ready-test: .venv/ready
	$(PIP) --editable '.[test]'
	@touch $@

.venv/ready-bench: .venv/ready-test
	$(PIP) --editable '.[test,bench]'
	@touch $@

run: setup
	$(BIN)/armillary up --data $(DATA) --port $(PORT) --demo

lint: .venv/ready-test
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

packages:
	@scripts/system-packages fitsverify=fitsverify bzip2=bzip2
	@# Whoever may not install them has the tests skipped that need them.
	@test "$$(id -u)" != 0 || scripts/system-packages \
		/usr/lib/postgresql/15/bin/postgres=postgresql-15 systemd-analyze=systemd \
		chromium=chromium /usr/share/fonts/truetype/dejavu/DejaVuSans.ttf=fonts-dejavu-core

test: .venv/ready-test packages
	@$(MAKE) --no-print-directory lint
	@$(BIN)/python -m compileall -q src
	$(BIN)/pytest --numprocesses $(PROCESSES) --dist loadfile --randomly-seed=$(SEED) --ignore=tests/crash --ignore=tests/e2e

unit: .venv/ready-test
	$(BIN)/pytest --quiet --numprocesses $(PROCESSES) --dist loadfile --randomly-seed=$(SEED) tests/unit

siege: .venv/ready-test packages
	@$(BIN)/python -m compileall -q src
	$(BIN)/pytest --numprocesses $(PROCESSES) --dist loadfile --randomly-seed=$(SEED) tests/crash tests/e2e

bench: .venv/ready-bench
	-@scripts/system-packages /usr/lib/postgresql/15/lib/q3c.so=postgresql-15-q3c
	$(BIN)/python -m benchmarks

soak: .venv/ready-test
	$(BIN)/python -m tests.crash.load
	$(BIN)/python -m tests.crash.soak

clean:
	rm -rf .venv build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
