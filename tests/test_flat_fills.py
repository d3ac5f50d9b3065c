"""`flat`: colours as fill strokes, the same as its pictures, with the reference's own materials."""

from dataclasses import replace

import numpy as np
import pytest
from pegbar.engine.drawing import raster
from pegbar.engine.protocol import JobFolder
from pegbar.engine.strokes import Strokes
from scipy import ndimage

from .test_flat import done, failed, job, lines_of, painted, pixels, rectangles

BOXES = [((20 + 3 * k, 20, 90 + 3 * k, 100), (40 + 3 * k, 40, 60 + 3 * k, 70), (120, 30, 170, 90)) for k in range(3)]
PAINT = ((0.8, 0.2, 0.1, 1), (0.1, 0.3, 0.9, 1), (1.0, 0.9, 0.2, 1))


def coloured(boxes, fill=PAINT, materials=("Coat", "Pocket", "Sun")) -> Strokes:
    """The drawing with a fill and a material for each box."""
    made = rectangles(*boxes)
    return replace(made, fill_colour=np.float32(fill), materials=materials, material=np.arange(len(boxes), dtype=np.int32))


def drawn(take: JobFolder) -> list[Strokes]:
    return [Strokes.load(path) for path in sorted((take.outputs / "fills").glob("*.npz"))]


def as_pixels(strokes: Strokes) -> np.ndarray:
    return (raster.coloured(strokes, strokes.size) * 255).round().astype(np.uint8)


@pytest.fixture(scope="module")
def take(tmp_path_factory) -> JobFolder:
    """Three drawings, coloured by the first: fills and pictures."""
    lines = [rectangles(*boxes) for boxes in BOXES]
    return done(job(tmp_path_factory.mktemp("fills"), lines, {1: coloured(BOXES[0])}, as_fills=True))


def test_fills_are_the_pictures_off_the_lines(take):
    for strokes, picture in zip(drawn(take), pixels(take), strict=True):
        seen = as_pixels(strokes)
        off = ndimage.binary_erosion((picture == seen).all(-1) | (picture[..., 3] == 0), iterations=1) | (seen == picture).all(-1)
        wrong = (seen != picture).any(-1)
        ink = (picture[..., :3] < 40).all(-1) & (picture[..., 3] > 0)
        assert not (wrong & ~ndimage.binary_dilation(ink, iterations=2)).any(), off.mean()


def test_each_palette_colour_is_the_references_material(take):
    for strokes in drawn(take):
        names = [strokes.materials[i] for i in strokes.material]
        assert sorted(names) == ["Coat", "Pocket", "Sun"]
        for name, colour in zip(names, strokes.fill_colour, strict=True):
            assert colour == pytest.approx(PAINT[("Coat", "Pocket", "Sun").index(name)], abs=0.5 / 255 + 1e-6)


def test_without_materials_colours_are_numbered_the_largest_first(tmp_path):
    reference = replace(coloured(BOXES[0]), material=np.full(3, -1, np.int32))
    found = drawn(done(job(tmp_path, [rectangles(*BOXES[0])], {1: reference}, as_fills=True, as_clip=False)))[0]
    assert found.materials == tuple(f"Pegbar Colour {number:02d}" for number in (1, 2, 3, 4))
    named = {found.materials[i]: colour.tolist() for i, colour in zip(found.material, (found.fill_colour * 255).round(), strict=True)}
    assert named == {
        f"Pegbar Colour {number:02d}": [*(round(part * 255 + 1e-6) for part in paint[:3]), 255]
        for number, paint in ((2, PAINT[0]), (3, PAINT[2]), (4, PAINT[1]))
    }


def test_a_material_of_two_colours_names_neither(tmp_path):
    reference = coloured(BOXES[0], materials=("Paint", "Sun"))
    reference = replace(reference, material=np.int32([0, 0, 1]))
    found = drawn(done(job(tmp_path, [rectangles(*BOXES[0])], {1: reference}, as_fills=True)))[0]
    assert sorted(name for name in found.materials if not name.startswith("Pegbar")) == ["Sun"]


def test_pictures_as_line_art_have_no_strokes_to_lie_under(tmp_path):
    lines = lines_of([(60, 60, 30)])
    said = failed(job(tmp_path, [lines], {1: painted(lines, {(60, 60): (200, 40, 40)})}, as_fills=True))
    assert said.startswith("Fills lie under the strokes of a drawing")


def test_a_drawing_with_fills_of_its_own_is_told(tmp_path):
    lines = rectangles(*BOXES[0], fill=(1, 1, 1, 1))
    take = done(job(tmp_path, [lines], {1: coloured(BOXES[0])}, as_fills=True))
    assert any("fills of its own" in warning for warning in take.state().warnings)


def test_fills_alone_make_no_pictures_and_are_the_main_result(tmp_path):
    take = done(job(tmp_path, [rectangles(*BOXES[0])], {1: coloured(BOXES[0])}, as_fills=True, as_clip=False))
    assert not (take.outputs / "clip").exists()
    assert {frame.output for frame in take.state().frames} == {"fills", "notes"}


def test_all_fills_lie_in_the_lowest_layer_that_every_drawing_has(tmp_path):
    def on(strokes: Strokes, *layers: str) -> Strokes:
        of = np.minimum(np.arange(len(strokes.layer)), len(layers) - 1).astype(np.int32)
        return replace(strokes, layers=layers, layer=of, matrices=np.stack([np.eye(4) * (1, i + 1, 1, 1) for i in range(len(layers))]))

    lines = [on(rectangles(*BOXES[0]), "Ground", "Lines"), on(rectangles(*BOXES[1]), "Lines", "Face")]
    found = drawn(done(job(tmp_path, lines, {1: coloured(BOXES[0])}, as_fills=True, as_clip=False)))
    assert [strokes.layers for strokes in found] == [("Lines",)] * 2
    assert [strokes.matrices[0, 1, 1] for strokes in found] == [2, 1]
