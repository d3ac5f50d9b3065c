"""The published pipelines with the network cut: a checkpoint that lies on the disk is all that they need."""

from pathlib import Path

import pytest
from pegbar.engine.drawing.frames import encode_png
from pegbar.engine.protocol import JobFolder
from pegbar.tests import cartoon
from pegbar.tests.test_offline import run
from pegbar.tests.tiny import dropletvideo, flipsketch, lvcd, vidsketch

FRAMES = 3


@pytest.fixture
def drawings(tmp_path: Path) -> Path:
    folder = tmp_path / "lines"
    folder.mkdir()
    for frame in range(1, FRAMES + 1):
        lines, ids = cartoon.walk(frame / 24, 64, 64)
        (folder / f"{frame:04d}.png").write_bytes(encode_png(lines))
        if frame == 1:
            (tmp_path / "coloured.png").write_bytes(encode_png(cartoon.coloured(lines, ids, cartoon.palette(1))))
    return folder


def test_every_published_pipeline_needs_no_network(tmp_path, drawings):
    coloured, first = tmp_path / "coloured.png", drawings / "0001.png"
    asked = {
        "lvcd": ["--lineart", drawings, "--reference", f"1={coloured}", "--working-width", 64],
        "flipsketch": ["--sketch", first, "--prompt", "a cat walks", "--size", 64, "--last", FRAMES],
        "vidsketch": ["--sketch", drawings, "--prompt", "a cat walks", "--size", 64, "--last", FRAMES],
        "dropletvideo": ["--image", coloured, "--prompt", "it rains", "--template", "plain", "--resolution", "image", "--last", FRAMES],
    }
    for tiny in (lvcd, flipsketch, vidsketch, dropletvideo):
        folder = tmp_path / "weights" / tiny.__name__.rpartition(".")[2]
        folder.mkdir(parents=True)
        tiny.make(folder)
    usual = ["--num-inference-steps", 2, "--weights", tmp_path / "weights", "--device", "cpu"]
    ended = run(*([name, *more, *usual, "--out", tmp_path / name] for name, more in asked.items()))
    assert ended.returncode == 0, ended.stderr
    for name in asked:
        state = JobFolder(tmp_path / name).state()
        assert state.name == "done" and len(state.frames) >= FRAMES, name
