"""A download ends whole or resumable, whatever the server, the disk or the process does; never with a bad file in place."""

import hashlib
import os
import random
import re
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from pegbar.engine.protocol import PegbarError
from pegbar.engine.setup.download import fetch

from .registry import Registry

DATA = random.Random(1).randbytes(400_000)
SHA256 = hashlib.sha256(DATA).hexdigest()
ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def server():
    with Registry({"file": DATA}) as registry:
        yield registry


def get(server, path, **options):
    fetch(f"{server.url}/files/file", path, SHA256, **({"stall_s": 0.4, "wait_s": 0.01} | options))


def test_a_download_cut_at_ten_points_goes_on_where_it_was_cut_each_time(server, tmp_path):
    server.faults = [("cut", count) for count in (1, 10, 1000, 20_000, 1, 50_000, 70_000, 90_000, 3, 100_000)]
    get(server, tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == DATA and os.listdir(tmp_path) == ["file"]
    starts = [0, *(int(asked.removeprefix("bytes=").removesuffix("-")) for _, asked in server.asked[1:])]
    assert starts == [sum((1, 10, 1000, 20_000, 1, 50_000, 70_000, 90_000, 3, 100_000)[:index]) for index in range(11)]


def test_a_stalled_connection_is_made_anew(server, tmp_path):
    server.faults = [("stall", 100_000), ("stall", 50_000)]
    get(server, tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == DATA
    assert [asked for _, asked in server.asked] == ["", "bytes=100000-", "bytes=150000-"]


def test_a_connection_on_which_hardly_anything_comes_counts_as_stalled(server, tmp_path):
    server.speed = 200  # bytes a second
    done = []

    def tell(count):
        done.append(count)
        if len(server.asked) > 1:
            server.speed = 0

    get(server, tmp_path / "file", tell=tell)
    assert len(server.asked) == 2 and (tmp_path / "file").read_bytes() == DATA


def test_another_file_is_thrown_away_and_asked_for_once_more(server, tmp_path):
    server.faults = [("other",)]
    get(server, tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == DATA
    server.faults = [("other",), ("other",)]
    with pytest.raises(PegbarError, match=r"damaged \(checksum differs\): press Try Again"):
        get(server, tmp_path / "second")
    assert os.listdir(tmp_path) == ["file"]


def test_a_part_that_is_longer_than_the_file_is_begun_anew(server, tmp_path):
    (tmp_path / "file.part").write_bytes(b"x" * (len(DATA) + 1))
    get(server, tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == DATA and [asked for _, asked in server.asked] == [f"bytes={len(DATA) + 1}-", ""]


def test_a_part_of_another_file_never_comes_into_place(server, tmp_path):
    (tmp_path / "file.part").write_bytes(b"x" * 1000)
    get(server, tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == DATA


def test_a_server_that_knows_no_ranges_sends_it_whole(server, tmp_path):
    server.faults = [("cut", 1000), ("whole",)]
    get(server, tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == DATA


@pytest.mark.parametrize(("code", "why"), [(403, "refuses it"), (404, "does not have it"), (401, "asks for a name")])
def test_a_refusal_is_told_at_once_with_who_and_what_to_do(server, tmp_path, code, why):
    server.faults = [("cut", 1000), ("status", code)]
    with pytest.raises(PegbarError, match=rf"127\.0\.0\.1 {why}.*\({code}\)\. Choose a mirror") as refused:
        get(server, tmp_path / "file")
    assert refused.value.id == "PB-E03" and len(server.asked) == 2
    assert (tmp_path / "file.part").read_bytes() == DATA[:1000]
    get(server, tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == DATA


def test_a_server_that_is_busy_is_asked_again(server, tmp_path):
    server.faults = [("status", 503), ("status", 429), ("cut", 5), ("status", 500)]
    get(server, tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == DATA


def test_a_server_that_stays_away_is_given_up_and_the_part_is_kept(server, tmp_path):
    server.faults = [("cut", 1000)] + [("status", 503)] * 9
    with pytest.raises(PegbarError, match=r"stopped.*127\.0\.0\.1 does not answer.*Press Continue"):
        get(server, tmp_path / "file")
    assert len(server.asked) == 6 and (tmp_path / "file.part").stat().st_size == 1000


def test_no_server_at_all_is_told(tmp_path):
    with Registry() as gone:
        pass
    with pytest.raises(PegbarError, match=r"does not answer .*refused"):
        get(gone, tmp_path / "file")
    assert not os.listdir(tmp_path)


def test_a_proxy_is_asked_where_one_is_set(server, tmp_path, monkeypatch):
    monkeypatch.setenv("http_proxy", server.url)
    monkeypatch.delenv("no_proxy", raising=False)
    fetch("http://files.example/files/file", tmp_path / "file", SHA256)
    assert (tmp_path / "file").read_bytes() == DATA


def test_a_name_and_a_password_in_the_address_are_sent_and_never_told(server, tmp_path):
    server.login = "studio:s p"
    address = server.url.replace("//", "//studio:s%20p@") + "/files/file"
    fetch(address, tmp_path / "file", SHA256)
    assert (tmp_path / "file").read_bytes() == DATA
    server.login = "another"
    with pytest.raises(PegbarError, match="asks for a name and a password") as refused:
        fetch(address, tmp_path / "second", SHA256)
    assert "s p" not in str(refused.value) and "s%20p" not in str(refused.value)


CHILD = """
import sys; sys.path.insert(0, {root!r})
from pathlib import Path
from engine.protocol import PegbarError
from engine.setup.download import fetch
try:
    fetch({url!r}, Path({path!r}), {sha256!r})
except PegbarError as error:
    print(error.id, error)
"""


def child(server, path):
    return [sys.executable, "-c", CHILD.format(root=str(ROOT), url=f"{server.url}/files/file", path=str(path), sha256=SHA256)]


def test_a_full_disk_is_told_and_the_part_goes_on_when_there_is_room(server, tmp_path):
    def full():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))

    said = subprocess.run(child(server, tmp_path / "file"), preexec_fn=full, capture_output=True, text=True, timeout=30)
    assert re.match(r"PB-E\d+ .*" + re.escape(str(tmp_path)), said.stdout), said
    assert os.listdir(tmp_path) == ["file.part"] and (tmp_path / "file.part").read_bytes() == DATA[:100_000]
    get(server, tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == DATA and server.asked[-1][1] == "bytes=100000-"


def test_a_killed_download_goes_on_after_what_had_come(server, tmp_path):
    server.speed = 400_000
    process, part = subprocess.Popen(child(server, tmp_path / "file")), tmp_path / "file.part"
    while not (part.exists() and part.stat().st_size > 50_000):
        time.sleep(0.01)
    process.kill()
    process.wait()
    assert not (tmp_path / "file").exists()
    kept, server.speed = part.stat().st_size, 0
    get(server, tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == DATA and server.asked[-1][1] == f"bytes={kept}-"
