"""A Hugging Face of one's own on 127.0.0.1, with a repository in each `owner/name` of a folder, and faults as a test asks for them.

usage: python tests/hub.py FOLDER [BYTES_A_SECOND [TOKEN]]   (prints its address; ends when stdin ends)
"""

import contextlib
import hashlib
import json
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

COMMIT = "0123456789abcdef0123456789abcdef01234567"
LARGE = 4096
"""Bytes from which a file is in LFS: known by its SHA-256, and served by another path to which the first one redirects."""


@dataclass
class Fault:
    """What happens at the next request for a file's content: after so many bytes the line is cut or silent, or another answer is given."""

    after: int = 0
    kind: str = "cut"
    """cut, stall, wrong (one byte of the content is another), whole (ranges are not known), or a status."""
    seconds: float = 0.0


@dataclass
class Hub:
    """What is served, and what was asked."""

    folder: Path
    faults: list[Fault] = field(default_factory=list)
    token: str = ""
    """Who does not send it gets no file: the repositories are gated."""
    slow: float = 0.0
    """Bytes a second, where it is to take its time."""
    asked: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)
    """(method, path, headers) of each request."""
    metadata: bool = True
    """The list of files says their sizes and hashes; a mirror may not."""
    revision: str = COMMIT
    url: str = ""

    def contents(self) -> list[tuple[str, str, dict[str, str]]]:
        return [request for request in self.asked if request[0] == "GET" and not request[1].startswith("/api/")]


@contextlib.contextmanager
def serving(folder: Path, **options: object) -> Iterator[Hub]:
    """Serves a folder while the block runs."""
    hub = Hub(folder, **options)
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Answer", (_Answer,), {"hub": hub}))
    server.daemon_threads = True
    hub.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()


class _Answer(BaseHTTPRequestHandler):
    hub: Hub
    protocol_version = "HTTP/1.1"

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def log_message(self, *_: object) -> None:
        pass

    def _answer(self, with_body: bool) -> None:
        path = self.path.partition("?")[0]
        self.hub.asked.append((self.command, path, {name.lower(): value for name, value in self.headers.items()}))
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            if path.startswith("/api/models/"):
                repository, _, revision = path.removeprefix("/api/models/").partition("/revision/")
                return self._listing(repository, revision if len(revision) == len(COMMIT) else self.hub.revision)
            if path.startswith("/lfs/"):
                return self._content(self.hub.folder / path.removeprefix("/lfs/"))
            repository, _, rest = path.lstrip("/").partition("/resolve/")
            self._file(repository, rest.partition("/")[2], with_body)

    def _listing(self, repository: str, revision: str) -> None:
        top = self.hub.folder / repository
        if not top.is_dir():
            return self._refuse(404, "RepoNotFound")
        files = sorted(path for path in top.rglob("*") if path.is_file())
        siblings = [{"rfilename": path.relative_to(top).as_posix(), **(_metadata(path) if self.hub.metadata else {})} for path in files]
        self._json({"id": repository, "modelId": repository, "sha": revision, "siblings": siblings, "gated": False, "private": False})

    def _file(self, repository: str, name: str, with_body: bool) -> None:
        path = self.hub.folder / repository / name
        if self.hub.token and self.headers.get("authorization") != f"Bearer {self.hub.token}":
            return self._refuse(401 if "authorization" not in self.headers else 403, "GatedRepo")
        if not path.is_file():
            return self._refuse(404, "EntryNotFound")
        about, is_large = _metadata(path), path.stat().st_size >= LARGE
        headers = {"X-Repo-Commit": self.hub.revision, "ETag": f'"{about["lfs"]["sha256"] if is_large else about["blobId"]}"'}
        if is_large:
            linked = {"X-Linked-Etag": headers["ETag"], "X-Linked-Size": str(about["size"])}
            elsewhere = self.hub.url.replace("127.0.0.1", "localhost")  # large files are another server's
            return self._send(302, b"", headers | linked | {"Location": f"{elsewhere}/lfs/{repository}/{name}"})
        if with_body:
            return self._content(path, headers)
        self._send(200, b"", headers | {"Content-Length": str(about["size"])})

    def _content(self, path: Path, headers: dict[str, str] | None = None) -> None:
        fault = self.hub.faults.pop(0) if self.hub.faults else None
        if fault and fault.kind.isdecimal():
            return self._refuse(int(fault.kind), "")
        data = path.read_bytes()
        if fault and fault.kind == "wrong":
            data = bytes([data[0] ^ 1]) + data[1:]
        asked = self.headers.get("range")
        start = int(asked.removeprefix("bytes=").rstrip("-")) if asked and not (fault and fault.kind == "whole") else 0
        if start >= len(data) > 0:
            return self._send(416, b"", {"Content-Range": f"bytes */{len(data)}"})
        self.send_response(206 if start else 200)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        self.send_header("Content-Length", str(len(data) - start))
        self.end_headers()
        self._pour(data[start:], fault)

    def _pour(self, data: bytes, fault: Fault | None) -> None:
        end = fault.after if fault and fault.kind in ("cut", "stall") else len(data)
        step = max(1, int(self.hub.slow / 20)) if self.hub.slow else 1 << 20
        for place in range(0, min(end, len(data)), step):
            self.wfile.write(data[place : min(place + step, end)])
            if self.hub.slow:
                time.sleep(0.05)
        self.wfile.flush()
        if fault and fault.kind == "stall":
            time.sleep(fault.seconds)
        if end < len(data):
            self.close_connection = True
            with contextlib.suppress(OSError):
                self.connection.shutdown(2)

    def _json(self, content: object) -> None:
        self._send(200, json.dumps(content).encode(), {"Content-Type": "application/json"})

    def _refuse(self, status: int, code: str) -> None:
        self._send(status, b"{}", {"X-Error-Code": code} if code else {})

    def _send(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in ({"Content-Length": str(len(body))} | headers).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


def _metadata(path: Path) -> dict:
    data = path.read_bytes()
    about: dict = {"size": len(data), "blobId": hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()}
    if len(data) >= LARGE:
        about["lfs"] = {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data), "pointerSize": 130}
    return about


if __name__ == "__main__":
    words = [*sys.argv[1:], "0", ""]
    with serving(Path(words[0]), slow=float(words[1]), token=words[2] if len(sys.argv) > 3 else "") as served:
        print(served.url, flush=True)
        sys.stdin.read()
