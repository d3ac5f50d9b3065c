"""The one door to Hugging Face: which files a checkpoint has there, and each of them written to a part that is gone on with.

Core. Knows no pipeline. Every failure is a PegbarError that says what to do.
"""

import hashlib
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

import httpx2
from huggingface_hub import HfApi, get_hf_file_metadata, hf_hub_url
from huggingface_hub.errors import GatedRepoError, HfHubHTTPError, RepositoryNotFoundError
from huggingface_hub.utils import build_hf_headers, get_session, hf_raise_for_status  # type: ignore[attr-defined]

from .. import __version__
from ..errors import DOWNLOAD_STOPPED, LICENCE, MODEL_DAMAGED, OFFLINE
from ..protocol import PegbarError, refused
from ..spec import Weights
from .layout import chosen

ENDPOINT = "https://huggingface.co"
STALL_S = 20.0
RETRIES = 6
LONGEST_PAUSE_S = 30.0
_READ_BYTES = 1 << 20
_BUSY = (408, 425, 429, 500, 502, 503, 504)
_OUT_OF_RANGE = 416
_SHA1_DIGITS = 40
Result = TypeVar("Result")
Tell = Callable[[int], None]
"""Gets the number of bytes of a file that are there."""


@dataclass(frozen=True)
class Hub:
    """How Hugging Face, or a mirror of it, is asked."""

    endpoint: str = ENDPOINT
    token: str = ""
    stall_s: float = STALL_S
    """Without a byte for so long the connection is made anew."""
    retries: int = RETRIES
    """Attempts in a row that bring nothing before it is given up."""
    pause_s: float = 1.0
    """Before the second attempt; twice as long before each further one."""

    @property
    def name(self) -> str:
        return "Hugging Face" if self.endpoint == ENDPOINT else self.endpoint


@dataclass(frozen=True)
class Wanted:
    """One file to fetch: its path in the repository and in the checkpoint, and what it must be."""

    path: str
    file: str
    size: int
    digest: str
    """The hub's own: the SHA-256 (64 digits) of a large file, git's SHA-1 of a blob (40 digits) of a small one."""


def files_of(weights: Weights, hub: Hub) -> tuple[str, tuple[Wanted, ...]]:
    """The full hash of the version that is there now, or that the catalog names, and the files of the checkpoint in it. Raises PegbarError."""
    ask = HfApi(hub.endpoint, token=hub.token or False, library_name="pegbar", library_version=__version__)
    newest = weights.revision or "main"
    ask_all = partial(ask.model_info, weights.repository, revision=newest, files_metadata=True, timeout=hub.stall_s)
    info = _patiently(hub, weights, ask_all)
    commit, known = info.sha or weights.revision, {sibling.rfilename: sibling for sibling in info.siblings or ()}
    files = chosen(weights, tuple(known))
    if not files:
        text = f"{weights.repository} does not have {', '.join(weights.files)} any more: look at {weights.page}, and import the files"
        raise PegbarError(text, DOWNLOAD_STOPPED)
    wanted = []
    for file, path in files.items():
        entry = known[path]
        size, digest = entry.size, entry.lfs.sha256 if entry.lfs else entry.blob_id
        if size is None or not digest:  # a mirror that does not say so of all files at once
            url = hf_hub_url(weights.repository, path, revision=commit, endpoint=hub.endpoint)
            ask_one = partial(
                get_hf_file_metadata, url, token=hub.token or False, timeout=hub.stall_s, endpoint=hub.endpoint,
                library_name="pegbar", library_version=__version__,
            )  # fmt: skip
            told = _patiently(hub, weights, ask_one)
            size, digest = told.size, told.etag
        if size is None or not digest:
            raise PegbarError(
                f"{hub.name} does not say what {path} must be, so it could not be checked: use another mirror", DOWNLOAD_STOPPED
            )
        wanted.append(Wanted(path, file, size, digest))
    return commit, tuple(wanted)


def fetch(weights: Weights, commit: str, wanted: Wanted, part: Path, hub: Hub, tell: Tell) -> str:
    """Writes a file to `part`, going on with what is in it, until it is whole and its hash is the hub's; gives its SHA-256. Raises
    PegbarError, and leaves what has come."""
    url = hf_hub_url(weights.repository, wanted.path, revision=commit, endpoint=hub.endpoint)
    for is_last in (False, True):
        download = _Download(url, wanted, part, hub, tell)
        _patiently(hub, weights, download.go_on, download.has_moved)
        if download.is_right:
            return download.sha256
        part.unlink(missing_ok=True)
        if is_last:
            raise PegbarError(
                f"{wanted.path} comes damaged from {hub.name} (its checksum differs): try again later, or import the file", MODEL_DAMAGED
            )
    raise AssertionError


