# What CI runs, so that it cannot rot. Every target makes .venv first where it is missing.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DEMO := build/demo
RESULTS := benchmarks/results

.PHONY: demo shell wheel test test-slow soak fuzz gate regress baselines page page-test page-bench bench search \
  latency load bulk emulated emulated-quick lint types check clean
.DEFAULT_GOAL := check

# PyTorch for CPUs alone: on Linux x86-64 the package index has it with CUDA's packages. `make TORCH_INDEX=` takes
# that one, and so does a machine that cannot reach this index.
TORCH_INDEX ?= https://download.pytorch.org/whl/cpu
PIP_INSTALL := $(BIN)/pip install --constraint constraints.txt

$(BIN)/pip:
	$(PYTHON) -m venv $(VENV)

# Two stamps: a demo needs less than a test does.
$(VENV)/.export: pyproject.toml constraints.txt | $(BIN)/pip
	@if [ "$$(uname -sm)" = "Linux x86_64" ] && [ -n "$(TORCH_INDEX)" ]; then \
	  echo "PyTorch for CPUs from $(TORCH_INDEX)"; \
	  $(PIP_INSTALL) --retries 0 --timeout 10 --index-url $(TORCH_INDEX) torch || \
	    echo "Not there; taking PyTorch from the package index."; \
	fi
	$(PIP_INSTALL) --editable '.[export,report]'
	touch $@

$(VENV)/.dev: $(VENV)/.export
	$(PIP_INSTALL) --editable '.[dev]'
	touch $@

# NVIDIA's compiler that needs no GPU; where there is no wheel of it, what it would build is skipped.
$(VENV)/.rtx: $(VENV)/.dev
	-$(PIP_INSTALL) tensorrt-rtx
	touch $@

# ONNX Runtime's C++ headers for the tests of examples/cpp; where there are none, those are skipped.
$(VENV)/.cpp: $(VENV)/.dev
	-tools/onnxruntime_for_cpp.sh $(VENV)/onnxruntime $(BIN)/python
	touch $@

# What ONNX Runtime's own tools, torch.onnx and pictures need, to be compared with and drawn.
$(VENV)/.bench: $(VENV)/.export
	$(PIP_INSTALL) --editable '.[bench]'
	touch $@

# The Sudoku model, or another bundled one: make demo TASK=arc
demo: $(VENV)/.export
	$(BIN)/trm-edge export $(TASK:%=--task %) --int8 --force -o $(DEMO)
	$(BIN)/trm-edge solve $(DEMO)
	@echo
	@echo "Try next, in \`make shell\` or after \`. $(BIN)/activate\`:"
	@echo "  $(BIN)/trm-edge solve $(DEMO) --watch      every puzzle, refined step by step"
	@echo "  $(BIN)/trm-edge parity $(DEMO)             is it still the same model?"
	@echo "  $(BIN)/trm-edge inspect $(DEMO)            what is in the bundle"
	@echo "  $(BIN)/trm-edge report $(DEMO)             a page with figures and a player"
	@echo "  $(BIN)/trm-edge export CHECKPOINT --int8        your own model"

# A shell in which `trm-edge` is found.
shell: $(VENV)/.export
	@echo "trm-edge is on the path of this shell; leave it with: exit"
	@VIRTUAL_ENV="$(CURDIR)/$(VENV)" PATH="$(CURDIR)/$(BIN):$$PATH" $${SHELL:-/bin/sh}

# What is copied to a board: dist/trm_edge-VERSION-py3-none-any.whl.
wheel: | $(BIN)/pip
	rm -rf build/lib build/bdist.* dist/trm_edge-*.whl
	$(BIN)/pip wheel --no-deps --wheel-dir dist .

# Two processes with half of the cores each; files stay whole, as do their fixtures.
# `make test PYTEST_ARGS=` runs in one process, and `make test PYTEST_ARGS="-n 8"` in eight.
PYTEST_ARGS ?= -n 2 --dist loadfile
test: $(VENV)/.dev $(VENV)/.cpp
	$(BIN)/python -m pytest -q $(PYTEST_ARGS)

