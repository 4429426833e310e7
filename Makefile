# One word runs everything. Each target makes the environment it needs; nothing but Python 3.11+ and make is assumed.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.DEFAULT_GOAL := help
.PHONY: help demo test feast check bench gpu docs format lock clean

help:
	@echo "make demo    a real model, a dozen ways to run it, a verdict and a report"
	@echo "make test    all tests"
	@echo "make feast   the feature store's tests, in an environment of their own (Feast wants an older pandas)"
	@echo "make check   format, lint, types, laws, generated pages (seconds)"
	@echo "make bench   the benchmarks that stand in benchmarks/README.md"
	@echo "make gpu     the checks that need a GPU"
	@echo "make docs    write the generated pages anew"

$(STAMP): pyproject.toml requirements.lock
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --requirement requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	touch $(STAMP)

demo: $(STAMP)
	$(BIN)/seatrial run examples/fashion/study.yaml

# Two tests at a time on two cores, each file in one worker: what its tests share is made once.
test: $(STAMP)
	$(BIN)/python -m pytest --numprocesses logical --maxprocesses 8 --dist loadfile --no-loadscope-reorder

FEAST := .venv-feast
feast: requirements.lock
	$(PYTHON) -m venv $(FEAST)
	grep -Ev '^(pandas|torch|jax|openvino|nncf)' requirements.lock > $(FEAST)/constraints.txt
	$(FEAST)/bin/python -m pip install --quiet --constraint $(FEAST)/constraints.txt --editable '.[feast]' pytest pytest-timeout hypothesis
	$(FEAST)/bin/python -m pytest tests/parts/test_feast.py

check: $(STAMP)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy --strict src/seatrial/contracts src/seatrial/numerics src/seatrial/flow src/seatrial/catalog.py src/seatrial/errors.py
	$(BIN)/python tools/docs.py --check
	$(BIN)/python -m pytest tests/test_laws.py

bench: $(STAMP)
	for name in imports harness tools loadgen demo faults hostile init operators quality coverage slices streaming roofline queueing search noise training audit optimise secure poisoning security privacy; do $(BIN)/python benchmarks/$$name.py || exit 1; done

gpu: $(STAMP)
	$(BIN)/python benchmarks/gpu.py

docs: $(STAMP)
	$(BIN)/python tools/docs.py

format: $(STAMP)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# Versions as installed now, without the project itself and without a build's local suffix (torch's CPU build).
lock:
	$(BIN)/python -m pip freeze --exclude-editable --exclude seatrial | sed 's/+cpu$$//' > requirements.lock

clean:
	rm -rf $(VENV) $(FEAST) examples/*/.seatrial .pytest_cache .mypy_cache .ruff_cache
