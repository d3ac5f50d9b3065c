# Pegbar. `make help` lists the targets; each does its own set-up in .venv/ (Python 3.11 and make are all that must be there).
.DEFAULT_GOAL := help
.PHONY: help demo test test-engine test-diffusion parity test-blender test-gui check bench build clean

# The first that runs: a version manager's shim may stand in the path for a Python that is not chosen.
first_of = $(shell for python in $(1); do "$$python" -c "" 2>/dev/null && echo "$$python" && break; done)
PYTHON := $(call first_of,python3.11 $(HOME)/.pyenv/versions/3.11.*/bin/python)
# Blender 5.1 and later run Python 3.13; where there is none, their tests say so aloud.
PYTHON313 := $(call first_of,python3.13 $(HOME)/.pyenv/versions/3.13.*/bin/python)
BPY_4.5 := 4.5.15
BPY_5.0 := 5.0.1
BPY_5.2 := 5.2.3
PIP := -m pip install --quiet --disable-pip-version-check

ENGINE := .venv/engine/bin/python
DIFFUSION := .venv/diffusion/bin/python
export PEGBAR_ENGINE_PYTHON := $(CURDIR)/$(ENGINE)
# The engine with torch, for the tests of the published pipelines.
export PEGBAR_DIFFUSION_PYTHON := $(CURDIR)/$(DIFFUSION)

help: ## this list
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

.venv/engine/.ready: requirements/engine.txt requirements/dev.txt requirements/tests.txt
	$(PYTHON) -m venv .venv/engine
	$(ENGINE) $(PIP) -r requirements/engine.txt -r requirements/dev.txt
	@touch $@

.venv/diffusion/.ready: requirements/training.txt requirements/diffusion.txt requirements/engine.txt requirements/tests.txt
	$(PYTHON) -m venv .venv/diffusion
	$(DIFFUSION) $(PIP) -r requirements/training.txt -r requirements/tests.txt
	@touch $@

.venv/blender-4.5/.ready .venv/blender-5.0/.ready: .venv/blender-%/.ready: requirements/tests.txt
	$(PYTHON) -m venv .venv/blender-$*
	.venv/blender-$*/bin/python $(PIP) bpy==$(BPY_$*) -r requirements/tests.txt
	@touch $@

.venv/blender-5.2/.ready: requirements/tests.txt
	$(PYTHON313) -m venv .venv/blender-5.2
	.venv/blender-5.2/bin/python $(PIP) bpy==$(BPY_5.2) -r requirements/tests.txt
	@touch $@

# bpy and skia load a few of the system's libraries (GL, X, fonts) that a minimal machine lacks.
.venv/.libraries: .venv/engine/.ready .venv/blender-4.5/.ready
	@bash tools/libraries.sh $(ENGINE) .venv/blender-4.5/bin/python
	@touch $@

BLENDER_4 := .venv/blender-4.5/.ready .venv/blender-5.0/.ready
BLENDER := $(BLENDER_4) $(if $(PYTHON313),.venv/blender-5.2/.ready)

BLENDER_CLI = .venv/blender-4.5/lib/python3.11/site-packages/bpy/4.5/scripts/addons_core/bl_pkg/cli/blender_ext.py

demo: .venv/.libraries ## an animated character through both routes, without a window: look into demo/
	@.venv/blender-4.5/bin/python showcase

test: .venv/.libraries .venv/diffusion/.ready $(BLENDER) ## every test that needs no GPU, no network and no window
	@$(ENGINE) tests/suites.py diffusion blender-4.5 blender-5.0 blender-5.2 parity engine

test-engine: .venv/engine/.ready ## the engine's tests alone
	@$(ENGINE) -m pytest

test-diffusion: .venv/diffusion/.ready ## the tests of the published pipelines alone
	@$(ENGINE) tests/suites.py diffusion

parity: .venv/diffusion/.ready ## equality with the authors' results: GOLDEN=<folder of sets>, PIPELINE=<one of them>
	@$(DIFFUSION) -m pytest -q -s tests/parity $(if $(GOLDEN),--golden "$(GOLDEN)") $(if $(PIPELINE),--pipeline $(PIPELINE))

test-blender: .venv/.libraries .venv/diffusion/.ready $(BLENDER) ## the tests inside Blender 4.5, 5.0 and 5.2 (the bpy packages)
	@$(ENGINE) tests/suites.py blender-4.5 blender-5.0 blender-5.2

check: .venv/engine/.ready ## format, lint, types, import floors
	@$(ENGINE) -m ruff format --check .
	@$(ENGINE) -m ruff check .
	@$(ENGINE) -m mypy
	@$(ENGINE) -m pytest -q tests/test_floors.py

test-gui: .venv/.libraries .venv/diffusion/.ready build demo/demo.blend ## what a user does, in a real Blender 5.2 window (root, Debian's debootstrap; first run: 3 minutes)
	@$(ENGINE) tests/gui/run.py

demo/demo.blend:
	@$(MAKE) demo

build: .venv/blender-4.5/.ready ## dist/pegbar-<version>.zip, checked by Blender's own validator
	@rm -rf dist && mkdir -p dist
	@$(ENGINE) $(BLENDER_CLI) build --source-dir . --output-dir dist
	@$(ENGINE) $(BLENDER_CLI) validate dist/*.zip

bench: .venv/.libraries .venv/diffusion/.ready $(BLENDER) ## the benchmarks' tables
	@for name in liven raster trace; do echo "== $$name"; $(ENGINE) -m benchmarks.$$name || exit 1; done
	@for name in flat memory dropletvideo flipsketch lvcd vidsketch; do echo "== $$name"; $(DIFFUSION) -m benchmarks.$$name || exit 1; done
	@for ready in $(BLENDER); do $$(dirname $$ready)/bin/python -m benchmarks.blender || exit 1; done

clean: ## forget the environments and what was made
	rm -rf .venv demo dist
