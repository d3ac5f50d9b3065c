"""`make demo`: `python showcase` in Blender's Python makes the demo; `python showcase draw|judge|show` are its steps in the engine's,
and `readme` makes the README's picture of it.

The repository is loaded the way each side loads it: by Blender as an extension of a user's folder, by the engine as a package.
"""

import importlib
import importlib.util
import os
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DEMO = ROOT / "demo"
EXTENSION = "bl_ext.user_default.pegbar"


def main(arguments: list[str]) -> int:
    if arguments:
        step = getattr(engine_module(), arguments[0])
        step(DEMO)
        return 0
    with tempfile.TemporaryDirectory(prefix="pegbar-demo-") as resources:
        module = blender_module(Path(resources))
        for text in module.make(DEMO):
            print(text, flush=True)
    return 0


def engine_module() -> object:
    """The steps that draw, judge and show pictures."""
    spec = importlib.util.spec_from_file_location("pegbar", ROOT / "__init__.py", submodule_search_locations=[str(ROOT)])
    assert spec is not None and spec.loader is not None
    sys.modules["pegbar"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(sys.modules["pegbar"])
    return importlib.import_module("pegbar.showcase.pictures")


def blender_module(resources: Path) -> object:
    """The demo inside a Blender that has this folder as an enabled extension, and nothing of the user's own settings."""
    repository = resources / "extensions" / "user_default"
    repository.mkdir(parents=True)
    (repository / "pegbar").symlink_to(ROOT, target_is_directory=True)
    os.environ["BLENDER_USER_RESOURCES"] = str(resources)
    bpy = importlib.import_module("bpy")
    bpy.ops.preferences.addon_enable(module=EXTENSION)
    return importlib.import_module(f"{EXTENSION}.showcase.demo")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
