# make demo      install, and see it work: no account, no network
# make check     formatting, types, import contracts, and the quick tests: within a minute
# make test      all tests, with their coverage          make lint   formatting, types, import contracts
# make notebooks Jupyter Lab, on a sample recording; on one of yours with DB=data/pulsoid.duckdb
# make torture   200 kills           make soak        an hour of 100 rooms under trouble (SECONDS=60 for a minute)
# make bench     speed and memory beside what they are compared with: 20 minutes, 25 GB of disk, best on a quiet machine
# make docs      the generated parts of docs/          make pictures  the pictures of README.md (needs Chromium)
# make pins      the versions that are installed, and their hashes    make audit   known vulnerabilities in them
# Windows without make: README.md says the same in plain pip.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

# Each of the tests' many processes would compile all it imports anew. (What no test imports need not be compiled.)
export PYTHONDONTWRITEBYTECODE :=

# One more than there are cores: a third of the tests' time is waiting.
WORKERS ?= $(shell $(PYTHON) -c 'import os; print(os.cpu_count() + 1)')

SAMPLE := data/notebooks/pulsoid.duckdb
DB ?= $(SAMPLE)

.DELETE_ON_ERROR:
.PHONY: demo notebooks check compiled test torture soak bench lint docs pictures pins audit format clean

# pip installs nothing that has another hash than in constraints-hashes.txt. The project itself, which can have none, is
# installed apart, and without isolation: pip would fetch what builds it, setuptools, unchecked. Nothing is compiled: of
# what is installed most is never imported, and what is, is compiled then.
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check

# The demo needs what a user needs; tests and checks need the developer's tools as well.
$(VENV)/user.stamp: pyproject.toml constraints-hashes.txt
	$(PYTHON) -m venv $(VENV)
	sed -n '/ #.* user/p' constraints-hashes.txt > $(VENV)/user.txt
	$(PIP) install --no-compile --require-hashes -r $(VENV)/user.txt
	$(PIP) install --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/dev.stamp $(VENV)/notebooks.stamp $(VENV)/bench.stamp: $(VENV)/%.stamp: $(VENV)/user.stamp
	sed -n '/ #.* $*/p' constraints-hashes.txt > $(VENV)/$*.txt
	$(PIP) install --no-compile --require-hashes --no-build-isolation -r $(VENV)/$*.txt
	@touch $@

# Versions stay where they fit pyproject.toml; with UPGRADE=--upgrade they are the newest ones.
pins:
	$(PYTHON) -m venv .venv-pins
	.venv-pins/bin/python -m pip install --quiet --disable-pip-version-check uv
	.venv-pins/bin/python tests/renew_pins.py $(UPGRADE)

# Looks up the pinned versions in the advisories of the package index.
audit:
	@$(PYTHON) tests/audit.py

# Made-up people train on eight evenings: recorded once, in some five seconds.
$(SAMPLE): | $(VENV)/user.stamp
	$(BIN)/python notebooks/make_sample.py $@

demo: $(VENV)/user.stamp
	$(BIN)/pulsoid-rec demo

notebooks: $(VENV)/notebooks.stamp $(DB)
	PULSOID_REC_DB="$(abspath $(DB))" $(BIN)/jupyter lab notebooks

check: lint
	$(BIN)/python -m pytest -m "pure and not slow" -n auto

# Compiles what the tests import, which otherwise each of their workers does for itself, all at once.
compiled: $(VENV)/dev.stamp
	$(BIN)/python -m compileall -qq recorder analysis
	$(BIN)/python -m pytest --collect-only -qq > $(VENV)/collected.txt

test: $(VENV)/dev.stamp
	$(BIN)/coverage erase
	$(BIN)/coverage run -m pytest -n $(WORKERS) --dist worksteal
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report

torture: $(VENV)/dev.stamp
	PYTHONPATH=tests/support $(BIN)/python tests/torture.py

soak: $(VENV)/dev.stamp
	PYTHONPATH=tests/support $(BIN)/python tests/soak.py

bench: $(VENV)/bench.stamp
	$(BIN)/python tests/bench/run.py --write

# mypy does not follow an editable install under another name, but it follows links.
.links:
	mkdir -p .links/pulsoid_rec
	ln -sfn ../../recorder .links/pulsoid_rec/recorder
	ln -sfn ../../analysis .links/pulsoid_rec/analysis

lint: $(VENV)/dev.stamp | .links
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

# The parts of docs/ that are made from the program itself.
docs: $(VENV)/dev.stamp
	PYTHONPATH=tests/support $(BIN)/python tests/generate_docs.py

# The pictures of README.md. That of the page needs Chromium.
pictures: $(VENV)/dev.stamp
	PYTHONPATH=tests/support $(BIN)/python tests/generate_pictures.py

format: $(VENV)/dev.stamp
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean:
	rm -rf $(VENV) .venv-pins .venv-audit .links .mypy_cache .pytest_cache .ruff_cache .hypothesis .coverage*
