"""Does in a real Blender 5.2 window what a user does, script by script; pictures and figures land in dist/gui/.

usage: run.py [SCRIPT...]   with SCRIPT one of ALL; all of them by default
"""

import contextlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

HERE = Path(__file__).resolve().parent
DIST = HERE.parent.parent / "dist"
CHROOT = Path(os.environ.get("PB_ROOT", Path.home() / ".cache/pegbar-gui")) / "sid"
KILLED = CHROOT / "pb/run/killed"
ORPHAN_S = 5
PUBLISHED = ("flipsketch", "lvcd", "dropletvideo", "vidsketch")
"""Scripts that run a published pipeline, on a tiny random checkpoint, by the engine with torch."""
ALL = ("panels", "responsive", "interrupted", "killed", "traced", "corrections", "reports", "setup", "models", *PUBLISHED)
TRACED = 8
"""Frames of the moving drawing that is traced."""
DIFFUSION = os.environ.get("PEGBAR_DIFFUSION_PYTHON", str(HERE.parents[1] / ".venv/diffusion/bin/python"))


def window(script: str, *arguments: str, seconds: int = 500) -> int:
    """The exit code of a script in a window."""
    python = {"PEGBAR_ENGINE_PYTHON": DIFFUSION if script in PUBLISHED else sys.executable}
    command = [str(HERE / "gui.sh"), "run", "sid", "--size", "1400x900", "--timeout", str(seconds), "--out", str(DIST / "gui" / script)]
    return subprocess.run([*command, str(HERE / f"{script}.py"), "--", *arguments], env=os.environ | python).returncode


def killed() -> int:
    """Kills a Blender and looks for its worker before the next one finishes the take."""
    subprocess.run(["rm", "-rf", str(KILLED)], check=True)
    KILLED.mkdir(parents=True)
    if window("killed", "start") == 0:
        return 1
    worker = int((KILLED / "worker.pid").read_text())
    end = time.monotonic() + ORPHAN_S
    while Path(f"/proc/{worker}").exists():
        if time.monotonic() > end:
            print(f"worker {worker} lives {ORPHAN_S} s after its Blender was killed")
            return 1
        time.sleep(0.05)
    return window("killed", "finish")


def published(pipeline: str) -> int:
    """Has a window run a pipeline on a checkpoint that is made for it."""
    weights = DIST / "tiny" / pipeline
    shutil.rmtree(weights, ignore_errors=True)
    subprocess.run([DIFFUSION, "-m", "tests.tiny", pipeline, str(weights)], cwd=HERE.parents[1], check=True)
    return window(pipeline, str(weights.parent))


def setup() -> int:
    """Has a window of a user of its own, with no engine, set one up from the package index as it is configured here; its interpreter is the
    one that this script's environment is made of. Needs the network, and PyTorch's wheel for the processor where UV_FIND_LINKS names it."""
    base, links = Path(sys.base_prefix), os.environ.get("UV_FIND_LINKS", os.environ.get("PIP_FIND_LINKS", ""))
    own = {"PATH": f"{base}/bin:/usr/sbin:/usr/bin:/sbin:/bin", "PEGBAR_ENGINE_PYTHON": "", "UV_FIND_LINKS": links}
    own |= {name: value for name, value in os.environ.items() if name.startswith("UV_") and name != "UV_FIND_LINKS"}
    given = {"PB_PROFILE": "setup", "PB_ENV": " ".join(f"{name}={value}" for name, value in own.items())}
    given["PB_MOUNT"] = " ".join(folder for folder in (*links.split(), "/etc/ssl/certs") if Path(folder).is_dir())
    with patched(given):
        subprocess.run([str(HERE / "gui.sh"), "clean", "sid", "profile"], check=True)
        subprocess.run([str(HERE / "gui.sh"), "install", "sid", str(archive())], check=True)
        return window("setup", seconds=900)


def models() -> int:
    """Has a window fetch LVCD's models, tiny ones, from a hub on this computer, and import files of other names."""
    sys.path[:0] = [str(HERE.parents[1]), str(HERE.parent)]
    from hollow import safetensors
    from hub import serving

    from engine.models import signatures

    folder, downloads = DIST / "hub", DIST / "downloads"
    for path in (folder, downloads):
        shutil.rmtree(path, ignore_errors=True)
    for name in ("stabilityai/stable-video-diffusion-img2vid/svd.safetensors", "Kijai/LVCD-pruned/lvcd-fp16.safetensors"):
        (folder / name).parent.mkdir(parents=True)
        (folder / name).write_bytes(os.urandom(20_000_000))
    safetensors(downloads / "sketch (2).safetensors", dict(signatures.MOTION.tells))
    safetensors(downloads / "wallpaper.safetensors", {"a": (3, 3)})
    with serving(folder, slow=4e6) as hub, serving(folder, token="hf_1") as gated:
        return window("models", hub.url, gated.url, str(downloads))


@contextlib.contextmanager
def patched(variables: dict[str, str]) -> Iterator[None]:
    """These variables for what is started inside."""
    before = dict(os.environ)
    os.environ.update(variables)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def archive() -> Path:
    """The extension as it is installed."""
    (found,) = DIST.glob("pegbar-*.zip")
    return found


def traced() -> int:
    """Has a window show what tracing gives: the demo's drawing, moved, seen as pictures and traced before."""
    drawing = next((HERE.parents[1] / "demo/pegbar/Drawing Portrait").glob("take_*/inputs/sketch/0001.npz"))
    folder = DIST / "traced"
    shutil.rmtree(folder, ignore_errors=True)
    subprocess.run([sys.executable, str(HERE.parent / "blender/tracing.py"), str(drawing), str(folder), str(TRACED)], check=True)
    return window("traced", str(drawing), str(folder))


def main(scripts: list[str]) -> int:
    subprocess.run([str(HERE / "gui.sh"), "install", "sid", str(archive())], check=True)
    run = {"killed": killed, "traced": traced, "setup": setup, "models": models} | {
        script: partial(published, script) for script in PUBLISHED
    }
    codes = {script: run[script]() if script in run else window(script) for script in scripts}
    print("\n" + "\n".join(f"{script}: {'passed' if code == 0 else f'FAILED ({code})'}" for script, code in codes.items()))
    return int(any(codes.values()))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:] or list(ALL)))
