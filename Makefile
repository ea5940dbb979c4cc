# What CI runs, so that it cannot rot. Every target makes .venv first where it is missing.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DEMO := build/demo

.PHONY: demo test test-slow gate lint types check clean
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

gate: $(VENV)/.rtx
	$(BIN)/python -m pytest -q -m gate

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.dev
	$(BIN)/mypy

check: lint types gate test

clean:
	rm -rf $(VENV) build dist *.egg-info
