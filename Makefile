# Every target sets up what it needs by itself and is quick when nothing changed.

PYTHON ?= python3
FORMAT ?= parquet
GLUE_VERSION ?=
TABLES ?= 500
SCHEDULES ?= 300
INPUTS ?= 2000
ITEMS ?= 500000
ACCEPTANCE ?=
ROUNDS ?= 5
# Tests with fewer generated examples in every other run than in test-deep, beside tests/types.
EXAMPLES := tests/jobs/schema/test_types.py

FIGURES := benchmarks/figures
VENV := .venv
OUTCOMES := $(CURDIR)/.outcomes
BIN := $(VENV)/bin
RUN_ACCEPTANCE = PYTHONPATH=tests:tests/types:tests/engines $(BIN)/python tests/acceptance/acceptance.py
# Two stages, so that a first demo does not wait for the tools of the tests.
LOCAL := $(VENV)/.local-installed
TEST := $(VENV)/.test-installed
ENGINES := $(VENV)/.engines-installed
DOCS := $(VENV)/.docs-installed
LOWEST := $(VENV)/lowest
# In a place of its own, because it pins a hundred packages.
CHECKOV_VERSION := 3.3.30
CHECKOV := $(VENV)/checkov/.installed-$(CHECKOV_VERSION)
SELENIUM_VERSION := 4.51.0
AUDIT_TOOLS := pip-audit==2.10.1 bandit==1.9.4
AUDIT := $(VENV)/audit/.installed

# Containers often set it. Each of the thousands of processes of the tests would compile everything.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help demo templates test test-quick test-deep test-engines test-engines-all test-lowest test-browser audit acceptance acceptance-clean lint style types rules classes docs bench clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(LOCAL) ## Export two items end to end on this machine (FORMAT=avro|csv|json|orc|parquet|xml)
	@$(BIN)/dynoexport local demo --format $(FORMAT)

templates: $(LOCAL) ## Write templates/*.yaml and scripts/*.py (GLUE_VERSION=... changes the default version)
	@$(BIN)/dynoexport templates --output-dir templates --scripts-dir scripts $(if $(GLUE_VERSION),--glue-version $(GLUE_VERSION))

test: classes lint ## Lint, types, template drift and all tests
	@$(BIN)/dynoexport templates --output-dir templates --scripts-dir scripts --check
	$(BIN)/pytest -n 3 --dist loadfile --no-loadscope-reorder

test-quick: $(TEST) ## What needs neither Spark nor the endpoint
	$(BIN)/pytest -n 2 --dist loadfile -m "not endpoint and not spark and not deep"

test-deep: $(TEST) ## All that takes long: generated tables, all examples, faults, hostile input, kills (TABLES=, SCHEDULES=, INPUTS=)
	DYNOEXPORT_EXAMPLES=all $(BIN)/pytest -n 2 $(EXAMPLES)
	DYNOEXPORT_TABLES=$(TABLES) DYNOEXPORT_EXAMPLES=all $(BIN)/pytest -n 2 -m "deep or not deep" tests/types
	@rm -rf $(OUTCOMES) && mkdir -p $(OUTCOMES)
	DYNOEXPORT_SCHEDULES=$(SCHEDULES) DYNOEXPORT_INPUTS=$(INPUTS) DYNOEXPORT_OUTCOMES=$(OUTCOMES) \
	  $(BIN)/pytest -n 2 -m "deep or not deep" tests/faults tests/hostile
	DYNOEXPORT_OUTCOMES=$(OUTCOMES) $(BIN)/pytest -n 2 -m deep tests/functional tests/acceptance
	@$(BIN)/python tests/faults/outcome_report.py $(OUTCOMES)

test-engines: $(ENGINES) ## Independent judges: Trino, Glue 5.1 and 4.0, S3A, SDKs and others (tests/engines/README.md)
	$(BIN)/pytest -n 2 tests/engines

test-engines-all: $(ENGINES) ## The same with every Glue version
	$(BIN)/pytest -n 2 -m "deep or not deep" tests/engines

test-lowest: ## The oldest versions of the dependencies that setup.cfg allows (PYTHON=)
	@$(PYTHON) -m venv --clear $(LOWEST)
	@sed -n -e '/^install_requires/,/^$$/s/>=/==/p' -e '/^files =/,/^local =/s/>=/==/p' setup.cfg > $(LOWEST)/versions.txt
	@$(LOWEST)/bin/pip install --quiet --disable-pip-version-check -r $(LOWEST)/versions.txt .
	@$(LOWEST)/bin/dynoexport templates --output-dir templates --scripts-dir scripts --check
	@$(LOWEST)/bin/dynoexport plan --describe docs/examples/sizes.json --read-mode native
	@$(LOWEST)/bin/python -c 'import dynoexport; [getattr(dynoexport, name) for name in dynoexport.__all__]'
	@$(LOWEST)/bin/dynoexport --help > $(LOWEST)/help.txt

