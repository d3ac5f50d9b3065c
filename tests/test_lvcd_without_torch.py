"""A published pipeline asked for in the core's Python, which has no torch: one sentence says what is missing."""

import importlib.util

from pegbar.engine.protocol import Failed, InputFile, Job, JobFolder, Shot
from pegbar.engine.weights import Machine
from pegbar.engine.worker import run_job

from .takes import png


def test_the_core_alone_says_that_the_diffusion_engine_is_needed(tmp_path):
    assert importlib.util.find_spec("torch") is None
    for name in ("svd.safetensors", "lvcd.ckpt"):
        (tmp_path / name).touch()
    folder = JobFolder.create(tmp_path / "shot")
    files = {}
    for name in ("lineart", "reference"):
        files[name] = (InputFile(1, folder.input_file(name, 1, ".png")),)
        folder.file(files[name][0].file).write_bytes(png(1))
    folder.write_job(Job("lvcd", {}, files, Shot("Scene", 1, 1, 24)))
    end = run_job(folder, machine=Machine((tmp_path,)))
    assert isinstance(end, Failed) and not end.traceback
    assert end.text.startswith("LVCD needs the diffusion engine, and this Python lacks torch: install pegbar-engine[diffusion]")
