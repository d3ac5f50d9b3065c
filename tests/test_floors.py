"""The import directions of the house: who may import what, and where."""

import ast
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
BLENDER_SIDE = ("operators", "panels", "runs", "timeline", "settings", "preferences")
GROUND_FLOOR = (
    "engine.__version__",
    "engine.protocol",
    "engine.spec",
    "engine.catalog",
    "engine.client",
    "engine.corrections",
    "engine.diagnostics",
    "engine.errors",
    "engine.estimates",
    "engine.licences",
    "engine.provenance",
    "engine.setup",
    "engine.spool",
    "engine.strokes",
    "engine.weights",
    "engine.models.cards",
    "engine.models.records",
)
BLENDER_MODULES = {"bpy", "mathutils", "gpu", "bl_ui", "addon_utils", "bpy_extras", "blf"}
CORE_LIBRARIES = {"numpy", "scipy", "skimage", "skia", "PIL", "av", "safetensors", "huggingface_hub", "httpx2"}
DIFFUSION_LIBRARIES = {"torch", "diffusers", "transformers", "xformers", "torchao", "accelerate"}
DIFFUSION_FREE = ("flat", "liven", "still")


def modules(root: Path) -> dict[str, Path]:
    """Every module of the extension by its dotted name below the root."""
    folders = [root / name for name in (*BLENDER_SIDE, "engine")]
    files = [f for folder in folders for f in (folder.rglob("*.py") if folder.is_dir() else [folder.with_suffix(".py")]) if f.exists()]
    return {".".join(f.relative_to(root).with_suffix("").parts).removesuffix(".__init__"): f for f in [*files, root / "__init__.py"]}


def imports(name: str, path: Path) -> list[tuple[str, int, bool]]:
    """(what is imported, line, whether at the module's top level); inside the repository by the dotted name below the root."""
    tree = ast.parse(path.read_text(encoding="utf8"))
    package = name.split(".") if path.name == "__init__.py" and name != "__init__" else name.split(".")[:-1]
    top = set(map(id, tree.body))
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [(alias.name, node.lineno, id(node) in top) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            if node.level:
                base = [*package[: len(package) - node.level + 1], *(node.module.split(".") if node.module else [])]
                found += [(".".join(["", *base, alias.name]), node.lineno, id(node) in top) for alias in node.names]
            else:
                found.append((node.module or "", node.lineno, id(node) in top))
    return found


def on_ground_floor(target: str) -> bool:
    """Whether a repository module is one that Blender's side may import."""
    parts = target.split(".")
    return any(target == g or target.startswith(g + ".") for g in GROUND_FLOOR) or (
        parts[:2] == ["engine", "pipelines"] and parts[3:] in ([], ["SPEC"])
    )


def faults(root: Path) -> list[str]:
    """Every import that goes the wrong way."""
    wrong = []
    for name, path in modules(root).items():
        area = name.split(".")[0]
        for target, line, at_top in imports(name, path):
            where = f"{path.relative_to(root).as_posix()}:{line} imports {target.lstrip('.')}"
            inside, library = target.startswith("."), target.split(".")[0]
            if inside and not (complaint := _inside(area, target.lstrip("."))):
                continue
            if inside or (complaint := _library(name, area, library, at_top)):
                wrong.append(f"{where}: {complaint}")
    return wrong


def _inside(area: str, target: str) -> str:
    other = target.split(".")[0]
    if area in BLENDER_SIDE and other == "engine" and not on_ground_floor(target) and target != "engine":
        return "Blender's side sees the ground floor alone"
    if area == "engine" and other in BLENDER_SIDE:
        return "the engine knows nothing of Blender's side"
    if (area, other) in {("operators", "panels"), ("panels", "operators")}:
        return "operators and panels meet by bl_idname alone"
    if (area in {"timeline", "settings", "preferences"} and other in {"operators", "panels", "runs"}) or (
        area == "runs" and other in {"operators", "panels"}
    ):
        return "the lower floor does not import the upper"
    return ""


def _library(name: str, area: str, library: str, at_top: bool) -> str:
    if library.split(".")[0] in {*BLENDER_SIDE, "engine", "pegbar"}:
        return "imports inside the repository are relative"
    if name == "__init__" and at_top:
        return "the root imports nothing until it is registered"
    if area == "engine" and library in BLENDER_MODULES:
        return "bpy lives on Blender's side alone"
    if area in BLENDER_SIDE and library in (CORE_LIBRARIES | DIFFUSION_LIBRARIES) - {"numpy"}:
        return "Blender's side has the standard library, bpy and numpy"
    if area != "engine":
        return ""
    standard = library in sys.stdlib_module_names
    allowed = {"numpy"} if name == "engine.strokes" else set()
    if on_ground_floor(name) and not standard and library not in allowed:
        return "the ground floor has the standard library alone"
    if not standard and library in DIFFUSION_LIBRARIES and not _may_diffuse(name):
        return "torch and its friends live in engine/diffusion and the pipelines that need them"
    return ""


def _may_diffuse(name: str) -> bool:
    parts = name.split(".")
    return parts[1:2] == ["diffusion"] or (parts[1:2] == ["pipelines"] and len(parts) > 3 and parts[2] not in DIFFUSION_FREE)


def test_every_import_goes_down() -> None:
    assert faults(ROOT) == []


@pytest.mark.parametrize(
    ("file", "line", "complaint"),
    [
        ("operators/run.py", "import torch", "standard library, bpy and numpy"),
        ("panels/draw.py", "from scipy import ndimage", "standard library, bpy and numpy"),
        ("timeline/strips.py", "from ..engine.worker import run_job", "ground floor alone"),
        ("operators/run.py", "from ..panels import draw", "by bl_idname alone"),
        ("operators/run.py", "from engine import protocol", "relative"),
        ("settings.py", "from .operators import run", "lower floor"),
        ("engine/worker.py", "import bpy", "Blender's side alone"),
        ("engine/drawing/raster.py", "def f():\n    import bpy", "Blender's side alone"),
        ("engine/drawing/raster.py", "import torch", "torch"),
        ("engine/pipelines/flat/pipeline.py", "import torch", "torch"),
        ("engine/client.py", "import numpy", "standard library alone"),
        ("engine/pipelines/flat/__init__.py", "import numpy", "standard library alone"),
        ("__init__.py", "import bpy", "until it is registered"),
    ],
)
def test_a_planted_import_is_found(tmp_path: Path, file: str, line: str, complaint: str) -> None:
    path = tmp_path / file
    path.parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / "__init__.py").touch()
    path.write_text(line + "\n")
    assert [fault for fault in faults(tmp_path) if complaint in fault]


def test_right_imports_pass(tmp_path: Path) -> None:
    lines = {
        "__init__.py": "def register():\n    from . import preferences\n",
        "operators/run.py": "import bpy\nimport numpy\nfrom ..engine import catalog\nfrom ..engine.protocol import Job\nfrom ..timeline import READ\n",
        "engine/worker.py": "import numpy\nfrom .drawing import frames\n",
        "engine/pipelines/lvcd/pipeline.py": "import torch\nfrom ...drawing import frames\n",
        "engine/catalog.py": "from .pipelines import flat\n",
    }
    for file, text in lines.items():
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).write_text(text)
    assert faults(tmp_path) == []
