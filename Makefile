# `make demo` sets up and runs the main job, `make test` sets up and runs the tests. Both need Python >= 3.11, git and make.
PYTHON ?= python3
VENV ?= .venv
EXTRAS ?= dev
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
READY := $(VENV)/.ready
INSTALL := $(BIN)/python -m pip install --quiet --constraint constraints.txt

.PHONY: demo test slow-test lint types check clean

demo: $(INSTALLED)
	$(BIN)/python -m experiments.fundus_vce --preset demo

test: $(READY)
	$(BIN)/python -m pytest -q -n auto --dist worksteal

slow-test: $(READY)
	$(BIN)/python -m pytest -q -n auto --dist worksteal -m slow

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(READY)
	$(BIN)/mypy

check: lint types test

# The demonstration needs the package alone. Modules are compiled when they are first imported: to
# compile all of them takes ten seconds more.
$(INSTALLED): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(INSTALL) --no-compile --editable .
	touch $@

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(INSTALL) --editable ".[$(EXTRAS)]"
	touch $(INSTALLED) $@

clean:
	rm -rf $(VENV) work results
