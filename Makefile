# One command each. Everything is installed into this folder (.venv, .pagestream); nothing else is touched.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/installed
COMPILED := cli.programs, services.gateway.server, services.progress.app, shared.harness.app, \
	services.ocr.handlers, services.chunker.handlers, services.extractor.handlers

.DEFAULT_GOAL := help
.PHONY: help install up demo test coverage simulate soak check check-web fix docs bench lock clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

install: $(INSTALLED) ## install everything into .venv, from the lock files and checked by hash

$(INSTALLED): requirements/all.txt requirements/uv.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Pagestream needs Python 3.11 or newer; this is " + sys.version.split()[0] + ". Try: make PYTHON=python3.11 …")'
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "Python's venv module is missing; on Debian: apt install python3-venv"; exit 1; }
	@echo "Installing into $(VENV) (once, about 300 MB to download) …"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/uv.txt
	@$(BIN)/uv pip install --python $(BIN)/python --no-deps --require-hashes -r requirements/all.txt
	@$(BIN)/uv pip install --python $(BIN)/python --quiet --no-deps --no-build-isolation --editable .
	@env -u PYTHONDONTWRITEBYTECODE $(BIN)/python -c 'import $(COMPILED)' # so that the first start is as fast as the second
	@touch $@

up: $(INSTALLED) ## start everything on this machine; Ctrl-C stops it
	@$(BIN)/pagestream up

demo: $(INSTALLED) ## start everything, run the sample documents, keep running
	@$(BIN)/pagestream demo

test: $(INSTALLED) ## run all tests, the real parts included
	@$(BIN)/python -m pytest --numprocesses 2 --dist loadscope --no-loadscope-reorder

coverage: $(INSTALLED) ## the lines and branches that the unit, contract and integration tests reach
	@$(BIN)/python -m pytest tests/unit tests/contract tests/integration --numprocesses 2 --dist loadscope \
		--no-loadscope-reorder --timeout 600 --cov --cov-report=term:skip-covered

simulate: $(INSTALLED) ## SEEDS=1000 worlds with faults in virtual time (FROM=, JOBS=); SEED=n tells one at length
	@$(BIN)/python -m tests.simulation $(if $(SEED),--seed $(SEED) --shrink,--from $(FROM) --seeds $(SEEDS) --jobs $(JOBS))

SEEDS ?= 1000
FROM ?= 0
JOBS ?= 2

soak: $(INSTALLED) ## every fault and a random schedule of them under traffic; PAGESTREAM_SEED=… repeats one
	@$(BIN)/python -m pytest tests/chaos tests/simulation -m "soak or not soak" --numprocesses 2 --dist worksteal --durations=20

check: $(INSTALLED) ## lint, format, types, architecture; the page too where there is Node.js
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@if node -e 'const [major, minor] = process.versions.node.split("."); process.exit(major * 100 + +minor < 2019 ? 1 : 0)' 2>/dev/null; \
	then if $(MAKE) --no-print-directory --silent node_modules/.package-lock.json; then $(MAKE) --no-print-directory check-web; \
	else echo "The page is not linted: npm could not install the linters."; fi; \
	else echo "The page is not linted: there is no Node.js 20.19 or newer."; fi

check-web: node_modules/.package-lock.json
	@npx --no-install eslint services/gateway/web tests/web
	@npx --no-install tsc --noEmit --strict --lib ES2023,DOM types/*.d.ts

node_modules/.package-lock.json: package-lock.json
	@npm ci --silent --ignore-scripts --no-audit --no-fund
	@touch $@

fix: $(INSTALLED) ## repair what ruff can repair, and format
	@$(BIN)/ruff check --fix --exit-zero --quiet .
	@$(BIN)/ruff format --quiet .
	@$(BIN)/ruff check .

docs: $(VENV)/docs/installed ## build docs/ and the reference of the code as a site, into build/site
	@NO_MKDOCS_2_WARNING=1 $(VENV)/docs/bin/mkdocs build --quiet --strict --clean
	@echo "The site is in build/site/."

$(VENV)/docs/installed: $(INSTALLED) requirements/docs.txt
	@$(BIN)/uv venv --quiet --clear $(VENV)/docs
	@$(BIN)/uv pip install --quiet --python $(VENV)/docs/bin/python --no-deps --require-hashes -r requirements/docs.txt
	@touch $@

bench: $(INSTALLED) ## pages per second against plain tesseract
	@$(BIN)/python -m benchmarks.pipeline

lock: $(INSTALLED) ## resolve pyproject.toml anew into the lock files
	@$(BIN)/uv pip compile pyproject.toml --extra stack --extra dev $(LOCK) -o requirements/all.txt
	@$(BIN)/uv pip compile pyproject.toml $(LOCK) -c requirements/all.txt -o requirements/services.txt
	@$(BIN)/uv pip compile --group docs $(LOCK) -o requirements/docs.txt

LOCK := --quiet --generate-hashes --universal --no-emit-index-url --no-header --no-annotate --override requirements/overrides.txt

clean: ## remove what was installed and stored
	rm -rf $(VENV) .pagestream