test-slow: $(VENV)/.dev
	$(BIN)/python -m pytest -q -m slow

# A million puzzles through `trm-edge solve`: about a quarter of an hour.
SOAK_PUZZLES ?= 1000000
soak: $(VENV)/.export
	$(BIN)/trm-edge export --fp32 --force -o build/soak
	$(BIN)/python benchmarks/soak.py --bundle build/soak --puzzles $(SOAK_PUZZLES)

# The tests of tests/fuzz with many cases each, for hours; `make test` runs a minute of them. Then
# the parsers by coverage, where there is a wheel of atheris.
FUZZ_CASES ?= 100000
FUZZ_SECONDS ?= 3600
PARSERS := puzzles toml manifest
fuzz: $(VENV)/.fuzz
	FUZZ_CASES=$(FUZZ_CASES) $(BIN)/python -m pytest -q --timeout 0 tests/fuzz
	if $(BIN)/python -c 'import atheris' 2>/dev/null; then \
	  for parser in $(PARSERS); do \
	    $(BIN)/python -m tests.fuzz.coverage_guided $$parser -max_total_time=$(FUZZ_SECONDS) \
	      || exit 1; \
	  done; \
	fi

$(VENV)/.fuzz: $(VENV)/.dev
	-$(BIN)/pip install --only-binary :all: atheris
	touch $@

gate: $(VENV)/.rtx
	$(BIN)/python -m pytest -q -m gate

# Our own bundles against what they were: red when slower or wronger. Exit code 4 is inconclusive, which is
# printed and not red: an export on another CPU moves puzzles near the halting threshold.
REGRESS := build/regress
MODELS := sudoku maze
BASELINES := benchmarks/baselines
regress: $(MODELS:%=regress-%)
	$(BIN)/trm-edge report $(MODELS:%=$(REGRESS)/%) $(MODELS:%=--baseline $(BASELINES)/%.json) \
	  --force -o $(REGRESS)/report.html

regress-%: $(REGRESS)/%/manifest.json
	$(BIN)/trm-edge regress $(REGRESS)/$* --baseline $(BASELINES)/$*.json \
	  --junit $(REGRESS)/$*.xml -o $(REGRESS)/$*.json || [ $$? -eq 4 ]

# What they are from now on; look at the diff before it is committed.
baselines: $(MODELS:%=baseline-%)

baseline-%: $(REGRESS)/%/manifest.json
	$(BIN)/trm-edge regress $(REGRESS)/$* --baseline $(BASELINES)/$*.json --update

.PRECIOUS: $(REGRESS)/%/manifest.json
$(REGRESS)/%/manifest.json: $(VENV)/.dev FORCE
	$(BIN)/trm-edge export --task $* --int8 --force -o $(REGRESS)/$*

.PHONY: FORCE
FORCE:

# A static site of each bundled model, in build/page; npm fetches ONNX Runtime Web, once. Look at one with:
# python3 -m http.server -d build/page/sudoku
PAGE := build/page
page: $(MODELS:%=page-%) page-arc

page-%: $(REGRESS)/%/manifest.json
	$(BIN)/trm-edge page $(REGRESS)/$* --force -o $(PAGE)/$*

# What steers a browser in the tests.
$(VENV)/.page: $(VENV)/.dev
	$(PIP_INSTALL) --editable '.[browser]'
	touch $@

# The page in Node.js and Chromium, which have to be installed: minutes. Takes the bundles of `make regress`
# where there are some. Pictures of the page are left in build/page-pictures.
page-test: $(VENV)/.page
	for model in $(MODELS); do \
	  [ -f $(REGRESS)/$$model/manifest.json ] || \
	    $(BIN)/trm-edge export --task $$model --int8 -o $(REGRESS)/$$model || exit 1; \
	done
	TRM_EDGE_REQUIRE_BROWSER=1 TRM_EDGE_PAGE_BUNDLES=$(REGRESS) TRM_EDGE_PAGE_PICTURES=$(PAGE)-pictures \
	  $(BIN)/python -m pytest -q -m page

