# One word each. Everything is made below this folder: .venv, node_modules, cdk.out, .jitr.
SHELL := /bin/bash
PYTHON ?= python3
BIN := .venv/bin
export JSII_SILENCE_WARNING_UNTESTED_NODE_VERSION := 1
export JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION := 20
# Node 20 still runs the pinned CDK; jsii would print a page about its age at every synth.
unexport PYTHONDONTWRITEBYTECODE
# Images for CI set it; the tests start Python hundreds of times, and each start would compile our modules again.

.PHONY: help install demo test check check-deep lint format unit e2e docs synth bench policy-tables bench-crl bench-storm device-clients lock clean

help: ## show this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

install: .venv/.installed ## set up .venv, node_modules and the emulator's own environment

.venv/.installed: requirements-dev.txt local/requirements.txt local/mosquitto.sh pyproject.toml package-lock.json
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "jitr needs Python 3.11 or newer; name one: make PYTHON=python3.12")'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	$(PYTHON) -m venv .venv/emulator
	.venv/emulator/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r local/requirements.txt
	npm ci --no-audit --no-fund --loglevel=error
	sh local/mosquitto.sh
	@touch $@

demo: install ## the main job end to end on this computer
	$(BIN)/jitr local demo

test: install ## every test
	@# Apart, so that the emulator's clocks do not run against the model search for two cores.
	$(BIN)/pytest tests/e2e -n 2 --dist loadgroup
	$(BIN)/pytest tests/unit tests/infra tests/cli -n 2 --dist loadgroup

unit: install ## the tests that need nothing but Python
	$(BIN)/pytest -n 2 tests/unit tests/cli

e2e: install ## the emulator, the real CDK deploy, real MQTT
	$(BIN)/pytest tests/e2e

bench-crl: install ## time and memory of the CRL check, beside the floor and others
	$(BIN)/python -m bench.crl

bench-storm: install ## storms of 10^2 to 10^4 devices, in virtual time, beside the field's usual handler
	$(BIN)/python -m bench.storm

device-clients: install ## other people's MQTT clients at their first connect, and our programs with them
	$(PYTHON) -m venv .venv/clients
	.venv/clients/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r local/clients/requirements.txt
	mkdir -p .venv/clients/node && cp local/clients/package.json local/clients/package-lock.json .venv/clients/node
	cd .venv/clients/node && npm ci --no-audit --no-fund --loglevel=error
	$(BIN)/python -m jitr_local.clients
	$(BIN)/pytest tests/device_clients

lint: install ## ruff, mypy strict, import contract
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: install ## let ruff mend what it can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

check-deep: install ## search the races of activation, enforcement and operators deeper than make test does
	$(BIN)/pytest tests/unit/enforcement -m race --race-depth=deep -n 2 --dist loadgroup

check: lint test ## everything that has to pass before a change lands

docs: install ## the pages that are made of the code: docs/cli.md, docs/policy-lint.md, docs/policy-language.md
	$(BIN)/python -m jitr_cli.reference > docs/cli.md
	$(BIN)/python -m jitr_fleet.policies.authoring.pages

synth: install ## the CloudFormation templates of fleet.toml
	npx cdk synth --quiet

bench: install ## every figure of the project in one table, beside its peer or floor
	$(BIN)/python -m bench

policy-tables: install ## compare the tables of the policy language with AWS's public data
	$(BIN)/python -m tools.policy_tables

lock: ## resolve the .in files again into the hashed locks (needs uv: pip install uv)
	for each in lambda/requirements requirements requirements-dev local/requirements local/clients/requirements; do \
		uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url $$each.in -o $$each.txt || exit 1; done

clean: ## remove everything that was made here
	rm -rf .venv node_modules cdk.out .jitr build *.egg-info
