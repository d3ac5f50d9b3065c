"""Runs the test suites, two at a time where there are two processors, each in its own environment, and closes with one line for all.

usage: suites.py SUITE...   with SUITE `engine`, `diffusion`, `parity`, or `blender-4.5`, `blender-5.0`, `blender-5.2`
"""

import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
COUNT = re.compile(r"(\d+) (passed|failed|skipped|errors?)")


def run(suite: str) -> dict[str, int]:
    """The counts of one suite; a suite that breaks off counts as a failure."""
    python = ROOT / ".venv" / ("diffusion" if suite == "parity" else suite) / "bin/python"
    if not python.exists():
        say(suite, f"NOT RUN: {suite} has no environment (Blender 5.2 needs Python 3.13, and there is none here)")
        return {"skipped": 1}
    folder = {"engine": "tests", "diffusion": "tests/diffusion", "parity": "tests/parity"}.get(suite, "tests/blender")
    command = [str(python), "-m", "pytest", "-q", "--rootdir", str(ROOT), "-c", str(ROOT / "pyproject.toml"), folder]
    # One thread each: on tiny networks more of them only wait for each other.
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    closing = ""
    for line in process.stdout:
        say(suite, line)
        closing = line if COUNT.search(line) else closing
    counts = {"errors" if word.startswith("error") else word: int(number) for number, word in COUNT.findall(closing)}
    if process.wait() != 0 and not counts.get("failed") and not counts.get("errors"):
        say(suite, f"broke off with exit code {process.returncode}")
        counts["failed"] = counts.get("failed", 0) + 1
    return counts


def say(suite: str, line: str) -> None:
    print(f"{suite:12}| {line.rstrip()}", flush=True)


def main(suites: list[str]) -> int:
    total = {"passed": 0, "failed": 0, "skipped": 0}
    with ThreadPoolExecutor(min(2, os.cpu_count() or 1)) as pool:
        for counts in pool.map(run, suites):
            for word, number in counts.items():
                total["failed" if word == "errors" else word] += number
    print("\n" + ", ".join(f"{number} {word}" for word, number in total.items()))
    return 1 if total["failed"] or not total["passed"] else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
