# Run from any folder: make -C /path/to/algorium up
PYTHON ?= python3
RUN := .venv/bin/python -m
PACKAGES := core catalog billing search execution web
BOOTSTRAP := command -v "$(PYTHON)" >/dev/null || { \
	echo "Python was not found. Install Python 3.11 or newer (Debian: apt-get install python3 python3-venv)." >&2; \
	exit 2; }; "$(PYTHON)" bootstrap.py

.DEFAULT_GOAL := help
.PHONY: help up test check format doctor environment

help: ## show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' Makefile

up: ## set everything up and run it at http://127.0.0.1:8000 until Ctrl-C
	@$(BOOTSTRAP)
	@ALGORIUM_UNDER_MAKE=1 exec $(RUN) web.cli up

test: ## set everything up and run the whole suite (ARGS="-k name" for a part of it)
	@$(BOOTSTRAP) test
	@exec $(RUN) pytest $(ARGS)

check: environment ## lint, formatting, types, imports between packages, templates
	$(RUN) ruff check
	$(RUN) ruff format --check
	$(RUN) mypy $(PACKAGES)
	.venv/bin/lint-imports
	.venv/bin/djlint --quiet --check web/templates
	.venv/bin/djlint --quiet --lint web/templates

format: environment ## put code and templates into shape
	$(RUN) ruff check --fix
	$(RUN) ruff format
	.venv/bin/djlint --quiet --reformat web/templates

doctor: ## tell what on this machine is in the way of running it
	@$(BOOTSTRAP)
	@exec $(RUN) web.cli doctor

environment:
	@$(BOOTSTRAP) dev
