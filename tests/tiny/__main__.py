"""usage: python -m tests.tiny PIPELINE FOLDER [SEED]   (from the repository's root, with .venv/diffusion)"""

import sys
from importlib import import_module
from pathlib import Path

if __name__ == "__main__":
    if len(sys.argv) not in (3, 4):
        sys.exit(__doc__)
    name, folder, *seed = sys.argv[1:]
    Path(folder).mkdir(parents=True, exist_ok=True)
    import_module("tests.conftest")  # loads the repository as the package `pegbar`
    import_module(f"pegbar.tests.tiny.{name}").make(Path(folder), *map(int, seed))
