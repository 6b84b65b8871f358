# Every command of the project; `make` alone lists them.
PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin/python
LOCAL := $(RUN) -m deploy.dev_stack
SERVICES := identity_service dossier_service sync_service gateway
CODE := deploy shared $(SERVICES) tests
INSTALLED := $(VENV)/.installed
# "fewest": one version of a package for all Pythons, so that the locks cannot drift apart.
PIN := $(VENV)/bin/uv pip compile --quiet --upgrade --generate-hashes --no-header --universal \
	--fork-strategy fewest --no-emit-index-url
COMPILE := $(PIN) pyproject.toml
N ?= 100000

.DEFAULT_GOAL := help
.PHONY: help install run stop status logs demo test test-kafka faults fuzz client-tools lint types format lock migrate people \
	dead-letters replay backup restore verify-ledger verify-counters rebuild bench schemas texts freeze up demo-docker down clean

help: ## list the commands
	@grep -hE '^[a-z0-9_-]+:.*## ' $(MAKEFILE_LIST) | awk 'BEGIN {FS = ":.*## "}; {printf "%-14s %s\n", $$1, $$2}'

install: $(INSTALLED) ## make .venv with the locked packages

$(INSTALLED): requirements-dev.lock
	@$(PYTHON) deploy/install.py $(VENV) requirements-dev.lock
	@touch $@

run: $(INSTALLED) ## start everything on this machine, until Ctrl-C (no Docker, no Java)
	@$(LOCAL) up

stop: $(INSTALLED) ## end what `make run` started, also after a crash
	@$(LOCAL) stop

status: $(INSTALLED) ## what runs, and whether it is ready
	@$(LOCAL) status

logs: $(INSTALLED) ## all lines about TRACE, the trace_id or X-Request-Id of an answer, in the logs of the last runs
	@$(LOCAL) logs "$(TRACE)"

demo: $(INSTALLED) ## the story of one dossier, step by step through the gateway
	@$(LOCAL) with $(RUN) -m deploy.demo

# SECONDS and DOSSIERS make it short and small; .run-bench keeps about 5 GB of dossiers between runs.
export ONLY RECORD SECONDS DOSSIERS SHORT
bench: $(INSTALLED) ## measure (15 minutes and more): SHORT=1 for CPU alone, ONLY=part,part, RECORD=1 to hold later runs to it
	@$(RUN) -m deploy.bench

up: ## start everything in Docker, with Apache Kafka; SANDBOX=true with clients and people to try it
	docker compose up --build --detach --wait
	@deploy/compose/summary.sh

demo-docker: ## the same story in the image of `SANDBOX=true make up`, through its gateway
	docker compose run --rm demo

down: ## end what `make up` started; the data stays
	docker compose --profile watch --profile demo down

# WORKERS=4 processes; by itself two for each processor, because the tests wait for much.
WORKERS ?= auto
PYTEST = env -u ONLY $(RUN) -m pytest --numprocesses $(WORKERS) --dist loadfile
test: $(INSTALLED) ## all tests, on the embedded PostgreSQL and broker; ONLY=tests/path for a part
	$(PYTEST) $(ONLY)

# Each worker starts a server, after the one download that they share.
test-kafka: WORKERS = 2
test-kafka: $(INSTALLED) ## the tests that touch the broker, on Apache Kafka itself (Java 17, Maven)
	@$(RUN) -c 'from deploy.kafka.server import fetch_jars; fetch_jars()'
	TEST_KAFKA=apache $(PYTEST) -m broker $(ONLY)

client-tools: ## linter, generators, compiler and OAuth libraries that tests/clients needs, in .tools (npm, Maven)
	@mkdir -p .tools && cp tests/clients/package.json tests/clients/package-lock.json tests/clients/.npmrc .tools
	cd .tools && npm ci --silent --ignore-scripts --no-audit --no-fund
	$(PYTHON) -m venv .tools/python
	.tools/python/bin/pip install --quiet --disable-pip-version-check --require-hashes -r tests/clients/requirements.lock
	rm -rf .tools/java
	mvn -q -B -Dstyle.color=never -f tests/clients/java/pom.xml dependency:copy-dependencies \
		-DoutputDirectory=$(CURDIR)/.tools/java -Dmdep.stripVersion=true

