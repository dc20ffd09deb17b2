# The two commands that a new machine needs: `make demo` and `make test`. Python 3.11+ is all they ask for.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
FRONT := pyproject.toml $(shell find labextension -path '*/node_modules' -prune -o -type f \( -name '*.ts' -o -name '*.css' -o -name '*.json' -o -name '*.py' -o -name yarn.lock \) -print 2>/dev/null)

# A line for each thing that is installed, with the seconds so far.
STEP := $(PYTHON) notebooks/step.py
PIP := $(BIN)/python -m pip install --disable-pip-version-check
# JupyterLab does not start for root without it.
ALLOW_ROOT := $(if $(filter 0,$(shell id -u)),--allow-root)
# For JupyterLab: make lab ARGS="--port 9999 --no-browser"
ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help setup demo lab test test-attack test-browser test-oldest test-engines check check-front format wheel bench types clean node-modules

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# One stamp a set of extras: nothing is installed twice, and the demo does not pay for the tests.
$(VENV)/.pip:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.12 ...")'
	@$(STEP) "Making a virtual environment in $(VENV)" $(PYTHON) -m venv $(VENV)
	@$(STEP) "Updating pip" $(PIP) --upgrade pip
	@touch $@

$(VENV)/.demo: $(VENV)/.pip $(FRONT)
	@$(STEP) "Installing into $(VENV), one to five minutes the first time" $(PIP) --editable '.[demo]'
	@touch $@

$(VENV)/.dev: $(VENV)/.pip $(FRONT)
	@$(STEP) "Installing into $(VENV), two to six minutes the first time" $(PIP) --editable '.[dev]'
	@touch $@ $(VENV)/.demo

setup: $(VENV)/.dev  ## install everything that development needs

demo: $(VENV)/.demo  ## serve a real model, ask it, and print its answers
	@$(BIN)/python notebooks/run.py notebooks/00_tour.ipynb

lab: $(VENV)/.demo  ## open the notebooks in JupyterLab; ARGS="--port 9999 --no-browser" are its own flags
	@$(BIN)/python -c 'import jupyterlab' 2>/dev/null || $(STEP) "Installing JupyterLab" $(PIP) jupyterlab
	@$(if $(ALLOW_ROOT),echo "You are root: JupyterLab is started with --allow-root.",:)
	$(BIN)/jupyter lab notebooks/00_tour.ipynb $(ALLOW_ROOT) $(ARGS)

check: $(VENV)/.dev  ## formatting, lint, types, layers, files
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/python tests/support/repository.py
	$(BIN)/python tests/support/imports.py

test: $(VENV)/.dev  ## all tests; those of the browser where there is one
	$(BIN)/python -m pytest --numprocesses 2 --dist loadfile

test-attack: $(VENV)/.dev  ## every attack at full length, in under ten minutes
	KUBEAI_TEST_ATTACK=full $(BIN)/python -m pytest --numprocesses 3 --dist worksteal tests/attack

test-browser: $(VENV)/.dev  ## the stories in JupyterLab, in headless Chromium
	KUBEAI_TEST_BROWSER_REQUIRED=1 $(BIN)/python -m pytest tests/browser

test-oldest:  ## the tests with the oldest versions of everything that pyproject.toml allows
	$(PYTHON) -m venv --clear build/oldest
	build/oldest/bin/python -m pip install --quiet --disable-pip-version-check --upgrade pip
	build/oldest/bin/python -m pip install --quiet --disable-pip-version-check --constraint tests/support/oldest.txt '.[demo]' hypothesis 'markdown-it-py>=3' pytest pytest-timeout
	build/oldest/bin/python -m pytest --ignore tests/browser

test-engines: $(VENV)/.dev  ## real Infinity and vLLM, by hand: name their programs as tests/engines says
	$(BIN)/python -m pytest -m engines tests/engines

format: $(VENV)/.dev  ## put the code into shape
	$(BIN)/ruff check --fix --quiet . ; $(BIN)/ruff format .

# jlpm is yarn, and comes with JupyterLab; Node.js does not.
JLPM = cd labextension && PATH="$(abspath $(BIN)):$$PATH" jlpm

node-modules: $(VENV)/.dev
	@command -v node >/dev/null || { echo "This target needs Node.js 20.19 or newer: install it and put node on PATH."; exit 1; }
	$(JLPM) install --immutable

types: node-modules  ## make the TypeScript types of what crosses the wire
	$(JLPM) types

check-front: node-modules  ## types, lint and unit tests of the TypeScript
	$(JLPM) check

wheel: $(VENV)/.dev  ## build sdist and wheel into dist/
	$(BIN)/python -m pip install --quiet --disable-pip-version-check build
	$(BIN)/python -m build --outdir dist

bench: $(VENV)/.dev  ## measure, beside the baselines
	$(BIN)/python benchmarks/load_ext.py
	$(BIN)/python benchmarks/core.py
	$(BIN)/python benchmarks/completion.py
	$(BIN)/python benchmarks/form.py
	$(BIN)/python benchmarks/local.py
	$(BIN)/python benchmarks/serve.py
	$(BIN)/python benchmarks/screen.py
	$(BIN)/python benchmarks/server.py
	$(BIN)/python benchmarks/embedding_map.py
	$(BIN)/python benchmarks/batch.py
	$(BIN)/python benchmarks/limiter.py
	$(BIN)/python benchmarks/embeddings.py

clean:  ## remove what was built
	rm -rf dist build kubeai_notebook/labextension kubeai_notebook/views/static labextension/lib
