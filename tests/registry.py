"""A package index on 127.0.0.1 that does what real ones do on a bad day, and wheels small enough to make in a test."""

import base64
import hashlib
import io
import re
import threading
import time
import zipfile
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote

VERSION = "1.0"


@dataclass
class Registry:
    """The index. `faults` are taken one a request of a file: ("cut", bytes), ("stall", bytes), ("status", code), ("whole",), ("other",)."""

    files: dict[str, bytes] = field(default_factory=dict)
    faults: list[tuple] = field(default_factory=list)
    asked: list[tuple[str, str]] = field(default_factory=list)
    """(file, range) of each request."""
    speed: float = 0.0
    """Bytes a second; as fast as it goes where 0."""
    json: bool = False
    login: str = ""
    url: str = ""

    def add(self, name: str, data: bytes) -> str:
        """Offers a file, and gives its hash."""
        self.files[name] = data
        return hashlib.sha256(data).hexdigest()

    def __enter__(self) -> "Registry":
        registry = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                registry.answer(self)

            def log_message(self, *_):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._server.server_close()

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        path = re.sub(r"^http://[^/]+", "", request.path)  # as a proxy is asked
        if self.login and request.headers.get("Authorization") != "Basic " + base64.b64encode(self.login.encode()).decode():
            return self._status(request, 401)
        if found := re.fullmatch(r"/(?:simple|whl/cpu)/([^/]+)/", path):
            return self._page(request, found[1])
        name = unquote(path.rsplit("/", 1)[-1])
        if name not in self.files:
            return self._status(request, 404)
        self.asked.append((name, request.headers.get("Range", "")))
        self._file(request, self.files[name], self.faults.pop(0) if self.faults else ("",))

    def _page(self, request, package):
        names = [name for name in self.files if normal(name.split("-")[0]) == package]
        if not names:
            return self._status(request, 404)
        if self.json:
            entries = ", ".join(f'{{"filename": "{name}", "url": "../../files/{name}"}}' for name in names)
            return self._send(request, f'{{"files": [{entries}]}}'.encode(), "application/vnd.pypi.simple.v1+json")
        links = "".join(f'<a href="/files/{name.replace("+", "%2B")}#sha256=0">{name}</a>' for name in names)
        self._send(request, links.encode(), "text/html")

    def _file(self, request, data, fault):
        kind, *value = fault
        if kind == "status":
            return self._status(request, value[0])
        start = int(found[1]) if (found := re.fullmatch(r"bytes=(\d+)-", request.headers.get("Range", ""))) else 0
        if start and kind == "whole":
            start = 0
        if start and start >= len(data):
            return self._status(request, 416)
        body = bytes(len(data)) if kind == "other" else data
        request.send_response(206 if start else 200)
        if start:
            request.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        request.send_header("Content-Length", str(len(data) - start))
        request.end_headers()
        end = min(len(data), start + value[0]) if kind in ("cut", "stall") else len(data)
        try:
            self._pour(request, body[start:end])
            if kind == "stall":
                time.sleep(3)
        except OSError:
            pass
        if end < len(data):
            request.close_connection = True

    def _pour(self, request, data):
        step = max(1, int(self.speed / 20)) if self.speed else len(data) or 1
        for at in range(0, len(data), step):
            request.wfile.write(data[at : at + step])
            request.wfile.flush()
            if self.speed:
                time.sleep(0.05)

    def _status(self, request, code):
        request.send_response(code)
        request.send_header("Content-Length", "0")
        request.end_headers()

    def _send(self, request, body, kind):
        request.send_response(200)
        request.send_header("Content-Type", kind)
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        request.wfile.write(body)


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def wheel(name: str, files: dict[str, bytes], version: str = VERSION) -> tuple[str, bytes]:
    """A wheel of pure Python: its file name, and its bytes."""
    info = f"{name}-{version}.dist-info"
    inside = files | {
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n".encode(),
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    lines = [f"{path},sha256={_digest(data)},{len(data)}" for path, data in inside.items()] + [f"{info}/RECORD,,"]
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for path, data in inside.items():
            archive.writestr(path, data)
        archive.writestr(f"{info}/RECORD", "\n".join(lines) + "\n")
    return f"{name}-{version}-py3-none-any.whl", made.getvalue()


def _digest(data: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()


def locked(folder: Path, platform: str, backend: str, wheels: dict[str, bytes]) -> None:
    """Writes a lock of these wheels, for every Python."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = []
    for file, data in wheels.items():
        digest, (name, version, *_) = hashlib.sha256(data).hexdigest(), file.split("-")
        lines += [f"{name}=={version} --hash=sha256:{digest}", f"# wheel 3.11,3.12,3.13 {len(data)} {2 * len(data)} {digest} {file}"]
    (folder / f"{platform}-{backend}.txt").write_text("\n".join(lines) + "\n")
