# Each target does everything itself: on a fresh machine `make demo` or `make test` is the only command needed.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
unexport PYTHONDONTWRITEBYTECODE
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: demo test lint bench soak clean
demo: $(VENV)/installed
	$(BIN)/streamvec demo

test: $(VENV)/installed-dev
	$(BIN)/python -m pytest -n auto --dist loadgroup

lint: $(VENV)/installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(VENV)/installed-dev
	$(BIN)/python -m benchmarks.run

soak: $(VENV)/installed-dev
	$(BIN)/python -m pytest -n auto --dist loadgroup --soak --keep-counts=benchmarks/results/reliability.json

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/installed: pyproject.toml constraints.txt hatch_build.py | $(BIN)/python
	$(BIN)/pip install -q -c constraints.txt -e '.[plot]'
	touch $@

$(VENV)/installed-dev: $(VENV)/installed
	$(BIN)/pip install -q -c constraints.txt -e '.[dev]'
	touch $@

clean:
	rm -rf $(VENV) demo-run demo-run.html demo-run-* .pytest_cache .mypy_cache .ruff_cache
