"""Loads the repository as the installed extension `bl_ext.user_default.pegbar` and registers it; every test starts in an empty file.

Tests import it as `pegbar`, like the engine's tests: both names lead to the same modules, never to a second copy.
"""

import importlib
import importlib.abc
import importlib.util
import sys
import types
from pathlib import Path

import bpy
import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
PACKAGE = "bl_ext.user_default.pegbar"


class OneCopy(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Answers an import of `pegbar.x` with the module of the extension."""

    def find_spec(self, name, path=None, target=None):
        return importlib.util.spec_from_loader(name, self) if name.startswith("pegbar.") else None

    def create_module(self, spec):
        module = importlib.import_module(f"bl_ext.user_default.{spec.name}")
        self.spec = module.__spec__
        return module

    def exec_module(self, module):
        module.__spec__ = self.spec


def load():
    """The root package under both names."""
    for parent in ("bl_ext", "bl_ext.user_default"):
        if parent not in sys.modules:
            sys.modules[parent] = types.ModuleType(parent)
            sys.modules[parent].__path__ = []
    spec = importlib.util.spec_from_file_location(PACKAGE, ROOT / "__init__.py", submodule_search_locations=[str(ROOT)])
    root = importlib.util.module_from_spec(spec)
    sys.modules[PACKAGE] = sys.modules["pegbar"] = root
    spec.loader.exec_module(root)
    sys.meta_path.insert(0, OneCopy())
    return root


pegbar = load()


@pytest.fixture(scope="session", autouse=True)
def registered():
    """The extension, enabled as Blender does it."""
    if not hasattr(pegbar, "register"):
        yield pegbar
        return
    bpy.context.preferences.addons.new().module = PACKAGE
    pegbar.register()
    yield pegbar
    pegbar.unregister()


@pytest.fixture(autouse=True)
def scene():
    """The scene of an empty new file."""
    bpy.ops.wm.read_homefile(use_factory_startup=True, use_empty=True)
    return bpy.context.scene
