# Two commands do everything: `make demo` and `make test`. Set-up happens once, in .venv.

PYTHON ?= python3
# An index that has builds of torch for the CPU alone, where the usual one has none: make setup TORCH_INDEX=https://...
TORCH_INDEX ?=
BIN := .venv/bin
ATHANOR := ../$(BIN)/athanor

# The models are small: threads of their own would only fight for the cores, and would make sums depend on the machine.
export OMP_NUM_THREADS = 1
# Tests start hundreds of processes, each of which would compile our modules anew.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help setup demo static check test bench check-install clean

help:
	@echo "make demo           run the cathode campaign on the virtual lab, print the ranking, write demo/report.html"
	@echo "make check          while you work: ruff, mypy, import-linter, the fast tests (two minutes)"
	@echo "make test           run the gate: ruff, mypy, import-linter, all tests"
	@echo "make bench          compare the planner with random search and print a table"
	@echo "make check-install  install into an empty environment and try the command there"
	@echo "make setup          make .venv and install everything into it (the others do this by themselves);"
	@echo "                    TORCH_INDEX=https://... takes torch from an index with builds for the CPU alone"
	@echo "make clean          remove demo/, builds and caches; .venv stays"

setup: .venv/.ready

.venv/.ready: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("Athanor needs Python 3.11 or newer, got %s; name another one: make PYTHON=python3.11 ..." % sys.version.split()[0])'
	@echo "setting up .venv: a few minutes, once"
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet -c constraints.txt $(if $(TORCH_INDEX),--extra-index-url $(TORCH_INDEX)) torch
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[dev]'
	@touch $@

demo: setup
	@mkdir -p demo
	@cd demo && { [ -e cathode.yaml ] || $(ATHANOR) init cathode; }
	@cd demo && $(ATHANOR) run cathode.yaml
	@cd demo && $(ATHANOR) report cathode.yaml --out report.html
	@echo "the report: $(CURDIR)/demo/report.html"

static: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

check: static
	$(BIN)/pytest -n 2 --dist worksteal -m "not slow"

test: static
	$(BIN)/pytest -n 2 --dist worksteal

bench: setup
	$(BIN)/python -m benchmarks.cathode

check-install:
	TORCH_INDEX=$(TORCH_INDEX) ./.ci/check-install $(PYTHON)

clean:
	rm -rf demo build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .grimp_cache
