"""Coloured lines between light and shadow: they part colours, and vanish where asked."""

import numpy as np
import pytest
from pegbar.engine.drawing.cels import Lines
from pegbar.engine.drawing.frames import encode_png, read_image
from pegbar.engine.protocol import Done, InputFile, Job, JobFolder, Shot
from pegbar.engine.worker import run_job

PAPER, LIGHT, SHADOW = (250, 240, 220), (220, 120, 60), (150, 70, 40)


def drawing(left: int) -> tuple[np.ndarray, np.ndarray]:
    """A box outlined in black that a red line parts into light and shadow: the line art and the coloured frame, (120, 160, 4) 0..1."""
    lines = np.ones((120, 160, 4), np.float32)
    lines[30:90, left : left + 60, :3] = 0
    lines[33:87, left + 3 : left + 57, :3] = 1
    colours = np.full((120, 160, 3), PAPER, np.float32) / 255
    colours[31:89, left + 1 : left + 59] = np.array(LIGHT) / 255
    colours[31:89, left + 35 : left + 59] = np.array(SHADOW) / 255
    painted = np.dstack([colours * lines[..., :3], lines[..., 3]]).astype(np.float32)
    lines[33:87, left + 34 : left + 36, 1:3] = 0
    return lines, painted


@pytest.mark.parametrize("hidden", [False, True])
def test_separators_part_colours_and_are_shown_or_hidden(tmp_path, hidden):
    take = JobFolder.create(tmp_path)
    files = []
    for number, left in enumerate((50, 60), 1):
        files.append(InputFile(number, take.input_file("lineart", number, ".png")))
        take.file(files[-1].file).write_bytes(encode_png(drawing(left)[0]))
    reference = InputFile(1, take.input_file("reference", 1, ".png"))
    take.file(reference.file).write_bytes(encode_png(drawing(50)[1]))
    take.write_job(Job("flat", {"hide_separators": hidden}, {"lineart": tuple(files), "reference": (reference,)}, Shot("Scene", 1, 2, 24)))
    assert isinstance(run_job(take), Done)
    found = (read_image(take.file(take.output_file("clip", 2, ".png")))[..., :3] * 255).round().astype(np.uint8)
    assert found[60, 80].tolist() == list(LIGHT) and found[60, 110].tolist() == list(SHADOW) and found[10, 10].tolist() == list(PAPER)
    red = (found == (255, 0, 0)).all(-1)
    assert red.any() != hidden
    assert (found[31:33, 70] == 0).all(), "outlines stay"
    if hidden:
        assert {tuple(colour) for colour in found[60, 64:116].tolist()} == {LIGHT, SHADOW}


def test_a_drawing_in_blue_pencil_keeps_its_lines():
    layer = np.zeros((20, 20, 4), np.float32)
    layer[5:8] = (0.1, 0.2, 0.9, 1)
    lines = Lines.of(layer)
    assert len(lines.plain().place) == len(lines.place) == 60
