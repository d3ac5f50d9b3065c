"""Strokes to pictures, exact and anti-aliased, at any size: Skia fills one path a stroke, so that no stroke darkens itself.

Colours blend as sRGB values. Knows no file and no Blender.
"""

from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise

import numpy as np
import skia
from numpy.typing import NDArray

from ..protocol import PegbarError
from ..strokes import Strokes
from .curves import Polylines, sample, thinned
from .frames import MAX_PIXELS
from .outlines import outlines

MIN_WIDTH = 1.0
"""Pixels; a thinner line is drawn so wide, at any size, so that hairlines do not vanish. A line without any width is not drawn."""

_SEEN = 1 / 255
"""A change of opacity that shows."""
_LUMA = np.array([0.2126, 0.7152, 0.0722], np.float32)


def coloured(strokes: Strokes, size: tuple[int, int], lines: bool = True) -> NDArray[np.float32]:
    """The drawing in its colours on nothing: (h, w, 4) with straight alpha; inside an opaque fill exactly the fill's colour.

    `size` is (width, height); the sketch is stretched to it. Without `lines` only the fills are drawn.
    """
    image = np.zeros((*_shape(size), 4), np.float32)
    surface = skia.Surface(image, skia.kRGBA_F32_ColorType, skia.kPremul_AlphaType)
    line = strokes.line_colour if lines else np.zeros_like(strokes.line_colour)
    _paint(surface.getCanvas(), strokes, size, line, strokes.fill_colour)
    partly = (image[..., 3] > 0) & (image[..., 3] < 1)
    image[partly, :3] /= image[partly, 3:]
    return image.clip(0, 1, out=image)


def sketch(strokes: Strokes, size: tuple[int, int]) -> NDArray[np.float32]:
    """The drawing in black on white: (h, w, 4), opaque. Fills hide the lines under them; light ones are paper, dark ones ink."""
    grey = np.full(_shape(size), 255, np.uint8)
    surface = skia.Surface(grey, skia.kGray_8_ColorType, skia.kOpaque_AlphaType)
    fill = strokes.fill_colour.copy()
    fill[:, :3] = np.where(fill[:, :3] @ _LUMA < 0.5, 0, 1)[:, None]
    _paint(surface.getCanvas(), strokes, size, strokes.line_colour * np.array([0, 0, 0, 1], np.float32), fill)
    image = np.ones((*grey.shape, 4), np.float32)
    image[..., :3] = np.divide(grey, np.float32(255), dtype=np.float32)[..., None]
    return image


def ink(strokes: Strokes, size: tuple[int, int]) -> NDArray[np.float32]:
    """How much the lines cover each pixel, their opacity counted: (h, w), 0 paper, 1 ink. Fills do not count and hide nothing."""
    coverage = np.zeros(_shape(size), np.uint8)
    surface = skia.Surface(coverage, skia.kAlpha_8_ColorType, skia.kPremul_AlphaType)
    _paint(surface.getCanvas(), strokes, size, strokes.line_colour, np.zeros_like(strokes.fill_colour))
    return np.divide(coverage, np.float32(255), dtype=np.float32)


def _shape(size: tuple[int, int]) -> tuple[int, int]:
    width, height = size
    if width < 1 or height < 1 or width * height > MAX_PIXELS:
        raise PegbarError(f"A drawing cannot be rastered at {width}x{height}: choose a size from 1x1 to 8192x8192")
    return height, width


def _paint(canvas: skia.Canvas, strokes: Strokes, size: tuple[int, int], line: NDArray[np.float32], fill: NDArray[np.float32]) -> None:
    """Draws each stroke's fill, then its line, in these colours (s, 4), in order."""
    lines = thinned(sample(strokes, size))
    drawn = (line[:, 3] > 0) & (np.bincount(lines.stroke, lines.widths, len(line)) > 0)
    lines = replace(lines, widths=np.maximum(lines.widths, MIN_WIDTH))
    corners = list(map(skia.Point, *lines.points.T.tolist()))
    paths = outlines(lines)
    for stroke, (first, end) in enumerate(pairwise(lines.offsets.tolist())):
        if fill[stroke, 3] > 0:
            canvas.drawPath(skia.PathBuilder().addPolygon(corners[first:end], True).detach(), _ink(fill[stroke]))
        if drawn[stroke]:
            _draw_line(canvas, paths[stroke], line[stroke], lines, slice(first, end))


def _draw_line(canvas: skia.Canvas, path: skia.Path, colour: NDArray[np.float32], lines: Polylines, part: slice) -> None:
    opacity = lines.opacity[part]
    if np.ptp(opacity) < _SEEN:
        canvas.drawPath(path, _ink(colour, opacity.mean()))
        return
    # Each piece replaces what it overlaps, so that nothing is darker than its own opacity; then all outside the outline is taken away.
    canvas.saveLayer(path.getBounds().makeOutset(1, 1))
    for (x, y), (to_x, to_y), width, share in _pieces(lines, part):
        paint = _ink(colour, share)
        paint.setBlendMode(skia.BlendMode.kSrc)
        paint.setAntiAlias(False)
        paint.setStrokeWidth(width + 2)
        paint.setStrokeCap(skia.Paint.kRound_Cap)
        canvas.drawLine(x, y, to_x, to_y, paint)
    path.toggleInverseFillType()
    canvas.drawPath(path, skia.Paint(AntiAlias=True, BlendMode=skia.BlendMode.kDstOut))
    canvas.restore()


def _pieces(lines: Polylines, part: slice) -> Iterator[tuple[list[float], list[float], float, float]]:
    """Both ends, the width and the opacity of what lies between two points of a stroke, in order."""
    first, end = part.start, part.stop
    points, ahead = lines.points[first:end], np.roll(lines.points[first:end], -1, axis=0)
    widths, opacity = lines.widths[part], lines.opacity[part]
    width, share = np.maximum(widths, np.roll(widths, -1)), (opacity + np.roll(opacity, -1)) / 2
    count = len(points) if lines.closed[lines.stroke[first]] else len(points) - 1
    yield from zip(points.tolist()[:count], ahead.tolist(), width.tolist(), share.tolist(), strict=False)


def _ink(colour: NDArray[np.float32], opacity: float = 1.0) -> skia.Paint:
    red, green, blue, alpha = np.nan_to_num(colour).clip(0, 1).tolist()
    return skia.Paint(AntiAlias=True, Color4f=skia.Color4f(red, green, blue, alpha * opacity))
