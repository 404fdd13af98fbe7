# Everything a newcomer types. Needs Python 3.11 and the package registry, nothing else.
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
NIGHT ?= 1
export PYTHONDONTWRITEBYTECODE :=   # compiled once, not in each of the many processes

.PHONY: nightly ui test lint lock docs pictures bench clean

nightly: $(VENV)/ready   ## the sample town's whole night, through Dagster (NIGHT=1, 2, 3)
	@$(BIN)/python -m tests.simulators --night $(NIGHT) -- $(BIN)/odp run --night; status=$$?; \
	  case $$status in 3|4) echo "(a refusal or a failure is what this night shows: status $$status)";; *) exit $$status;; esac

ui: $(VENV)/ready        ## Dagster on loopback, with the sample town's systems running
	$(BIN)/python -m tests.simulators --night $(NIGHT) -- $(BIN)/odp ui

test: $(VENV)/ready      ## the tests, on all cores
	$(BIN)/python -m pytest -n auto --dist loadfile --no-loadscope-reorder -q

lint: $(VENV)/ready      ## style, types, layers, code location
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/dagster definitions validate -w workspace.yaml

lock: $(VENV)/ready      ## refresh requirements.lock from pyproject.toml
	$(BIN)/uv pip compile -q --upgrade --group dev --no-emit-index-url --no-header --no-annotate --python-version 3.11 \
	  pyproject.toml -o requirements.lock

docs: $(VENV)/ready      ## refresh the generated reference
	$(BIN)/python -m docs.generate

pictures: $(VENV)/ready  ## take the documentation's pictures again; minutes, needs chromium
	$(BIN)/python -m docs.screenshots

bench: $(VENV)/ready     ## the benchmarks; minutes
	$(BIN)/python -m benchmarks.flow
	$(BIN)/python -m benchmarks.orchestration
	$(BIN)/python -m benchmarks.operations 60
	$(BIN)/python -m benchmarks.extraction
	$(BIN)/python -m benchmarks.store

$(VENV)/ready: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or newer is needed; say which: make $(MAKECMDGOALS) PYTHON=/path/to/python3.11"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q --disable-pip-version-check -r requirements.lock
	$(BIN)/python -m pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

clean:                   ## forget the environment and everything the sample town made
	rm -rf $(VENV) .odp
