# `make run` runs the whole system once, `make test` runs every check, `make help` lists the rest.
MAKEFLAGS += --no-print-directory
PY := .venv/bin/python
# `sam build` needs python3.13 on the PATH, and uses the checkout's uv (tools/setup/uv_download.py).
export PATH := $(CURDIR)/.venv/bin:$(PATH)
export MERIDIAN_UV := $(CURDIR)/.meridian/bin/uv
export SAM_CLI_TELEMETRY := 0
export PYTHON3
# A conda set-up may point the first two at another interpreter's library. Without bytecode, each process
# compiles its modules again, and the unit tests take a minute longer.
unexport PYTHONHOME PYTHONPATH PYTHONDONTWRITEBYTECODE
export __SAM_CLI_APP_DIR := $(CURDIR)/.meridian/sam
export Q FUNCTION EVENT TRACE FOLLOW ID DEBUG_PORT CONFIRM
BENCHMARKS := auth catalogue ingest ingest_versions cost history one_day stream stream_versions school reload deploy tracing
# Three processes on two cores: tests of a running system often wait. Tests that share a system run in
# one process (tests/support/groups.py), in the order of the groups.
PARALLEL := -n 3 --dist loadgroup --no-loadscope-reorder
# Each process imports the test files of its folders, so the suites name theirs.
UNIT_TESTS := tests/unit aws_emulator/tests tools/tests
SYSTEM_TESTS := tests/package tests/system aws_emulator/tests tools/tests
SLOW_TESTS := $(addprefix tests/unit/,architecture edge_ingest lake office stacks stream_processor)

# Property-based tests draw more examples than in `make check` (conftest.py).
ifneq ($(filter test,$(MAKECMDGOALS)),)
export HYPOTHESIS_PROFILE ?= full
endif

# BUILT=1 deploys the existing output of `sam build`, as the pipeline does with its artifact.
BUILD := $(if $(BUILT),setup,build)

.PHONY: help setup run up dev down catalogue student region sql invoke debug logs trace redrive reconcile verify compact table reprocess migrate revoke person erase evacuate rotate failover conflicts why source suppress chaos gameday prove check lint lint-templates types unit build validate package integration test nightly spark readers marts bench capacity prose screenshots reference preflight deploy leftovers smoke destroy requirements

