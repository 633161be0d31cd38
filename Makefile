# Meridian. `make run` shows the whole system at work; `make test` checks it. `make help` has the rest.
MAKEFLAGS += --no-print-directory
PYTHON3 ?= python3
PY := .venv/bin/python
# `sam build` needs python3.13 on the path, and uses the checkout's uv: see tools/setup/uv_download.py.
export PATH := $(CURDIR)/.venv/bin:$(PATH)
export MERIDIAN_UV := $(CURDIR)/.meridian/bin/uv
export SAM_CLI_TELEMETRY := 0
export __SAM_CLI_APP_DIR := $(CURDIR)/.meridian/sam

.PHONY: prose help setup run up down redrive reconcile verify compact chaos prove test check lint types unit package integration validate build bench deploy requirements

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo
	@echo "  run:      LOG=path-or-URL (an access log of your own, or "model")  CLIENTS=8  PORT, EMULATOR_PORT (free ones)"
	@echo "  up:       PORT=8080  EMULATOR_PORT=4566  REGIONS=eu-west-2,ap-south-1 (beside us-east-1)"
	@echo "  verify:   RESTORE=1  HOURS=168 (how far back the streams are read; 0 for not at all)  STAGE, REGION (on AWS)"

setup: ## the environments: uv, Python 3.13, everything that uv.lock names
	@$(PYTHON3) tools/setup/bootstrap.py

run: setup ## the whole system once: build, deploy, replay real traffic, report, stop
	@$(PY) -m tools.dev run

up: setup ## the whole system, serving until Ctrl-C
	@$(PY) -m tools.dev up

redrive: setup ## bring in what did not get into the lake; STAGE= and REGION= for a stack on AWS
	@$(PY) -m tools.operate redrive

reconcile: setup ## compare the appointments with the lake, and repair the lake
	@$(PY) -m tools.operate reconcile

verify: setup ## is everything in the lake that ever was? RESTORE=1 brings back what was deleted
	@$(PY) -m tools.operate verify $(if $(RESTORE),--restore) $(if $(HOURS),--hours $(HOURS))

compact: setup ## one file of each hour's many in the lake, as the schedule does; NOW=1 takes this hour too
	@$(PY) -m tools.operate compact $(if $(NOW),--now)

chaos: setup ## the whole system under faults, and what was lost: nothing. SEED= repeats a run
	@$(PY) -m tools.dev chaos

prove: setup ## the writer under 20,000 drawn histories of faults, and six that break. SEED= repeats a run
	@PYTHONPATH=src:. $(PY) -m tests.unit.stream_processor.proof $(if $(SEED),--seed $(SEED))

down: setup ## stop what an earlier run or up left behind
	@$(PY) -m tools.dev down

check: setup lint types unit ## lint, types, unit and property tests: the everyday loop

lint: setup ## ruff, and cfn-lint on every template
	@.venv/bin/ruff check --no-cache .
	@.venv/bin/ruff format --check --quiet .
	@.venv/bin/cfn-lint template.yaml stacks/*.yaml

prose: setup ## stilted constructions per 1,000 words of prose, by folder; LIST=1 shows each
	@$(PY) -m tools.prose $(if $(LIST),--list)

types: setup ## mypy, strict
	@.venv/bin/mypy

unit: setup ## unit and property tests, sockets off
	@$(PY) -m pytest -q -n 2 --dist worksteal -m "not package and not integration and not browser and not spark"

build: setup ## what `sam build` makes of every function
	@.venv/bin/sam build

validate: setup ## SAM's own opinion of the template
	@.venv/bin/sam validate --lint

spark: setup ## the lake's SQL in Spark too (Java 17): its answers are those of DuckDB
	@test -x .venv-spark/bin/python || { "$(MERIDIAN_UV)" venv -q --python 3.13 .venv-spark && "$(MERIDIAN_UV)" pip install -q --python .venv-spark/bin/python pyspark==4.3.0; }
	@$(PY) -m pytest -q -m spark tests/unit/lake

package: build ## tests of the packages that sam build made
	@$(PY) -m pytest -q -m package

integration: build ## tests on the running system, a real browser among them
	@$(PY) -m tools.setup.browser
	@$(PY) -m pytest -q -m "integration or browser"

test: check validate package integration ## everything that checks the project
	@$(PY) -m tools.dev run

bench: build ## every figure of the documents, as ratios against named peers in one run
	@missed=; for it in auth ingest cost stream school; do echo "# benchmarks/$$it.py"; $(PY) benchmarks/$$it.py || missed="$$missed $$it"; done; \
	if [ -n "$$missed" ]; then echo "MISSED A DEMAND:$$missed"; exit 1; fi

deploy: build ## to AWS: PLACE=default (the home region), london, mumbai, ... of samconfig.toml
	@$(PY) -m tools.deploy $(or $(PLACE),default)

requirements: setup ## export each function's hash-pinned requirements from the lock
	@$(PY) -m tools.setup.requirements