test-browser: $(TEST) ## A web page in a real Chromium gets nothing from the endpoint (apt: chromium, chromium-driver)
	@$(BIN)/pip install --quiet --disable-pip-version-check selenium==$(SELENIUM_VERSION)
	$(BIN)/pytest tests/browser

audit: $(TEST) $(CHECKOV) $(AUDIT) ## Known vulnerabilities, code, templates, permissions; docs/security.md gets the results
	@$(BIN)/python tests/audit/audit.py $(VENV)

acceptance: $(LOCAL) ## Try everything on your AWS account, and remove it again; asks first (ACCEPTANCE=--local)
	@$(RUN_ACCEPTANCE) run $(ACCEPTANCE)

acceptance-clean: $(LOCAL) ## Remove what a killed acceptance run has left (ACCEPTANCE="--region ...")
	@$(RUN_ACCEPTANCE) clean $(ACCEPTANCE)

lint: $(TEST) $(DOCS) ## Lint, types, words, checks of the templates, and the documentation site
	@$(MAKE) --no-print-directory -j 2 types style rules docs

style: $(TEST)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/codespell
	$(BIN)/pytest -q tests/language

types: $(TEST)
	$(BIN)/mypy

rules: $(TEST) $(CHECKOV)
	@# In all three partitions, informational findings included.
	$(BIN)/cfn-lint --include-checks I --regions us-east-1 cn-north-1 us-gov-west-1 -- templates/*.yaml
	$(VENV)/checkov/bin/checkov --config-file .checkov.yaml

classes: $(LOCAL)
	@# Spark starts in half the time when a first run has listed its classes.
	@$(BIN)/dynoexport local demo > /dev/null

docs: $(DOCS) ## Build the documentation site: site/index.html
	@# With --quiet, --strict would not see the warnings.
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

bench: $(LOCAL) ## Measure everything and write docs/benchmarks.md (hours; ITEMS=, ROUNDS=)
	@$(BIN)/python benchmarks/reader.py --items $(ITEMS) --rounds $(ROUNDS) --output $(FIGURES)/reader.json
	@$(BIN)/python benchmarks/limiter.py --output $(FIGURES)/limiter.json
	@$(BIN)/python benchmarks/planning.py --beyond 0.05
	@$(BIN)/python benchmarks/generator.py --rounds $(ROUNDS) --output $(FIGURES)/generator.json
	@$(BIN)/python benchmarks/demo.py --rounds $(ROUNDS) --output $(FIGURES)/demo.json
	@$(BIN)/python benchmarks/engines.py --rounds $(ROUNDS) --output $(FIGURES)/engines.json
	@$(BIN)/python benchmarks/whole_job.py --rounds $(ROUNDS) --output $(FIGURES)/whole_job.json
	@$(BIN)/python benchmarks/decoding.py --rounds $(ROUNDS)
	@$(BIN)/python benchmarks/scan.py --items 400 4000 20000 200000 --export
	@$(BIN)/python benchmarks/status.py
	@$(BIN)/python benchmarks/transform.py
	@$(BIN)/python benchmarks/memory.py
	@$(HOME)/.cache/dynoexport-bench/peers/bin/python benchmarks/report.py

clean: ## Remove everything that the targets made
	rm -rf $(VENV) $(OUTCOMES) build dist site *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(BIN)/pip:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' 2>/dev/null || \
	  { echo "dynoexport needs Python 3.10 or later: make PYTHON=/path/to/python3" >&2; exit 1; }
	@echo "Setting up $(VENV) (once)"
	@$(PYTHON) -m venv $(VENV)

$(LOCAL): setup.cfg pyproject.toml | $(BIN)/pip
	@# uv takes a third of pip's time. Where it cannot install, such as from an index that only pip knows, pip does.
	@{ $(BIN)/pip install --quiet --disable-pip-version-check uv && \
	  $(BIN)/uv pip install --quiet --python $(BIN)/python --editable '.[local]'; } 2>/dev/null || \
	  $(BIN)/pip install --quiet --disable-pip-version-check --editable '.[local]'
	@touch $@

$(TEST): setup.cfg pyproject.toml | $(LOCAL)
	@$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[local,test]'
	@touch $@

$(ENGINES): setup.cfg pyproject.toml | $(TEST)
	@$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[local,test,engines]'
	@touch $@

$(DOCS): setup.cfg pyproject.toml | $(BIN)/pip
	@$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[docs]'
	@touch $@

$(CHECKOV): | $(BIN)/pip
	@echo "Setting up checkov (once)"
	@$(PYTHON) -m venv --clear $(VENV)/checkov
	@$(VENV)/checkov/bin/pip install --quiet --disable-pip-version-check checkov==$(CHECKOV_VERSION)
	@touch $@

$(AUDIT): Makefile | $(BIN)/pip
	@echo "Setting up pip-audit and bandit (once)"
	@$(PYTHON) -m venv --clear $(VENV)/audit
	@$(VENV)/audit/bin/pip install --quiet --disable-pip-version-check $(AUDIT_TOOLS)
	@touch $@
