# make demo   from the raw sample images to a report        make test   prove that the project passes its tests
# make check  everything a change must pass                 make help   all the rest

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DEMO := demo
INTEROP := .venv-interop
TEST_PROCESSES ?= 2

.DEFAULT_GOAL := help
.PHONY: help demo sample-report install test check bench bench-curate bench-growth bench-memory bench-near bench-near-truth bench-read bench-report \
	interop stores lint types imports lock notebooks sample clean

help: ## show what can be made
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 24

demo: install ## curate, measure and project sample_data, then write reports/demo.html
	@rm -rf $(DEMO)
	$(BIN)/tonnage curate sample_data/raw $(DEMO)/dataset
	$(BIN)/tonnage curate sample_data/raw sample_data/more $(DEMO)/dataset --quiet
	$(BIN)/tonnage measure $(DEMO)/dataset
	$(BIN)/tonnage project sample_data/scenarios/lab_one_node.yaml --dataset $(DEMO)/dataset --out $(DEMO)/lab_one_node.json
	$(BIN)/tonnage project sample_data/scenarios/vision_team_100tb.yaml --dataset $(DEMO)/dataset --out $(DEMO)/vision_team.json --json > /dev/null
	@$(BIN)/tonnage report $(DEMO)/dataset $(DEMO)/lab_one_node.json $(DEMO)/vision_team.json --out reports/demo.html > /dev/null
	@echo
	@echo "The report is at $(CURDIR)/reports/demo.html"

SAMPLE_REPORT := $(DEMO)/sample

sample-report: $(VENV)/.installed-dev ## make the committed sample report and the README's pictures again (half an hour, on an idle machine)
	@rm -rf $(SAMPLE_REPORT)
	$(BIN)/tonnage curate sample_data/raw $(SAMPLE_REPORT)/collection --quiet > /dev/null
	$(BIN)/tonnage curate sample_data/raw sample_data/more $(SAMPLE_REPORT)/collection --quiet
	$(BIN)/tonnage measure $(SAMPLE_REPORT)/collection --plan standard --only read,decode,loader,transfer,utilisation,contention,compute \
		--preset resnet50-h100 --quiet > /dev/null
	$(BIN)/tonnage backtest $(SAMPLE_REPORT)/collection --limit '3 min' --quiet
	$(BIN)/tonnage project sample_data/scenarios/lab_one_node.yaml --dataset $(SAMPLE_REPORT)/collection \
		--out $(SAMPLE_REPORT)/lab_one_node.json
	$(BIN)/tonnage project sample_data/scenarios/vision_team_100tb.yaml --dataset $(SAMPLE_REPORT)/collection \
		--out $(SAMPLE_REPORT)/vision_team.json
	$(BIN)/tonnage report $(SAMPLE_REPORT)/collection $(SAMPLE_REPORT)/lab_one_node.json $(SAMPLE_REPORT)/vision_team.json \
		--out reports/sample_report.html
	$(BIN)/python reports/make_pictures.py reports/sample_report.html docs/images

install: $(VENV)/.installed ## set up .venv with the locked packages

test: $(VENV)/.installed-dev ## run the tests, with coverage; those that hold a rate or a time alone, at the end
	$(BIN)/coverage erase
	$(BIN)/coverage run -m pytest -q -m "not timed" -n $(TEST_PROCESSES) --dist loadfile --no-loadscope-reorder --durations=25
	$(BIN)/coverage run -m pytest -q -m timed --durations=10
	$(BIN)/coverage combine -q
	$(BIN)/coverage report --skip-covered --fail-under=85

interop: $(INTEROP)/.installed ## read datasets and exports with the libraries that need PyTorch, in .venv-interop (2.7 GB)
	$(INTEROP)/bin/python -m pytest -q --durations=5 tests/interop

stores: .stores/.installed ## lay down azurite, Microsoft's emulator of Azure's storage, for the tests of az:// (needs npm; 190 MB)