help: ## List the targets and their options
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo
	@echo "Options, as in: make run LOG=access.log CLIENTS=4"
	@echo "  run        LOG=<path, URL or 'model'>  CLIENTS=<1-64, default 8>  KEEP=1 (keep the lake for 'make sql')"
	@echo "             PORT=, EMULATOR_PORT= (default: free ports)"
	@echo "  up, dev    REGIONS=eu-west-2,ap-south-1 (in addition to the home; one address each)  PORT=8080  EMULATOR_PORT=4566"
	@echo "             DOMAIN=school.example (a domain name with health checks, answered by a DNS server on 127.0.0.1)"
	@echo "             CATALOGUE=0 (without the course catalogue)"
	@echo "  run, up, dev"
	@echo "             HOME_REGION=eu-west-2 (Region of the data and users, default us-east-1; the edge is in us-east-1)"
	@echo "  catalogue  REGIONS=<further Regions, default eu-west-2>  HOME_REGION=<Region of the primary>"
	@echo "  student    EMAIL=<address>  PAYING=1 (may read paid pages)  STAFF=1 (may see events)  OPERATOR=1 (may see the cockpit)  PASSWORD=<12 characters or more>"
	@echo "  region     ADD=<Region> or REMOVE=<Region>"
	@echo "  sql        Q='<statement>' (default: read statements from the terminal)"
	@echo "  invoke     FUNCTION=<logical ID>  EVENT=<JSON file>"
	@echo "  debug      FUNCTION=<logical ID>  EVENT=<JSON file> (one invocation; default: the requests of 'make up')  DEBUG_PORT=5678"
	@echo "  trace      ID=<x-amz-cf-id of a response, or another ID of a request>"
	@echo "  logs       FUNCTION=<logical ID or function name>  TRACE=<request ID>  FOLLOW=0 (end after the existing lines)"
	@echo "  chaos      SEED=<number> (repeat a run)  PORT=  EMULATOR_PORT="
	@echo "  gameday    SEED=<number> (repeat a day)  PORT=  EMULATOR_PORT="
	@echo "  redrive, reconcile, verify, compact, table, migrate"
	@echo "             STAGE=<stage>  REGION=<Region> (a stack on AWS; default: the system of 'make up')"
	@echo "  revoke     USER=<email address or sub>  SESSION=<origin_jti>  EVERYONE=1 (one of them)"
	@echo "             STAGE=<stage> (a stage on AWS; default: the system of 'make up')"
	@echo "  person     USER=<email address>  EXPORT=<file>  or  ERASE=1 CONFIRM=<email address> REPORT=<file>"
	@echo "             STAGE=<stage> (a stage on AWS; default: the system of 'make up')"
	@echo "  erase      USER=<userId or anonymousId>  CONFIRM=<the same>  EMAIL=<address, also in events>  REPORT=<file>"
	@echo "             STAGE=<stage> (a stage on AWS; default: the system of 'make up')"
	@echo "  evacuate   REGION=<Region>  UNDO=1 (return it)  PLACE=<stage> (on AWS; default: the system of 'make up')"
	@echo "  rotate     PLACE=<stage> (on AWS; default: the system of 'make up')"
	@echo "  failover   TO=<Region>  LOST=1 (the old home doesn't answer)"
	@echo "  conflicts  RESOLVE=1 (email both students and the advisor)"
	@echo "  failover, conflicts"
	@echo "             PLACE=<stage> (on AWS; default: the system of 'make up')"
	@echo "  why        ID=<messageId, request ID, userId or anonymousId>  HOURS=<number, default 24>  FROM=<first day>"
	@echo "             STAGE=<stage>  REGION=<Region> (on AWS; default: every Region of 'make up')"
	@echo "  source     ID=<source>  ACTION=create|configure|rotate|retire|disable|enable|remove  SETTINGS='<JSON>' (without: list the sources)"
	@echo "  suppress   PERSON=<userId or anonymousId>  RELEASE=1 (store the person's events again)"
	@echo "  source, suppress"
	@echo "             STAGE=<stage> (a stage on AWS; default: the system of 'make up')"
	@echo "  verify     RESTORE=1 (restore deleted objects)  HOURS=<number> (how far back to read the streams; default 168, 0: not at all)  FROM=<date> (first date of the objects; default: 9 days before the last complete run)"
	@echo "  reconcile  FROM=<date> (read every object from this date on; default: only new objects)"
	@echo "  compact    NOW=1 (include the current hour)  FROM=<date> (first date; default: 8 days ago)"
	@echo "  table      FROM=<date> (first date; default: 8 days ago)"
	@echo "  reprocess  DAY=<date>  CONFIRM=1 (delete the rows of before)  UNDO=1 (let them be valid again)  REPORT=<file>"
	@echo "             PLACE=<stage> (on AWS; default: the system of 'make up')  REGION=<Region> (default: all)"
	@echo "  prove      SEED=<number>"
	@echo "  capacity   EVENTS=<number a month, default 100M>  PER_REQUEST=<number, default 10>  REGIONS=<home,Region,...>"
	@echo "  prose      LIST=1 (print each match)"
	@echo "  preflight, deploy, leftovers, smoke, destroy"
	@echo "             PLACE=<environment of samconfig.toml, or a stage: prod>"
	@echo "  preflight, deploy"
	@echo "             BUILT=1 (use the existing output of 'make build')"
	@echo "  leftovers  REMOVE=1 (delete the empty ones)"
	@echo "  destroy    CONFIRM=<stack name> (without it, print what would be deleted and kept)"

setup: ## Create the Python environments (uv, Python 3.13, the packages of uv.lock)
	@tools/setup/start.sh

run: setup ## Build, deploy, replay an access log, print a report, stop
	@$(PY) -m tools.dev run

up: setup ## Build, deploy and serve the whole system until Ctrl-C
	@$(PY) -m tools.dev up

dev: setup ## Serve like 'make up', and reload changed code, pages and templates
	@$(PY) -m tools.dev dev

down: setup ## Stop processes of an earlier run, up or chaos
	@$(PY) -m tools.dev down

catalogue: setup ## Run the course catalogue in several Regions; lose and promote them
	@$(PY) -m tools.regional

student: setup ## Create a student in the system of 'make up'
	@$(PY) -m tools.dev student

region: setup ## Add a Region to the system of 'make up', or remove one
	@$(PY) -m tools.dev region

