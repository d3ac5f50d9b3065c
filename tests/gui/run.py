"""Does in a real Blender 5.2 window what a user does, script by script; pictures and figures land in dist/gui/.

usage: run.py [SCRIPT...]   with SCRIPT `panels`, `responsive`, `interrupted`, `killed`; all of them by default
"""

import os
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
DIST = HERE.parent.parent / "dist"
CHROOT = Path(os.environ.get("PB_ROOT", Path.home() / ".cache/pegbar-gui")) / "sid"
KILLED = CHROOT / "pb/run/killed"
ORPHAN_S = 5


def window(script: str, *arguments: str) -> int:
    """The exit code of a script in a window."""
    command = [str(HERE / "gui.sh"), "run", "sid", "--size", "1400x900", "--timeout", "300", "--out", str(DIST / "gui" / script)]
    return subprocess.run([*command, str(HERE / f"{script}.py"), "--", *arguments]).returncode


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


def main(scripts: list[str]) -> int:
    (archive,) = DIST.glob("pegbar-*.zip")
    subprocess.run([str(HERE / "gui.sh"), "install", "sid", str(archive)], check=True)
    codes = {script: killed() if script == "killed" else window(script) for script in scripts}
    print("\n" + "\n".join(f"{script}: {'passed' if code == 0 else f'FAILED ({code})'}" for script, code in codes.items()))
    return int(any(codes.values()))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:] or ["panels", "responsive", "interrupted", "killed"]))