.stores/.installed:
	npm install --prefix .stores --no-fund --no-audit --omit=optional azurite@3.37.0
	@touch $@

check: lint types imports test ## what a change must pass: style, types, imports, tests

lint: $(VENV)/.installed-dev ## style
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.installed-dev ## strict types
	$(BIN)/mypy

imports: $(VENV)/.installed-dev ## the one direction of imports
	$(BIN)/lint-imports

bench: $(VENV)/.installed-dev ## measure Tonnage beside ceilings and peers; writes benchmarks/results/
	$(BIN)/python -m benchmarks

bench-curate: $(VENV)/.installed-dev ## curation beside its ceiling and its peers; writes benchmarks/results/curate.json
	OPENBLAS_NUM_THREADS=1 $(BIN)/python -m benchmarks.curate

bench-growth: $(VENV)/.installed-dev ## time per image from 5,000 to 50,000 images; writes benchmarks/results/curate_growth.json
	OPENBLAS_NUM_THREADS=1 $(BIN)/python -m benchmarks.curate_growth

bench-memory: $(VENV)/.installed-dev ## peak memory of a curation while its images grow tenfold; writes benchmarks/results/curate_memory.json
	$(BIN)/python -m benchmarks.curate_memory

bench-near: $(VENV)/.installed-dev ## how the search for near duplicates grows; writes benchmarks/results/
	$(BIN)/python -m benchmarks.near_duplicate_scaling

bench-near-truth: $(VENV)/.installed-dev ## near duplicates found and missed on a truth set made of FOLDER's photos (default sample_data/photos)
	OPENBLAS_NUM_THREADS=1 $(BIN)/python -m benchmarks.near_duplicates $(or $(FOLDER),sample_data/photos)

bench-read: $(INTEROP)/.installed ## reading and loading beside peers and ceilings, in .venv-interop; writes benchmarks/results/read.json
	$(INTEROP)/bin/python -m benchmarks.read

bench-report: $(VENV)/.installed-dev ## size of a report's PAGE (default the sample) and its times until painted and drawn
	$(BIN)/python -m benchmarks.report_page $(PAGE)

notebooks: install ## open the notebooks in JupyterLab
	$(BIN)/jupyter lab notebooks

sample: $(VENV)/.installed-dev ## make sample_data/raw and more again, and check what came out
	$(BIN)/python sample_data/make_sample.py
	$(BIN)/python sample_data/make_sample.py --check

lock: $(VENV)/.installed-dev ## resolve the dependencies again into the lock files
	$(BIN)/uv pip compile pyproject.toml --extra dev --universal --python-version 3.11 --generate-hashes --no-header --no-strip-extras -q -o requirements-dev.lock
	$(BIN)/uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes --no-header --no-strip-extras -q -c requirements-dev.lock -o requirements.lock

clean: ## remove what demo and the tests wrote
	rm -rf $(DEMO) reports/demo.html .coverage* .pytest_cache .hypothesis .mypy_cache .ruff_cache

$(BIN)/python:
	$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Python 3.11 or newer is needed; say which with: make PYTHON=python3.12")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: requirements.lock pyproject.toml | $(BIN)/python
	@echo "Installing the locked packages into $(VENV) (once; about two minutes)"
	@$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install -q --disable-pip-version-check --no-deps -e .
	@touch $@

$(VENV)/.installed-dev: requirements-dev.lock $(VENV)/.installed
	@echo "Installing the locked tools for tests and checks (once)"
	@$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements-dev.lock
	@touch $@

$(INTEROP)/.installed: requirements-interop.txt pyproject.toml
	@test -x $(INTEROP)/bin/python || $(PYTHON) -m venv $(INTEROP)
	@echo "Installing PyTorch and what needs it into $(INTEROP) (once; some minutes)"
	@$(INTEROP)/bin/python -m pip install -q --disable-pip-version-check -e . -r requirements-interop.txt
	@touch $@
