"""What this machine has, and what setting the engine up on it would take."""

import json
from dataclasses import replace

from .. import __version__
from ..protocol import PegbarError, lock, write_atomic
from . import locks, machine, uv
from .environment import clean_old, fetched, reusable
from .state import Home


def look(home: Home) -> None:
    """Writes down what this machine has and what each set-up would take: asking drivers may take seconds."""
    home.make()
    try:
        platform = machine.this_platform()
    except PegbarError as error:
        write_atomic(home.machine_file, json.dumps({"fault": str(error)}).encode())
        return
    if (held := lock(home.lock_file)) is not None:
        with held:
            clean_old(home)
    found = machine.accelerators()
    there = ["core", *locks.backends(platform)]
    told = {
        "platform": platform,
        "accelerators": [[one.backend, one.text, one.fault] for one in found],
        "backend": machine.choose(found, platform),
        "sizes": sizes(platform, home, there),
        "locks": {backend: [locks.read(platform, backend, python).id for python in locks.PYTHONS] for backend in there},
        "engine": __version__,
    }
    write_atomic(home.machine_file, json.dumps(told).encode())


def sizes(platform: str, home: Home, backends: list[str]) -> dict[str, dict[str, int]]:
    """By backend, what is still to be downloaded and what it takes on the disk then."""
    version = str(home.current().get("version", "")) or locks.PYTHONS[0]
    found = {}
    for backend in backends:
        lock_ = locks.read(platform, backend, version if version in locks.PYTHONS else locks.PYTHONS[0])
        reused = reusable(home, lock_)
        missing = replace(lock_, wheels=tuple(wheel for wheel in lock_.wheels if wheel not in reused))
        tool = 0 if uv.find(home, platform) else uv.WHEELS[platform].bytes
        there = sum(fetched(home, wheel) for wheel in missing.wheels)
        found[backend] = {"download": missing.bytes + tool - there, "disk": missing.unpacked, "there": there}
    return found
