# Two commands on a fresh machine: make demo, make test. The rest is for developers.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

# Where it is set, programs that are started again and again are compiled each time.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo test check torture bench screenshots format messages freeze lock clean

demo: $(VENV)/.run
	@echo "Starting the demonstration. Its address follows; the sample data takes a few seconds more."
	@$(BIN)/laocert demo $(ARGS)

test: $(VENV)/.test
	$(BIN)/python -m pytest --numprocesses auto $(ARGS)

check: $(VENV)/.test
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# Faults at full count, on both databases; the suite has a fortieth of them. Takes half an hour to an hour and more on 2 cores.
torture: $(VENV)/.test
	$(BIN)/python -m pytest tests/torture tests/models/certification/test_machine.py --torture --numprocesses 2 -rP -q $(ARGS)

# The whole way of a tap beside bare bots, on this machine alone: 5 to 7 minutes; ARGS="--quick" takes one.
bench: $(VENV)/.test $(VENV)-bench/.peers
	$(BIN)/python -m benchmarks.way $(ARGS)

# Needs Chromium and a font with emoji (Debian: chromium, fonts-noto-color-emoji).
screenshots: $(VENV)/.test
	$(BIN)/python -m tests.demo.screenshots

format: $(VENV)/.test
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# Collects the texts of handlers/ into the catalogs; tests fail while one is missing or stale.
messages: $(VENV)/.test
	$(BIN)/python -m handlers.locales

# Writes down what others know the program by; a test fails while it differs (tests/freeze/).
freeze: $(VENV)/.test
	$(BIN)/python -m tests.freeze.outside
	$(BIN)/python -m tests.freeze.coverage

# The locks name no registry and hold for every Python from 3.11 on.
LOCK_OF = $(VENV)-lock/bin/uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	--no-emit-find-links --no-annotate --no-header --quiet --custom-compile-command "make lock"
LOCK = $(LOCK_OF) pyproject.toml
lock:
	$(PYTHON) -m venv $(VENV)-lock && $(VENV)-lock/bin/pip --disable-pip-version-check --quiet install uv
	echo "setuptools>=84" > $(VENV)-lock/build.in
	$(LOCK) $(VENV)-lock/build.in -o requirements.lock
	$(LOCK) $(VENV)-lock/build.in --extra test -o requirements-test.lock
	$(LOCK_OF) benchmarks/peers/requirements.in -o benchmarks/peers/requirements.lock

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit("laocert needs Python 3.11 or newer; try: make PYTHON=python3.11") if sys.version_info < (3, 11) else None'
	@echo "Making a virtual environment in $(VENV) ..."
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.run: requirements.lock pyproject.toml | $(VENV)/bin/python
	@echo "Installing the locked packages into $(VENV); half a minute or more, and only once ..."
	@$(PIP) install --require-hashes --only-binary :all: -r requirements.lock
	@echo "Installing laocert itself ..."
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.test: requirements-test.lock $(VENV)/.run
	@echo "Installing what the tests need into $(VENV); half a minute or more, and only once ..."
	@$(PIP) install --require-hashes --only-binary :all: -r requirements-test.lock
	@touch $@

# The bots of `make bench`, apart from ours.
$(VENV)-bench/.peers: benchmarks/peers/requirements.lock
	@echo "Installing the bots to measure against into $(VENV)-bench ..."
	$(PYTHON) -m venv $(VENV)-bench
	$(VENV)-bench/bin/python -m pip --disable-pip-version-check --quiet install --require-hashes \
		--only-binary :all: -r $<
	touch $@

clean:
	rm -rf $(VENV) $(VENV)-lock $(VENV)-bench build *.egg-info