sql: setup ## Query the local data lake with SQL (DuckDB)
	@$(PY) -m tools.lake_sql $(if $(Q),"$$Q")

invoke: setup ## Run a built function with an event, without Docker
	@test -f .aws-sam/build/template.yaml || .venv/bin/sam build
	@$(PY) -m tools.invoke

debug: setup ## Run a function from src/ under a debugger
	@test -f .aws-sam/build/template.yaml || .venv/bin/sam build
	@$(PY) -m tools.debug

trace: setup ## Print the path of a request through the system of 'make up'
	@$(PY) -m tools.trace

logs: setup ## Follow the logs of the system of 'make up'
	@$(PY) -m tools.logs

redrive: setup ## Process discarded batches and invalid events again
	@$(PY) -m tools.operations redrive

reconcile: setup ## Compare the appointments table with the data lake, and repair the lake
	@$(PY) -m tools.operations reconcile $(if $(FROM),--from $(FROM))

verify: setup ## Check that the data lake has no gaps
	@$(PY) -m tools.operations verify $(if $(RESTORE),--restore) $(if $(HOURS),--hours $(HOURS)) $(if $(FROM),--from $(FROM))

# The shell sets USER, too.
revoke: export USER_NAME = $(if $(filter command,$(firstword $(origin USER))),$(USER))
revoke: setup ## Refuse the tokens of a user, a session or everyone within a minute
	@$(PY) -m tools.operations.revoke

person: export USER_NAME = $(if $(filter command,$(firstword $(origin USER))),$(USER))
person: setup ## Export everything about a student as a file, or erase the student
	@$(PY) -m tools.operations.person

erase: export USER_NAME = $(if $(filter command,$(firstword $(origin USER))),$(USER))
erase: setup ## Erase a person from the data lake and the failures bucket of every Region
	@$(PY) -m tools.operations.erase

failover: setup ## Make another Region the home of the bookings (TO=)
	@$(PY) -m tools.operations.failover

conflicts: setup ## List the slots that two students got while the home moved
	@$(PY) -m tools.operations.conflicts

evacuate: setup ## Take a Region out of the answers for the API's name, or return it
	@$(PY) -m tools.operations.evacuate

rotate: setup ## Replace the key with which CloudFront calls the API
	@$(PY) -m tools.operations.rotate

why: setup ## Print where an event is, and why (ID=)
	@$(PY) -m tools.operations.why

source: setup ## List, create and change the collector's sources and write keys, without a deployment
	@$(PY) -m tools.operations.source

suppress: setup ## Store no more events of a person
	@$(PY) -m tools.operations.source suppress

compact: setup ## Merge the lake's objects of each past hour
	@$(PY) -m tools.operations compact $(if $(NOW),--now) $(if $(FROM),--from $(FROM))

table: setup ## Publish the lake's event objects in the Iceberg table
	@$(PY) -m tools.operations table $(if $(FROM),--from $(FROM))

reprocess: setup ## Make the rows of a day again from the stored events, by the current code (DAY=)
	@$(PY) -m tools.operations.reprocess

migrate: setup ## After an upgrade from names with sequence numbers: let the writer start its numbered logs
	@$(PY) -m tools.operations migrate

chaos: setup ## Run the whole system under injected faults, repair it, check the data lake
	@$(PY) -m tools.chaos

gameday: setup ## Lose Regions, services, replication and an edge location under visitors, and check every answer
	@$(PY) -m tools.gameday

prove: setup ## Run the stream processor against 26,250 random fault histories, and check that they detect 34 mutations
	@PYTHONPATH=src:. $(PY) -m tests.unit.stream_processor.proof $(if $(SEED),--seed $(SEED))

check: setup ## Lint, checkov, type checks and unit tests, side by side
	@$(MAKE) -j 3 lint lint-templates types unit
	@$(PY) -m aws_emulator.refusals

