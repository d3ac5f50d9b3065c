"""Runs the engine's command line with every way to a network cut: an audit hook refuses sockets, whoever opens one.

usage: offline.py 'ARGUMENTS AS A JSON LIST'...   one command each, in one process
"""

import json
import os
import sys
from pathlib import Path

BANNED = (
    "socket.connect",
    "socket.bind",
    "socket.sendto",
    "socket.sendmsg",
    "socket.getaddrinfo",
    "socket.gethostbyname",
    "urllib.Request",
)


OWN = ("127.0.0.1", "::1", "localhost")


def is_own(part: object) -> bool:
    """Whether an argument is this computer's address."""
    return part in OWN or (isinstance(part, tuple) and bool(part) and part[0] in OWN)


def refuse(event: str, arguments: tuple[object, ...]) -> None:
    """Ends the process where anything looks for another computer, also where that would be caught; for itself it may look: a library
    tries out so what sockets this system has."""
    if event in BANNED and not any(is_own(part) for part in arguments):
        print(f"NETWORK: {event} {arguments}", file=sys.stderr, flush=True)
        os._exit(99)


def main(commands: list[str]) -> int:
    sys.addaudithook(refuse)
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
    from engine.__main__ import main as engine

    return max(engine(json.loads(command)) for command in commands)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