# Step time, first answer, bytes and memory of the page in Chromium: minutes on two cores; leave them alone.
page-bench: $(VENV)/.page $(MODELS:%=$(REGRESS)/%/manifest.json)
	$(BIN)/python benchmarks/browser.py $(MODELS:%=$(REGRESS)/%) --output $(RESULTS) --update docs/browser.md

# About an hour on two cores; leave the machine alone meanwhile.
bench: $(VENV)/.bench
	$(BIN)/python benchmarks/step.py --output $(RESULTS)
	$(BIN)/python benchmarks/loop.py --output $(RESULTS) --update docs/speed.md
	$(BIN)/python benchmarks/startup.py --output $(RESULTS)
	$(BIN)/python benchmarks/halting.py --output $(RESULTS) --update docs/speed.md \
	  --picture docs/images/halting.svg
	$(BIN)/python benchmarks/regression.py --output $(RESULTS)

# Tries, selectors and depth: hours on two cores. It measures what $(RESULTS)/search.json does not have yet.
# sudoku-mid is a weaker model: the recipe of the bundled one, ended early.
MID := build/train/sudoku-mid
search: $(VENV)/.bench $(MID)/checkpoint/step_1300
	$(BIN)/python benchmarks/search.py --output $(RESULTS) --checkpoint $(MID)/checkpoint/step_1300 \
	  --name sudoku-mid
	$(BIN)/python benchmarks/search.py --output $(RESULTS) --update docs/speed.md \
	  --picture docs/images/search.svg
$(MID)/checkpoint/step_1300: | $(VENV)/.bench
	$(BIN)/python tools/train_reference.py sudoku --folder $(MID) --finish-in 1300 --compile

# Single answers under a deadline, alone and beside busy processes: half an hour on two cores.
latency: $(MODELS:%=$(REGRESS)/%/manifest.json)
	$(BIN)/python benchmarks/latency.py $(MODELS:%=$(REGRESS)/%) --output $(RESULTS) --update docs/robots.md

# A server and a client of it on this machine: two minutes.
load: $(VENV)/.bench $(REGRESS)/sudoku/manifest.json
	$(BIN)/python benchmarks/serve.py $(REGRESS)/sudoku --output $(RESULTS) --update docs/serving.md

# The same puzzles in one process and with Ray, then a million with a backend that computes nothing: a quarter of an
# hour on two cores; leave them alone.
bulk: $(VENV)/.dev $(REGRESS)/sudoku/manifest.json
	$(BIN)/python benchmarks/batch.py $(REGRESS)/sudoku --output $(RESULTS) --update docs/batch.md

# The Sudoku and the maze model on four emulated CPUs: x64 without VNNI, and Arm as on Jetson boards. Installs
# QEMU and a root of Debian's arm64 packages; about an hour on two cores.
emulated: $(VENV)/.dev
	rm -rf build/emulated/bundles
	$(BIN)/python benchmarks/emulated.py --output $(RESULTS) --update docs/quantization.md

# One model on one CPU of each kind, and the tests that need an emulator: minutes. Takes the bundle of
# `make regress` where there is one.
emulated-quick: $(VENV)/.dev
	$(BIN)/python benchmarks/emulated.py --machine Haswell --machine cortex-a76 --model sudoku \
	  --puzzles 4 --steps 3 --parity-puzzles 1 --bundles $(REGRESS) --output build/emulated
	$(BIN)/python -m pytest -q -m emulated

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.dev
	$(BIN)/mypy

check: lint types gate test

clean:
	rm -rf $(VENV) build dist *.egg-info
