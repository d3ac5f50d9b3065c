"""The demo's pictures, made by the engine's Python: draw what goes in, judge what came out, show both. Steps of a demo folder.

`drawings/0001.npz` ... are the strokes of the shot's frames as Blender read them; everything else is made from these and the takes.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from ..engine.drawing import raster
from ..engine.drawing.frames import encode_png, read_image, write_mp4
from ..engine.protocol import write_atomic
from ..engine.strokes import Strokes
from .judge import Pixels, Score, eight_bit, packed, score, truth_of, violations

FPS = 24
SHEET_FRAMES = (1, 9, 20, 31, 44)
"""The frames that the contact sheet shows: the reference's own, a stride, a blink, the arm before the body, the wave."""
CELL, CAPTION = (320, 180), 26
PAPER, TEXT = (250, 248, 243), (43, 29, 32)


def draw(demo: Path) -> None:
    """Line art and truth of every drawing, and the one coloured reference: the first frame."""
    for name in ("lineart", "truth"):
        (demo / name).mkdir(exist_ok=True)
    for path in sorted((demo / "drawings").glob("*.npz")):
        strokes = Strokes.load(path)
        write_atomic(demo / "lineart" / f"{path.stem}.png", encode_png(line_art(strokes)[..., 0]))
        coloured = encode_png(_on_paper(raster.coloured(strokes, strokes.size))[..., :3])
        write_atomic(demo / "truth" / f"{path.stem}.png", coloured)
        if path.stem == "0001":
            write_atomic(demo / "reference.png", coloured)


def judge(demo: Path) -> None:
    """Adds to `summary.json` how right the coloured frames are, of the whole picture and of the fox alone."""
    summary = json.loads((demo / "summary.json").read_text())
    results = [demo / file for file in summary["takes"]["flat"]]
    reference, first = _pixels(demo / "reference.png"), _off_lines(demo / "lineart" / "0001.png")
    palette = np.unique(packed(reference)[first & _is_plain(reference)])
    whole, fox, off_palette = Score(), Score(), 0
    for path, file in zip(sorted((demo / "drawings").glob("*.npz")), results, strict=True):
        strokes, result, off_lines = Strokes.load(path), _pixels(file), _off_lines(demo / "lineart" / f"{path.stem}.png")
        truth = truth_of(strokes)
        of_fox = (strokes.layer == strokes.layers.index("Fox"))[truth.fill]
        whole += score(result, reference, truth, off_lines)
        fox += score(result, reference, truth, off_lines & of_fox)
        off_palette += violations(result, off_lines, palette)
    figures = {
        "frames": len(results),
        "seconds_per_frame": summary["engine_seconds"]["flat"] / len(results),
        "pixels_right": whole.pixels_right / whole.pixels,
        "regions_right": whole.regions_right / whole.regions,
        "palette_violations": off_palette,
        "regions": whole.regions,
        "fox_pixels_right": fox.pixels_right / fox.pixels,
        "fox_regions_right": fox.regions_right / fox.regions,
        "reference_copied_pixels_right": whole.copied_right / whole.pixels,
        "reference_copied_fox_pixels_right": fox.copied_right / fox.pixels,
    }
    rounded = {name: round(value, 5) if isinstance(value, float) else value for name, value in figures.items()}
    write_atomic(
        demo / "summary.json",
        json.dumps({**rounded, **{name: summary[name] for name in ("engine_seconds", "drawing", "takes")}}, indent=1).encode(),
    )


def show(demo: Path) -> None:
    """The contact sheet and the movie of both routes."""
    summary = json.loads((demo / "summary.json").read_text())
    flat = [_open(demo / file) for file in summary["takes"]["flat"]]
    drawing, *liven = [_sketch(Strokes.load(demo / file)) for file in [summary["drawing"], *summary["takes"]["liven"]]]
    contact_sheet(demo, flat, drawing, liven, figures_of(summary)).save(demo / "contact_sheet.png", optimize=True)
    write_mp4(demo / "demo.mp4", _movie(demo, flat, liven), FPS)


def readme(demo: Path) -> None:
    """The README's picture: the contact sheet of the demo that was made last, smaller."""
    sheet = Image.open(demo / "contact_sheet.png")
    small = sheet.resize((1440, round(sheet.height * 1440 / sheet.width)), Image.Resampling.LANCZOS)
    few = small.quantize(256, Image.Quantize.MEDIANCUT, kmeans=3, dither=Image.Dither.NONE)
    few.save(demo.parent / "docs" / "images" / "contact_sheet.png", optimize=True)


def figures_of(summary: Mapping[str, Any]) -> str:
    """What the judge found, in a few lines."""
    return (
        f"Flat, {summary['frames']} frames from one:\n{summary['seconds_per_frame']:.2f} s a frame\n{summary['pixels_right']:.1%} of pixels right\n"
        f"{summary['regions_right']:.1%} of regions right\n{summary['palette_violations']} pixels off the palette"
    )