lint: setup ## Run ruff, and cfn-lint on all templates
	@.venv/bin/ruff check --no-cache .
	@.venv/bin/ruff format --check --quiet .
	@.venv/bin/cfn-lint template.yaml stacks/*.yaml stacks/*/*.yaml pipeline/*.yaml

lint-templates: setup ## Run checkov on the transformed templates, and zizmor on the workflows
	@if cmp -s tools/setup/checks.txt .venv-checks/checks.txt || { "$(MERIDIAN_UV)" venv -q --clear --python .venv/bin/python .venv-checks && "$(MERIDIAN_UV)" pip install -q --require-hashes --python .venv-checks/bin/python -r tools/setup/checks.txt && cp tools/setup/checks.txt .venv-checks/; }; then \
	$(PY) -m tools.deployment.static_analysis; \
	else echo "WARNING: checkov and zizmor can't be installed, so they don't check the templates and the workflows. Run 'make lint-templates' with a network."; $(if $(filter unit,$(MAKECMDGOALS)),true,false); fi

types: setup ## Run mypy in strict mode
	@.venv/bin/mypy

unit: setup ## Run unit and property tests on two cores
	@$(PY) -m pytest -q -n 2 --dist worksteal -m "not package and not integration and not browser and not proof and not spark and not slow" $(UNIT_TESTS)

build: setup ## Run sam build
	@.venv/bin/sam build

validate: setup ## Run sam validate
	@.venv/bin/sam validate --lint

package: setup ## Run sam build, and test the packages
	@$(PY) -m pytest -q -m package tests/package

integration: setup ## Test the running system, also in a browser
	@$(PY) -m tools.setup.browser
	@$(PY) -m pytest -q $(PARALLEL) -m "(integration or browser) and not nightly" $(SYSTEM_TESTS)

test: check validate ## Run the checks and tests, then make run
	@$(PY) -m tools.setup.browser
	@$(PY) -m tools.setup.spark
	@$(PY) -m tools.setup.readers
	@$(PY) -m pytest -q $(PARALLEL) -m "(package or integration or browser or proof or spark or slow) and not nightly" $(SYSTEM_TESTS) $(SLOW_TESTS)
	@$(MAKE) run

nightly: setup ## Run the further cases of the tests of 'make test'
	@$(PY) -m tools.setup.browser
	@$(PY) -m tools.setup.spark
	@$(PY) -m pytest -q $(PARALLEL) -m nightly $(SYSTEM_TESTS)

spark: setup ## Run the lake's SQL in Spark, with Java from PyPI, and compare with DuckDB
	@$(PY) -m tools.setup.spark
	@$(PY) -m pytest -q -m spark tests/unit/lake

readers: setup ## Read the Iceberg table by foreign readers while it is written
	@$(PY) -m tools.setup.readers
	@$(PY) -m pytest -q tests/system/readers

marts: setup ## Write the daily marts of the local lake with Spark
	@$(PY) -m tools.setup.spark
	@$(PY) -m tools.lake_sql.marts

bench: build ## Run the benchmarks and check their targets
	@failed=; for name in $(BENCHMARKS); do echo "# benchmarks/$$name.py"; $(PY) benchmarks/$$name.py || failed="$$failed $$name"; done; \
	if [ -n "$$failed" ]; then echo "Benchmarks that missed a target:$$failed"; exit 1; fi

capacity: setup ## Calculate latency by city, the quotas that end first, and a month's charges
	@$(PY) benchmarks/capacity.py

reference: setup ## Generate the API's OpenAPI document and its page, and the cockpit's prices and runbook
	@$(PY) -m tools.region_operations
	@$(PY) -m tools.api_reference
	@$(PY) -m tools.runbook_pages
	@$(PY) -m benchmarks.cost_page

screenshots: setup ## Photograph each page of the portal, on a desktop and a phone, in light and in dark
	@SCREENSHOTS=docs/screenshots $(PY) -m pytest -q tests/system/portal/test_page_audit.py

prose: setup ## Count stilted phrases per 1,000 words, by folder
	@$(PY) -m tools.prose $(if $(LIST),--list)

preflight: $(BUILD) ## Check an AWS account before a deployment
	@$(PY) -m tools.deployment preflight $(or $(PLACE),default)

deploy: $(BUILD) ## Deploy to AWS and upload the portal's pages
	@$(PY) -m tools.deployment deploy $(or $(PLACE),default)

leftovers: setup ## List resources that a failed or deleted stack left behind
	@$(PY) -m tools.deployment leftovers $(or $(PLACE),default) $(if $(REMOVE),--remove)

smoke: setup ## Check a deployed system: access to a paid page, an event, an account
	@$(PY) -m tools.deployment smoke $(or $(PLACE),default)

destroy: setup ## Delete a deployed system; data stays
	@$(PY) -m tools.deployment destroy $(or $(PLACE),default)

requirements: setup ## Export each function's pinned requirements from uv.lock
	@$(PY) -m tools.setup.requirements
