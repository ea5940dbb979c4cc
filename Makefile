# What CI runs, so that it cannot rot. Every target makes .venv first where it is missing.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DEMO := build/demo
RESULTS := benchmarks/results

.PHONY: demo test test-slow soak fuzz gate regress baselines bench lint types check clean
.DEFAULT_GOAL := check

# Two stamps: a demo needs less than a test does.
$(VENV)/.export: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[export]'
	touch $@

$(VENV)/.dev: $(VENV)/.export
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $@

# NVIDIA's compiler that needs no GPU; where there is no wheel of it, what it would build is skipped.
$(VENV)/.rtx: $(VENV)/.dev
	-$(BIN)/pip install --quiet --constraint constraints.txt tensorrt-rtx
	touch $@

# What ONNX Runtime's own tools, torch.onnx and pictures need, to be compared with and drawn.
$(VENV)/.bench: $(VENV)/.export
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[bench]'
	touch $@

demo: $(VENV)/.export
	$(BIN)/trm-edge export --int8 --force -o $(DEMO)
	$(BIN)/trm-edge solve $(DEMO)
	@echo
	@echo "Try next:"
	@echo "  $(BIN)/trm-edge solve $(DEMO) --watch        every puzzle, refined step by step"
	@echo "  $(BIN)/trm-edge parity $(DEMO)               is it still the same model?"
	@echo "  $(BIN)/trm-edge inspect $(DEMO)              what is in the bundle"
	@echo "  $(BIN)/trm-edge export CHECKPOINT --int8          your own model"

test: $(VENV)/.dev
	$(BIN)/python -m pytest -q

test-slow: $(VENV)/.dev
	$(BIN)/python -m pytest -q -m slow

# A million puzzles through `trm-edge solve`: about a quarter of an hour.
SOAK_PUZZLES ?= 1000000
soak: $(VENV)/.export
	$(BIN)/trm-edge export --fp32 --force -o build/soak
	$(BIN)/python benchmarks/soak.py --bundle build/soak --puzzles $(SOAK_PUZZLES)

# The tests of tests/fuzz with many cases each, for hours; `make test` runs a minute of them.
FUZZ_CASES ?= 100000
fuzz: $(VENV)/.dev
	FUZZ_CASES=$(FUZZ_CASES) $(BIN)/python -m pytest -q tests/fuzz

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

# About an hour on two cores; leave the machine alone meanwhile.
bench: $(VENV)/.bench
	$(BIN)/python benchmarks/step.py --output $(RESULTS)
	$(BIN)/python benchmarks/loop.py --output $(RESULTS)
	$(BIN)/python benchmarks/startup.py --output $(RESULTS)
	$(BIN)/python benchmarks/halting.py --output $(RESULTS) --picture docs/images/halting.svg
	$(BIN)/python benchmarks/regression.py --output $(RESULTS)

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.dev
	$(BIN)/mypy

check: lint types gate test

clean:
	rm -rf $(VENV) build dist *.egg-info