def line_art(strokes: Strokes) -> NDArray[np.float32]:
    """The drawing's lines alone, hidden where a fill lies over them: every fill is paper."""
    paper = strokes.fill_colour.copy()
    paper[:, :3] = 1
    return raster.sketch(replace(strokes, fill_colour=paper), strokes.size)


def contact_sheet(demo: Path, flat: list[Image.Image], drawing: Image.Image, liven: list[Image.Image], figures: str) -> Image.Image:
    """Rows of the line art, the result, the truth and the livened drawing; before them what they are made from."""
    width, height = CELL
    sheet = Image.new("RGB", (width * (len(SHEET_FRAMES) + 1), (height + CAPTION) * 4), PAPER)
    livened = [liven[round(i * len(liven) / len(SHEET_FRAMES))] for i in range(len(SHEET_FRAMES))]
    rows = [
        ("The reference: frame 1", _open(demo / "reference.png"), "Line art, frame {}", [_frame(demo, "lineart", n) for n in SHEET_FRAMES]),
        ("", None, "Flat, frame {}", [flat[n - 1] for n in SHEET_FRAMES]),
        ("", None, "Truth, frame {}", [_frame(demo, "truth", n) for n in SHEET_FRAMES]),
        ("A drawing", drawing, "Liven", livened),
    ]
    for row, (label, made_from, caption, pictures) in enumerate(rows):
        top = row * (height + CAPTION)
        _write(sheet, (8, top + 5), label)
        if made_from:
            sheet.paste(_fitted(made_from, CELL), (0, top + CAPTION))
        for column, (frame, picture) in enumerate(zip(SHEET_FRAMES, pictures, strict=True), 1):
            _write(sheet, (column * width + 8, top + 5), caption.format(frame))
            sheet.paste(_fitted(picture, CELL), (column * width, top + CAPTION))
    _write(sheet, (24, 2 * (height + CAPTION) - 60), figures, 19)
    return sheet


def _movie(demo: Path, flat: list[Image.Image], liven: list[Image.Image]) -> Iterator[NDArray[np.float32]]:
    """The shot twice: line art, result and reference; beside them the livened drawing in its loop."""
    width, height = 800, 450
    page = Image.new("RGB", (width * 2, (height + CAPTION) * 2), PAPER)
    places = [(x, y) for y in (0, height + CAPTION) for x in (0, width)]
    captions = ("Line art", "Flat: coloured from the one reference", "The reference: frame 1", "Liven: one drawing, its own strokes moved")
    for (x, y), caption in zip(places, captions, strict=True):
        _write(page, (x + 8, y + 5), caption)
    reference, pages = _open(demo / "reference.png"), []
    for number, result in enumerate(flat):
        shown = (_frame(demo, "lineart", number + 1), result, reference, liven[number % len(liven)])
        for (x, y), picture in zip(places, shown, strict=True):
            page.paste(_fitted(picture, (width, height)), (x, y + CAPTION))
        pages.append(np.asarray(page).copy())
    for pixels in pages * 2:
        yield pixels / np.float32(255)


def _sketch(strokes: Strokes) -> Image.Image:
    return Image.fromarray(eight_bit(_on_paper(raster.coloured(strokes, strokes.size)))[..., :3])


def _off_lines(path: Path) -> NDArray[np.bool_]:
    """Where line art is pure paper."""
    return (_pixels(path)[..., :3] == 255).all(axis=-1)


def _is_plain(pixels: Pixels) -> NDArray[np.bool_]:
    """Where a pixel has the colour of its four neighbours: inside a fill."""
    colours = np.pad(packed(pixels), 1, mode="edge")
    middle = colours[1:-1, 1:-1]
    around = (colours[:-2, 1:-1], colours[2:, 1:-1], colours[1:-1, :-2], colours[1:-1, 2:])
    return np.logical_and.reduce([middle == side for side in around])


def _on_paper(image: NDArray[np.float32]) -> NDArray[np.float32]:
    solid = 1 + (image[..., :3] - 1) * image[..., 3:]
    return np.concatenate([solid, np.ones_like(image[..., 3:])], axis=-1)


def _pixels(path: Path) -> Pixels:
    return eight_bit(read_image(path))


def _open(path: Path) -> Image.Image:
    return Image.fromarray(_pixels(path)[..., :3])


def _fitted(picture: Image.Image, size: tuple[int, int]) -> Image.Image:
    return picture.resize(size, Image.Resampling.LANCZOS)


def _frame(demo: Path, folder: str, number: int) -> Image.Image:
    return _open(demo / folder / f"{number:04d}.png")


def _write(page: Image.Image, at: tuple[int, int], text: str, size: int = 15) -> None:
    ImageDraw.Draw(page).multiline_text(at, text, fill=TEXT, font=ImageFont.load_default(size), spacing=8)