class _Download:
    """A file on its way. What is in the part is hashed once, what comes is hashed as it is written."""

    def __init__(self, url: str, wanted: Wanted, part: Path, hub: Hub, tell: Tell) -> None:
        self._url, self._wanted, self._part, self._hub, self._tell = url, wanted, part, hub, tell
        self._start_over()
        self._moved = False
        if part.is_file():
            if part.stat().st_size > wanted.size:
                part.unlink()
            else:
                self._hash_part()

    def has_moved(self) -> bool:
        """Whether anything came since this was asked last."""
        moved, self._moved = self._moved, False
        return moved

    def go_on(self) -> None:
        """Reads until the file is whole. Raises httpx2's and the hub's errors, and PegbarError where it cannot be written."""
        if self._size == self._wanted.size and self._part.is_file():
            return
        headers = build_hf_headers(token=self._hub.token or False, library_name="pegbar", library_version=__version__)
        headers |= {"accept-encoding": "identity"} | ({"range": f"bytes={self._size}-"} if self._size else {})
        with get_session().stream("GET", self._url, headers=headers, timeout=self._hub.stall_s, follow_redirects=True) as response:
            if response.status_code == _OUT_OF_RANGE:
                self._forget()
            hf_raise_for_status(response)
            try:
                with open(self._part, "ab", buffering=0) as file:
                    if self._size and not self._goes_on(response):
                        file.truncate(0)
                        self._start_over()
                    for data in response.iter_raw():
                        self._keep(file, data)
            except httpx2.HTTPError:
                raise
            except OSError as error:
                raise refused(self._part, error) from error
        if self._size < self._wanted.size:
            raise httpx2.RemoteProtocolError("the connection ended before the file did")

    @property
    def is_right(self) -> bool:
        return self._size == self._wanted.size and self._wanted.digest == (self._git or self._sha256).hexdigest()

    @property
    def sha256(self) -> str:
        return self._sha256.hexdigest()

    def _goes_on(self, response: httpx2.Response) -> bool:
        """Whether the answer begins where the part ends: a server may not know ranges, or have another file by now."""
        told = re.match(r"bytes (\d+)-\d+/(\d+|\*)", response.headers.get("content-range", ""))
        return response.status_code == 206 and told is not None and int(told[1]) == self._size and told[2] in ("*", str(self._wanted.size))

    def _keep(self, file: object, data: bytes) -> None:
        view = memoryview(data)[: self._wanted.size + 1 - self._size]  # of a file that is too long no more than shows it
        while view:
            written = file.write(view)  # type: ignore[attr-defined]
            self._count(view[:written])
            view = view[written:]
        self._moved = True
        self._tell(self._size)
        if self._size > self._wanted.size:
            raise httpx2.RemoteProtocolError("the file is longer than it should be")

    def _hash_part(self) -> None:
        try:
            with open(self._part, "rb") as file:
                while data := file.read(_READ_BYTES):
                    self._count(data)
                    self._tell(self._size)
        except OSError as error:
            raise refused(self._part, error) from error

    def _count(self, data: bytes | memoryview) -> None:
        self._size += len(data)
        self._sha256.update(data)
        if self._git:
            self._git.update(data)

    def _start_over(self) -> None:
        self._size, self._sha256 = 0, hashlib.sha256()
        is_blob = len(self._wanted.digest) == _SHA1_DIGITS
        self._git = hashlib.sha1(b"blob %d\0" % self._wanted.size, usedforsecurity=False) if is_blob else None

    def _forget(self) -> None:
        """Drops a part that the server has no rest of."""
        self._part.unlink(missing_ok=True)
        self._start_over()


def _patiently(hub: Hub, weights: Weights, act: Callable[[], Result], has_moved: Callable[[], bool] = lambda: False) -> Result:
    """What `act` gives, tried again while the network, or a busy server, is the reason that it fails. Raises PegbarError."""
    failed = 0
    while True:
        try:
            return act()
        except httpx2.HTTPError as error:
            failed = 0 if has_moved() else failed + 1
            status = error.response.status_code if isinstance(error, HfHubHTTPError) and error.response is not None else None
            if status is not None and status not in (*_BUSY, _OUT_OF_RANGE):
                raise _denied(hub, weights, error, status) from error
            if failed > hub.retries:
                raise PegbarError(
                    f"{hub.name} does not answer ({type(error).__name__}): what has come is kept, press Continue to go on", DOWNLOAD_STOPPED
                ) from error
            time.sleep(min(LONGEST_PAUSE_S, hub.pause_s * 2**failed))
        except ValueError as error:  # a page of another kind
            raise PegbarError(f"{hub.name} does not answer as Hugging Face does: check the mirror's address", DOWNLOAD_STOPPED) from error
        except ConnectionError as error:
            raise PegbarError(
                "HF_HUB_OFFLINE is set on this computer, so that nothing is asked of Hugging Face: unset it, or import the files", OFFLINE
            ) from error


def _denied(hub: Hub, weights: Weights, error: Exception, status: int) -> PegbarError:
    """The sentence for an answer that does not change by asking again."""
    if isinstance(error, GatedRepoError) or (status == 403 and weights.gated):
        if hub.token:
            text = f"{hub.name} does not give you {weights.repository} yet: open {weights.page}, agree to its terms with the account of your token"
        else:
            text = f"{weights.repository} is given to those alone who agree to its terms: open {weights.page}, agree, and enter a token"
        return PegbarError(text, LICENCE)
    if isinstance(error, RepositoryNotFoundError) or status in (401, 404):
        why = "your token is not accepted, or it is gone" if hub.token else "it is gone, or asks for a token"
        return PegbarError(f"{hub.name} has no {weights.repository} for you ({why}): look at {weights.page}", DOWNLOAD_STOPPED)
    return PegbarError(f"{hub.name} refuses {weights.repository} (error {status}): try again later, or import the files", DOWNLOAD_STOPPED)
