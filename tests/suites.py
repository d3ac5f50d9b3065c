"""Runs the test suites, each in its own environment, and closes with one line for all of them.

usage: suites.py SUITE...   with SUITE `engine`, `diffusion`, `parity`, or `blender-4.5`, `blender-5.0`, `blender-5.2`
"""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
COUNT = re.compile(r"(\d+) (passed|failed|skipped|errors?)")


def run(suite: str) -> dict[str, int]:
    """The counts of one suite; a suite that breaks off counts as a failure."""
    python = ROOT / ".venv" / ("diffusion" if suite == "parity" else suite) / "bin/python"
    print(f"\n=== {suite}", flush=True)
    if not python.exists():
        print(f"NOT RUN: {suite} has no environment (Blender 5.2 needs Python 3.13, and there is none here)")
        return {"skipped": 1}
    folder = {"engine": "tests", "diffusion": "tests/diffusion", "parity": "tests/parity"}.get(suite, "tests/blender")
    command = [str(python), "-m", "pytest", "-q", "--rootdir", str(ROOT), "-c", str(ROOT / "pyproject.toml"), folder]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    closing = ""
    for line in process.stdout:
        print(line, end="", flush=True)
        closing = line if COUNT.search(line) else closing
    counts = {"errors" if word.startswith("error") else word: int(number) for number, word in COUNT.findall(closing)}
    if process.wait() != 0 and not counts.get("failed") and not counts.get("errors"):
        print(f"{suite} broke off with exit code {process.returncode}")
        counts["failed"] = counts.get("failed", 0) + 1
    return counts


def main(suites: list[str]) -> int:
    total = {"passed": 0, "failed": 0, "skipped": 0}
    for suite in suites:
        for word, number in run(suite).items():
            total["failed" if word == "errors" else word] += number
    print("\n" + ", ".join(f"{number} {word}" for word, number in total.items()))
    return 1 if total["failed"] or not total["passed"] else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
