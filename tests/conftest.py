"""Loads the repository's root under the one name `pegbar`, whatever its folder is called."""

import importlib.util
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

if "pegbar" not in sys.modules:
    spec = importlib.util.spec_from_file_location("pegbar", ROOT / "__init__.py", submodule_search_locations=[str(ROOT)])
    sys.modules["pegbar"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(sys.modules["pegbar"])
