# Pegbar. `make help` lists the targets; each does its own set-up in .venv/ (Python 3.11 and make are all that must be there).
.DEFAULT_GOAL := help
.PHONY: help demo test test-engine test-blender test-gui check bench build clean

PYTHON ?= python3.11
# Blender 5.1 and later run Python 3.13; where there is none, their tests say so aloud.
PYTHON313 ?= $(firstword $(shell command -v python3.13 2>/dev/null) $(wildcard $(HOME)/.pyenv/versions/3.13.*/bin/python))
BPY_4.5 := 4.5.15
BPY_5.0 := 5.0.1
BPY_5.2 := 5.2.3
PIP := -m pip install --quiet --disable-pip-version-check

ENGINE := .venv/engine/bin/python
export PEGBAR_ENGINE_PYTHON := $(CURDIR)/$(ENGINE)

help: ## this list
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

.venv/engine/.ready: requirements/engine.txt requirements/dev.txt
	$(PYTHON) -m venv .venv/engine
	$(ENGINE) $(PIP) -r requirements/engine.txt -r requirements/dev.txt
	@touch $@

.venv/blender-4.5/.ready .venv/blender-5.0/.ready: .venv/blender-%/.ready: requirements/dev.txt
	$(PYTHON) -m venv .venv/blender-$*
	.venv/blender-$*/bin/python $(PIP) bpy==$(BPY_$*) $$(grep ^pytest requirements/dev.txt)
	@touch $@

.venv/blender-5.2/.ready: requirements/dev.txt
	$(PYTHON313) -m venv .venv/blender-5.2
	.venv/blender-5.2/bin/python $(PIP) bpy==$(BPY_5.2) $$(grep ^pytest requirements/dev.txt)
	@touch $@
