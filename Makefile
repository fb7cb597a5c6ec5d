# make test    set up .venv and run the quick suite: unit, property, golden, architecture, lint, types
# make chaos   set up .venv and run the scenario matrix; ends with the verdicts and the report's path
# make fuzz    all methods for linearizability against a plain search, on a hundred thousand histories
# make systems what databases promise, shown on real clusters in network namespaces; fifteen minutes
# make soak    a campaign of ten minutes
# make examples 500 trials of each chaos test of the examples: all must be valid
# make bench   the figures that README and ARCHITECTURE quote
# make pythons environments of the other Pythons that are installed, for the tests that compare them
# make docs   the documentation as pages in docs/_build; a warning is an error
# make pins    write constraints.txt anew
PYTHON ?= python3
BIN := .venv/bin

.PHONY: test chaos fuzz systems soak examples bench docs pythons pins lint clean

test: .venv/ready lint docs
	$(BIN)/pytest -n auto --dist loadfile

lint: .venv/ready
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

chaos: .venv/ready
	$(BIN)/pytest -m chaos

fuzz: .venv/ready
	$(BIN)/pytest -m fuzz -n auto

systems: .venv/ready
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[systems,fuse]'
	$(BIN)/pytest -m systems tests/systems

soak: .venv/ready
	$(BIN)/ostrakon soak --for 10m

examples: .venv/ready
	$(BIN)/pytest -m chaos examples --trials 500 --no-shrink --store store/examples -n auto

docs: .venv/ready
	$(BIN)/sphinx-build --quiet --fresh-env --fail-on-warning --keep-going docs docs/_build

bench: .venv/ready
	$(BIN)/python -m bench

.venv/ready: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Ostrakon needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) --version). Try: make PYTHON=python3.12"; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r constraints.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	rm -rf ostrakon.egg-info  # Python finds it before the installed metadata where the folder is on its path.
	touch $@

pythons:
	@for version in 3.12 3.13; do \
	  command -v python$$version >/dev/null || { echo "python$$version is not installed"; continue; }; \
	  python$$version -m venv .venvs/$$version && \
	  .venvs/$$version/bin/pip install --quiet --disable-pip-version-check --require-hashes -r constraints.txt && \
	  .venvs/$$version/bin/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e . && \
	  rm -rf ostrakon.egg-info; \
	done

pins:
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet pip-tools
	$(BIN)/pip-compile --quiet --generate-hashes --allow-unsafe --strip-extras --no-header --no-emit-index-url \
	  --no-emit-trusted-host --no-emit-find-links --no-emit-options --no-annotate --extra test --extra cluster --extra docs --output-file constraints.txt pyproject.toml constraints.in

clean:
	rm -rf .venv .venvs docs/_build .pytest_cache .mypy_cache .ruff_cache .hypothesis
