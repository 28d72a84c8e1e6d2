# Needs python3 (3.11 or newer), pip or venv, and make. Another Python: make run PY=python3.12
PY ?= python3
PORT ?= 8501
PYTHON := .venv/bin/python
export PYRIGHT_PYTHON_IGNORE_WARNINGS := 1

.PHONY: help venv dev run test lint wheel data bench bench-ui screenshots sweep sweep-smoke sweep-venv

help:
	@echo "make run          the dashboard, on http://127.0.0.1:$(PORT) (PORT=... for another port)"
	@echo "make test         all tests, in a real browser too where there is one; says how long each part took"
	@echo "make lint         ruff and pyright"
	@echo "make wheel        build the wheel, install it into an empty environment and use it there"
	@echo "make data         build runs.duckdb from the seeds in lawlib/data"
	@echo "make bench        time the fits against the published procedure"
	@echo "make bench-ui     time dragging and answering in a real browser, beside st.plotly_chart"
	@echo "make screenshots  pictures of every page in both themes, into docs/screenshots"
	@echo "make sweep        train what is missing of the bundled runs, one process a core; resumes where it stopped"
	@echo "make sweep-smoke  the trainer's tests and four tiny runs"
	@echo "make venv         the environment of the dashboard; make dev: with what tests need"

# Quick when all is installed; installs what changed; rebuilds an environment that was left half-built.
venv:
	@$(PY) tools/environment.py requirements.txt

dev:
	@$(PY) tools/environment.py requirements-dev.txt

run: venv
	@$(PYTHON) -m streamlit run app.py --server.port $(PORT)

test: dev
	@$(PYTHON) -m tools.browser --get >/dev/null || true
	@$(PYTHON) -m tools.run_tests $(ARGS)

lint: dev
	@$(PYTHON) -m ruff check .
	@$(PYTHON) -m ruff format --check .
	@$(PYTHON) -m pyright

wheel: venv
	@$(PYTHON) -m tools.wheel $(ARGS)

data: venv
	@$(PYTHON) -m lawlib.store

bench: venv
	@$(PYTHON) -m benchmarks.fit $(ARGS)

bench-ui: dev
	@$(PYTHON) -m tools.browser --get >/dev/null
	@$(PYTHON) -m benchmarks.ui $(ARGS)

screenshots: dev
	@$(PYTHON) -m tools.browser --get >/dev/null
	@$(PYTHON) -m tools.screenshots $(ARGS)

sweep-venv:
	@LAWLIB_VENV=.venv-sweep $(PY) tools/environment.py sweep/requirements.txt

sweep: sweep-venv
	@.venv-sweep/bin/python -m sweep $(ARGS)

sweep-smoke: sweep-venv
	@.venv-sweep/bin/python -m pytest -q sweep/tests
	@.venv-sweep/bin/python -m sweep.smoke
