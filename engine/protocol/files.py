"""Files that a crash leaves whole, and that one process at a time holds."""

import contextlib
import errno
import os
import sys
from pathlib import Path
from typing import BinaryIO, Literal

from ..errors import DISK_FULL, PLACE_REFUSED
from .faults import PegbarError

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

_LOCKED_BYTE = 1 << 30
"""Windows locks bytes against reading, too: one far behind the end leaves the file readable."""


def write_atomic(path: Path, data: bytes) -> None:
    """Writes a file so that it is seen whole or not at all. Raises PegbarError where the disk or the folder refuses."""
    temporary = path.with_name(f".{path.name[:80]}.{os.getpid()}.part")
    try:
        with open(temporary, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as error:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise refused(path.parent, error) from error


def link(path: Path, to: Path) -> None:
    """Lets a file be seen at another place, too, where it stays if the first one is removed: as a link, or a copy where the disk knows
    none. What is there already stays. Raises PegbarError."""
    try:
        with contextlib.suppress(FileExistsError):
            os.link(path, to)
    except OSError:
        try:
            write_atomic(to, path.read_bytes())
        except OSError as error:
            raise refused(path, error) from error


def refused(path: Path, error: OSError) -> PegbarError:
    """The sentence for a file or folder that can't be written or read."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return PegbarError(f"The disk of {path} is full: free some space and go on; frames already written are safe", DISK_FULL)
    if error.errno == errno.ENOENT:
        return PegbarError(f"{path} is gone: put it back or choose another folder", PLACE_REFUSED)
    if error.errno == errno.ENAMETOOLONG:
        return PegbarError(f"The path {path} is too long for this system: choose a folder with a shorter one", PLACE_REFUSED)
    return PegbarError(f"{path} cannot be used ({error.strerror or error}): choose another folder", PLACE_REFUSED)


def lock(path: Path, mode: Literal["ab", "rb"] = "ab") -> BinaryIO | None:
    """Takes a file for whoever holds what is returned, until it is closed or the process ends, however it ends; None where another
    has it. Raises PegbarError where the file can't be opened."""
    try:
        file: BinaryIO = open(path, mode)  # noqa: SIM115 - the lock lasts as long as it is open
        try:
            if sys.platform == "win32":
                file.seek(_LOCKED_BYTE)
                msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
            else:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return file
        except OSError as error:
            file.close()
            if error.errno in (errno.EWOULDBLOCK, errno.EACCES, errno.EDEADLK):
                return None
            raise
    except OSError as error:
        raise refused(path, error) from error


def locked(path: Path) -> bool:
    """Whether a living process holds the file."""
    if not path.is_file():
        return False
    file = lock(path, "rb")
    if file is not None:
        file.close()
    return file is None
