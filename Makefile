# `make demo` and `make test` need Python 3.11 or newer and a package index, nothing else.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# The Python 3 that pyproject.toml asks for; an older Python could not read that file itself.
LOWEST := $(shell sed -n 's/^requires-python = ">=3\.\([0-9]*\)"$$/\1/p' pyproject.toml)
# Three processes of one thread each, since many tests wait for a program. Files go in their order: those of few tests are long.
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder

# The tests start many Pythons, which would compile both packages anew each time.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: install demo test mypy pytest test-versions test-all docs clean

install: $(VENV)/.installed

$(VENV)/.installed: pyproject.toml
	$(PYTHON) -c 'import sys; v = sys.version_info; v >= (3, $(LOWEST)) or sys.exit(f"Python 3.$(LOWEST) or newer is needed, this is {v[0]}.{v[1]}: make PYTHON=python3.$(LOWEST)")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --no-compile --editable ".[dev]"  # Python compiles what is used, of 22,000 files
	touch $@

# What all processes of the tests import: each of them would compile it, which takes half a minute of a processor.
$(VENV)/.compiled: $(VENV)/.installed
	$(BIN)/python -c "import av, matplotlib.figure, pandas, scipy.stats, torch._dynamo, torchvision"
	touch $@

demo: install
	$(BIN)/fvd-bench demo
	$(BIN)/stylegan-v evaluate benchmarks/checkpoints/small-shapes-64.pt --real fvd-bench-demo/real --videos 24

test: install
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(MAKE) --jobs=2 mypy pytest

mypy: install  # takes one processor for as long as many tests do
	$(BIN)/mypy

pytest: $(VENV)/.compiled
	$(PYTEST) -m "not slow and not gpu"

# In two more environments, of the lowest and of the highest versions that pyproject.toml allows.
test-versions: install
	$(BIN)/python -m tests.versions

test-all: $(VENV)/.compiled
	$(PYTEST) -m "not gpu"
	$(BIN)/python -m tests.versions

# The documentation as a site, in build/docs. A dead link or anchor in it is an error.
docs: install
	$(BIN)/mkdocs build

clean:
	rm -rf $(VENV) build dist *.egg-info