TIMES ?= 10
fuzz: $(INSTALLED) ## ask APIs, parsers and rights TIMES=10 as much as `make test` does
	FUZZ_TIMES=$(TIMES) $(PYTEST) tests/fuzz tests/access

faults: $(INSTALLED) ## strike every part under load, prove that nothing is lost (SEED, ONLY, SOAK …)
	@$(RUN) -m tests.faults

lint: $(INSTALLED) ## format, rules, layers
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/ruff check .
	$(VENV)/bin/lint-imports

types: $(INSTALLED) ## mypy --strict
	$(VENV)/bin/mypy $(CODE)

format: $(INSTALLED) ## let ruff write the code as it should be
	$(VENV)/bin/ruff format .
	$(VENV)/bin/ruff check --fix .

lock: $(INSTALLED) ## newest versions that pyproject.toml allows, with hashes
	$(COMPILE) -o requirements.lock
	$(COMPILE) --all-extras -c requirements.lock -o requirements-dev.lock
	$(PIN) tests/clients/requirements.in -o tests/clients/requirements.lock

migrate: $(INSTALLED) ## bring the databases of the running stack to the newest shape
	@for service in $(SERVICES); do $(LOCAL) as $$service $(RUN) -m $$service migrate || exit; done

people: $(INSTALLED) ## fill the running stack's register up to N=100000 synthetic people
	@$(LOCAL) as identity_service $(RUN) -m identity_service people load --count $(N)

S ?= sync_service
DO ?= list
dead-letters: $(INSTALLED) ## messages that service S could not handle; DO="list|show ID|replay ID|discard ID"
	@$(LOCAL) as $(S) $(RUN) -m $(S) dead-letters $(DO)

replay: $(INSTALLED) ## send the events of the last days again, to refill a broker that lost them
	@for service in $(SERVICES); do $(LOCAL) as $$service $(RUN) -m $$service replay || exit; done

backup: $(INSTALLED) ## write databases and secrets of the stack to one file, FILE=backup.tar
	@$(RUN) -m deploy.backup write $(FILE)

restore: $(INSTALLED) ## put the data of FILE=backup.tar in place of none; HOW="--replace --secrets-only"
	@$(RUN) -m deploy.backup restore $(FILE) $(HOW)

verify-ledger: $(INSTALLED) ## check every batch and signature of the running stack's access ledger; KEPT="--receipts FILE"
	@$(LOCAL) as gateway $(RUN) -m gateway verify-ledger $(KEPT)

verify-counters: $(INSTALLED) ## compare the counters of the indicators with a recount of all dossiers
	@$(LOCAL) as sync_service $(RUN) -m sync_service verify-counters

rebuild: $(INSTALLED) ## make the national view anew from the events that the broker retains
	@$(LOCAL) as sync_service $(RUN) -m sync_service rebuild national_view

schemas: $(INSTALLED) ## write what is made out of the code: schemas, collections, problem types, tables of documents
	$(RUN) -m deploy.schemas
	$(RUN) -m deploy.api_collections
	$(RUN) -m deploy.sandbox_page
	$(RUN) -m deploy.problem_types
	$(RUN) -m tests.access.guide
	$(RUN) -m deploy.reference

texts: $(INSTALLED) ## write new texts for persons into shared/locales, to be translated there
	$(RUN) -m deploy.texts

freeze: $(INSTALLED) ## keep the databases of this version, which tests upgrade from then on, as NAME=0.2.0
	$(RUN) -m tests.upgrade.freeze $(NAME)

clean: stop ## remove .run (the data of `make run`), .run-bench (that of `make bench`), every cache
	rm -rf .run .run-bench .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -not -path './$(VENV)/*' -prune -exec rm -rf {} +
