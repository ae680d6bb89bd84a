# The front door. Every target makes its own virtual environment in .venv the first time.
#   make demo [VIDEO=path]   the whole story by itself, about a minute; ends with the path of the evidence
#   make live [VIDEO=path]   the same, and you are the owner, in your browser
#   make test | lint | bench | fuzz | device-test | clean
SHELL := /bin/sh
.DEFAULT_GOAL := help
.PHONY: help demo live test lint bench fuzz device-test lock clean need-demo need-test

PYTHON := .venv/bin/python
VENV := .venv/.installed
VIDEO ?=
TESTS ?=
FUZZ_SECONDS ?= 60

help:
	@sed -n 's/^#   //p' Makefile

# The system's packages: installed where we may, else one line says which.
need-demo:
	@tools/need demo
need-test:
	@tools/need test

# The newest Python that the lock was made for and that can make a virtual environment. The lock is complete; without
# --no-deps an older pip looks past its pin for coverage[toml] and stops once there is a newer coverage.
$(VENV): requirements/dev.txt pyproject.toml | need-demo
	@set -eu; \
	if [ ! -x $(PYTHON) ]; then \
	  for p in python3.13 python3.12 python3.11 python3; do \
	    if $$p -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then found=$$p; break; fi; \
	  done; \
	  if [ -z "$${found:-}" ]; then echo "Python 3.11 or newer with venv is needed: apt install python3 python3-venv" >&2; exit 1; fi; \
	  echo "Making .venv with $$($$found --version) (once, about a minute)"; \
	  $$found -m venv .venv; \
	fi; \
	$(PYTHON) -m pip --disable-pip-version-check install -qq --no-deps --require-hashes -r requirements/dev.txt; \
	$(PYTHON) -m pip --disable-pip-version-check install -qq --no-deps --no-build-isolation -e .; \
	$(PYTHON) -m pip --disable-pip-version-check check -qq; \
	touch $@

demo: need-demo $(VENV)
	@$(PYTHON) -m demo $(if $(VIDEO),--video "$(VIDEO)")

live: need-demo $(VENV)
	@$(PYTHON) -m demo --live $(if $(VIDEO),--video "$(VIDEO)")

test: need-test $(VENV)
	$(PYTHON) -m pytest -q -n auto --maxprocesses 4 --dist loadfile --ignore=tests/device --cov --cov-report=term:skip-covered $(TESTS)

lint: $(VENV)
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	.venv/bin/lint-imports --no-cache
	@if command -v systemd-analyze >/dev/null 2>&1; then $(PYTHON) -m tests.systemd.verify; \
	else echo "systemd-analyze is not here: the units were not verified"; fi

# Each benchmark is a module that measures both sides in the same run and prints its figures.
bench: $(VENV)
	@set -eu; for f in benchmarks/[a-z]*.py; do m=$$(basename "$$f" .py); \
	  echo "== $$m"; $(PYTHON) -m "benchmarks.$$m"; done

fuzz: $(VENV)
	@$(PYTHON) -c 'import atheris' 2>/dev/null || \
	  $(PYTHON) -m pip --disable-pip-version-check install -qq 'atheris>=3.0'
	@FUZZ_SECONDS=$(FUZZ_SECONDS) $(PYTHON) -m tests.fuzz

# Real picamera2 on libcamera's virtual camera, then the units under systemd as PID 1, each in a Debian 13 root of its
# own, then v4l2 on Debian's kernel in a virtual machine. Needs root, apt and 3 GB; the first time some minutes more.
device-test: $(VENV)
	@$(PYTHON) -m tests.device
	@$(PYTHON) -m tests.systemd.boot
	@$(PYTHON) -m tests.device.vm

# Versions and hashes of every wheel for every platform; no addresses. Needs uv.
lock:
	uv pip compile pyproject.toml --extra dev requirements/build.in --universal --python-version 3.11 \
	  --generate-hashes --no-annotate --upgrade --quiet --custom-compile-command "make lock" -o requirements/dev.txt

clean:
	rm -rf .venv build dist out htmlcov .coverage .mypy_cache .ruff_cache .pytest_cache .hypothesis *.egg-info
	find agent demo tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +
