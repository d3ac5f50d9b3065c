"""Where memory runs out a run climbs down its ladder and ends with the right frames, on the processor made as small as a card.

The limit is enforced: each operation's tensors are counted, and one too many raises torch.OutOfMemoryError (`counting.enforced`).
"""

import json
import re
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
import torch
from pegbar.engine.catalog import PIPELINES
from pegbar.engine.diffusion.memory import GIB
from pegbar.engine.drawing.frames import encode_png, read_image
from pegbar.engine.errors import OUT_OF_MEMORY
from pegbar.engine.protocol import Done, Failed, InputFile, Job, JobFolder, Planned, Progress, Shot
from pegbar.engine.spec import complete
from pegbar.engine.weights import Machine
from pegbar.engine.worker import run_job
from pegbar.tests.tiny import dropletvideo, flipsketch, lvcd, vidsketch
from PIL import Image, ImageDraw

from .painting import drawn, lines

ENOUGH_GB = 64.0
MAKERS = {"lvcd": lvcd, "flipsketch": flipsketch, "vidsketch": vidsketch, "dropletvideo": dropletvideo}


@dataclass(frozen=True)
class Case:
    """A job of a pipeline, how many frames it makes, and the phase in the middle of which memory runs out."""

    pipeline: str
    params: dict
    frames: int
    phase: str
    off: float = 0.0
    """How far frames may be off: where guidance goes in two passes a last bit differs, which a random network makes larger."""
    weights: Path = Path()
    models: dict = field(default_factory=dict)


CASES = (
    Case("lvcd", {"working_width": 86, "num_inference_steps": 2, "line_softness": 0.0}, 24, "Segment 2 of 2"),
    Case("flipsketch", {"num_inference_steps": 4, "size": 64, "align": True, "as_clip": True, "drawings_at_once": 3}, 5, "Drawing"),
    Case("vidsketch", {"size": 64, "num_inference_steps": 6, "prompt": "a candle"}, 4, "Drawing", off=0.02),
    Case("dropletvideo", {"num_inference_steps": 3, "resolution": "image", "template": "plain", "prompt": "A cat turns"}, 9, "Drawing"),
)


@pytest.fixture(scope="module", params=CASES, ids=lambda case: case.pipeline)
def case(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp(request.param.pipeline)
    MAKERS[request.param.pipeline].make(folder)
    return Case(**{**vars(request.param), "weights": folder, "models": {}})


def sketch(folder, name, frame, size=(64, 48)):
    image = Image.new("L", size, 255)
    ImageDraw.Draw(image).ellipse((8, 6, 48, 40), outline=0, width=3)
    file = folder.input_file(name, frame, ".png")
    image.save(folder.file(file))
    return InputFile(frame, file)


def pictures(folder, name, images):
    files = []
    for frame, image in images.items():
        file = folder.input_file(name, frame, ".png")
        folder.file(file).write_bytes(encode_png(image))
        files.append(InputFile(frame, file))
    return tuple(files)


def take(case, path):
    """The same job each time."""
    made = JobFolder.create(path)
    inputs = {
        "lvcd": lambda: {
            "lineart": pictures(made, "lineart", dict(enumerate(lines(case.frames), 1))),
            "reference": pictures(made, "reference", {1: drawn(0)[1]}),
        },
        "flipsketch": lambda: {"sketch": (sketch(made, "sketch", 1),)},
        "vidsketch": lambda: {"sketch": (sketch(made, "sketch", 1), sketch(made, "sketch", 4))},
        "dropletvideo": lambda: {"image": pictures(made, "image", {1: np.random.default_rng(1).random((32, 48, 4)).astype(np.float32)})},
    }[case.pipeline]()
    params = complete(PIPELINES[case.pipeline], case.params)
    made.write_job(Job(case.pipeline, params, inputs, Shot("Scene", 1, case.frames, 8.0), 3, id="id"))
    return made


def run(case, made, memory_gb=0.0, tell=lambda event: None):
    return run_job(made, case.models, tell, Machine((case.weights,), "cpu", memory_gb))


def frames(made):
    return [read_image(path) for path in sorted((made.outputs / "clip").glob("*.png"))]


def rung_of(made):
    return json.loads((made.state_folder / "memory.json").read_text())["mode"]


def planned(made):
    return [event for event in made.events()[0] if isinstance(event, Planned)]


@pytest.fixture(scope="module")
def whole(case, tmp_path_factory):
    """A take made with all the memory that it wants, and the GB that it takes of a card."""
    made = take(case, tmp_path_factory.mktemp("whole"))
    end = run(case, made, ENOUGH_GB)
    assert isinstance(end, Done), end
    (told,) = planned(made)
    assert rung_of(made) == "everything" and (told.of, told.told) == (ENOUGH_GB, "")
    return made, told.gigabytes


def assert_same(case, made, other):
    found, wanted = frames(made), frames(other)
    assert len(found) == len(wanted) == case.frames
    assert max(np.abs(one - other).max() for one, other in zip(found, wanted, strict=True)) <= case.off


def test_a_run_whose_memory_is_taken_in_the_middle_goes_on_to_the_same_frames(case, whole, tmp_path):
    """Another program takes the rest for a moment: what it allocates within the run counts."""
    made, (other, needed), hog, ready = take(case, tmp_path), whole, [], {}

    def tell(event):
        if isinstance(event, Progress) and event.phase == case.phase and event.step and not hog:
            ready.update({path: path.stat().st_mtime_ns for path in made.outputs.rglob("*.png")})
            hog.append(torch.empty(int(0.6 * needed * GIB), dtype=torch.uint8))

    end = run(case, made, 1.2 * needed, tell)
    assert isinstance(end, Done) and hog, end
    assert rung_of(made) != rung_of(other)
    assert [text for text in made.state().warnings if "was full: goes on with" in text]
    assert len(planned(made)) >= 2 and all(event.told for event in planned(made)[1:])
    assert {path: path.stat().st_mtime_ns for path in ready} == ready, "what was finished is kept"
    assert_same(case, made, other)


def test_a_run_that_fits_only_lower_starts_there_and_gives_the_same_frames(case, whole, tmp_path):
    made, (other, needed) = take(case, tmp_path), whole
    assert isinstance(run(case, made, 0.97 * needed), Done)
    (told,) = planned(made)
    assert rung_of(made) != "everything" and told.told and told.gigabytes < 0.97 * needed
    assert_same(case, made, other)


def test_below_the_last_rung_the_artist_reads_what_is_needed_and_what_is_free(case, tmp_path):
    made = take(case, tmp_path)
    end = run(case, made, 0.0002)
    assert isinstance(end, Failed) and end.id == OUT_OF_MEMORY and not end.traceback
    assert re.fullmatch(r"Not enough memory: this needs 0\.\d+ GB, 0\.0002 GB is free: work at a smaller size, .*", end.text), end.text
    assert isinstance(run(case, made, ENOUGH_GB), Done), "the same take goes on where there is more"
