"""Fetches a file so that it is seen whole and right or not at all: goes on where it stopped, watches for stalls, checks the hash.

Parts lie beside the file as `<name>.part`; whoever stops it, and however, the next call goes on with them.
"""

import contextlib
import errno
import functools
import hashlib
import http.client
import importlib.util
import logging
import netrc
import os
import re
import ssl
import time
import urllib.error
import urllib.request
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit, urlunsplit

from .. import __version__
from ..errors import DOWNLOAD_STOPPED
from ..protocol import PegbarError, refused

log = logging.getLogger(__name__)

BLOCK = 1 << 18
STALL_S = 20.0
"""No byte for this long, or hardly any, and the connection is made anew."""
CRAWL = 1024
"""Bytes a second that are as good as none."""
TRIES = 5
"""Tries without a new byte before it is given up."""
WAIT_S = 1.0
"""Before the second try; twice as long before each further one."""
_LATER = (408, 425, 429, 500, 502, 503, 504)

Tell = Callable[[int], None]
"""Gets the bytes that are there; may raise to stop."""


def fetch(url: str, path: Path, sha256: str, tell: Tell = lambda done: None, stall_s: float = STALL_S, wait_s: float = WAIT_S) -> None:
    """Fetches `url` to `path`, whose SHA-256 it has in the end; where that is empty, whoever opens the file checks it. Raises PegbarError where the server refuses or stays away, where the disk
    is full, or where the file is another one; its parts stay, but for those of a wrong file."""
    part = path.with_name(path.name + ".part")
    tries, wrong, size = 0, 0, -1
    while True:
        before = _size(part)
        try:
            tell(before)
            _go_on(url, part, before, tell, stall_s)
            if not sha256 or sha256_of(part) == sha256:
                os.replace(part, path)
                return
            _drop(part)
            wrong += 1
            if wrong > 1:
                raise PegbarError(
                    f"{path.name} is damaged (checksum differs): press Try Again, or choose another mirror", id=DOWNLOAD_STOPPED
                )
        except urllib.error.HTTPError as error:
            error.close()
            if error.code == 416:  # the part is longer than the file: it is of another one
                _drop(part)
                if before == 0:
                    raise _stopped(url, path, before, f"it answers {error.code}") from error
            elif error.code not in _LATER:
                raise _forbidden(url, path, error.code) from error
            why = f"it answers {error.code}"
        except OSError as error:  # URLError, timeouts and broken connections among them; a full disk is none of the network's
            if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES):
                raise refused(path.parent, error) from error
            why = reason(error)
        except http.client.HTTPException as error:
            why = reason(error)
        else:
            why = "the file was another one"
        size = _size(part)
        tries = 0 if size > before else tries + 1
        if tries >= TRIES:
            raise _stopped(url, path, size, why)
        log.info("%s: %s at %d bytes, again", path.name, why, size)
        _pause(wait_s * 2**tries / 2, tell, size)


def read(url: str, accept: str = "*/*", stall_s: float = STALL_S) -> tuple[bytes, str, str]:
    """A page: its bytes, its type, and its address after redirects. Raises OSError or HTTPException."""
    with _open(url, {"Accept": accept}, stall_s) as answer:
        return answer.read(), answer.headers.get_content_type(), answer.url


def sha256_of(path: Path) -> str:
    """A file's SHA-256 as hexadecimal digits."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def reason(error: Exception) -> str:
    """Why a server was not reached, in a few words."""
    inner = getattr(error, "reason", error)
    return getattr(inner, "strerror", None) or str(inner) or type(error).__name__


def host(url: str) -> str:
    """Who is asked, without names and passwords."""
    return urlsplit(url).hostname or url


def _go_on(url: str, part: Path, start: int, tell: Tell, stall_s: float) -> None:
    """Adds to the part what is missing, as far as the connection carries."""
    with _open(url, {"Range": f"bytes={start}-"} if start else {}, stall_s) as answer:
        goes_on = start > 0 and answer.status == 206 and _begins_at(answer) == start
        length = answer.headers.get("Content-Length")
        begun, mark, there = time.monotonic(), 0, 0
        with open(part, "ab" if goes_on else "wb", buffering=0) as file:
            while block := answer.read1(BLOCK):
                _write(file, block)
                there += len(block)
                tell(start + there if goes_on else there)
                if (now := time.monotonic()) - begun > stall_s:
                    if there - mark < CRAWL * stall_s:
                        raise TimeoutError("hardly anything comes")
                    begun, mark = now, there
        if length is not None and there < int(length):
            raise ConnectionResetError("the connection was cut")


def _write(file: Any, block: bytes) -> None:
    """A raw file may take less than it was given, just before the disk is full."""
    view = memoryview(block)
    while view:
        view = view[file.write(view) :]


def _begins_at(answer: Any) -> int:
    found = re.match(r"bytes (\d+)-", answer.headers.get("Content-Range", ""))
    return int(found[1]) if found else -1


def _open(url: str, headers: dict[str, str], timeout_s: float) -> Any:
    headers = {"User-Agent": f"pegbar/{__version__}", "Accept-Encoding": "identity"} | headers
    parts = urlsplit(url)
    if login := _login(url):
        headers["Authorization"] = "Basic " + b64encode(login.encode()).decode()
        url = urlunsplit(parts._replace(netloc=parts.netloc.rsplit("@", 1)[-1]))
    # an opener of its own, since the usual one keeps the proxies of its first call
    opener = urllib.request.build_opener(urllib.request.HTTPSHandler(context=_certificates()))
    return opener.open(urllib.request.Request(url, headers=headers), timeout=timeout_s)


def _login(url: str) -> str:
    """The name and password for a server: in its address, or in the user's .netrc."""
    parts = urlsplit(url)
    if parts.username is not None:
        return f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    with contextlib.suppress(OSError, netrc.NetrcParseError):
        if found := netrc.netrc().authenticators(parts.hostname or ""):
            return f"{found[0]}:{found[2]}"
    return ""


@functools.cache
def _certificates() -> ssl.SSLContext:
    """The system's certificates; those that come with Blender where its Python finds none."""
    context = ssl.create_default_context()
    if not context.cert_store_stats()["x509_ca"] and not os.path.isdir(ssl.get_default_verify_paths().capath or ""):
        spec = importlib.util.find_spec("certifi")
        if spec is not None and spec.origin:
            context.load_verify_locations(Path(spec.origin).with_name("cacert.pem"))
    return context


def _pause(seconds: float, tell: Tell, size: int) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        tell(size)
        time.sleep(0.05)


def _stopped(url: str, path: Path, size: int, why: str) -> PegbarError:
    came = f" after {size / 1e6:.0f} MB" if size >= 1e6 else ""
    return PegbarError(
        f"The download of {path.name} stopped{came}: {host(url)} does not answer ({why}). Press Continue, or choose a mirror or a folder",
        id=DOWNLOAD_STOPPED,
    )


def _forbidden(url: str, path: Path, code: int) -> PegbarError:
    why = {
        401: "asks for a name and a password",
        403: "refuses it",
        404: "does not have it",
        407: "cannot be reached without the proxy's password",
    }
    return PegbarError(
        f"{path.name} cannot be downloaded: {host(url)} {why.get(code, f'answers {code}')} ({code}). Choose a mirror, or install from a folder",
        id=DOWNLOAD_STOPPED,
    )


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _drop(path: Path) -> None:
    with contextlib.suppress(OSError):
        path.unlink()
