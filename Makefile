# make demo    train on real images and show the result
# make test    run every test
# make check   style, types, imports and sizes
#
# Each sets up .venv by itself, once, and again when pyproject.toml or constraints.txt change.
# Another Python than python3, 3.11 or newer: make demo PYTHON=python3.13

PYTHON ?= python3
PIP = .venv/bin/python -m pip install -qq --no-compile

# The pins reach pip as variables, not as an option, so that they also hold for the setuptools of the
# environment in which it builds striate; pip 25.3 and newer read the second variable for that.
export PIP_CONSTRAINT = constraints.txt
export PIP_BUILD_CONSTRAINT = constraints.txt

.PHONY: demo test check

demo: .venv/installed
	.venv/bin/python scripts/demo.py

test: .venv/installed-dev
	scripts/test

check: .venv/installed-dev
	scripts/check

.venv/installed: pyproject.toml constraints.txt | .venv/bin/pip
	@echo "Installing striate and PyTorch into .venv, once; this takes about half a minute."
	$(PIP) --editable .
	@$(COMPILE)
	@touch $@

.venv/installed-dev: pyproject.toml constraints.txt | .venv/bin/pip
	@echo "Installing striate, PyTorch and what the tests need into .venv, once; this takes about a minute."
	$(PIP) --editable '.[dev]'
	@$(COMPILE)
	@touch .venv/installed $@

# pip compiles on one core, this on all of them. Files that are no Python on purpose are passed over.
COMPILE = .venv/bin/python -m compileall -qq -j 0 .venv/lib || true

# Not .venv/bin/python: that is there even where a first attempt ended before pip was.
.venv/bin/pip:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "striate needs Python 3.11 or newer; name one with PYTHON=, such as: make demo PYTHON=python3.13"; exit 1; }
	$(PYTHON) -m venv .venv
