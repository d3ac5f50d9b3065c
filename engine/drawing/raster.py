"""Strokes to pictures, exact and anti-aliased, at any size: Skia fills one path a stroke, so that no stroke darkens itself.

Colours blend as sRGB values. Knows no file and no Blender.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import groupby

import numpy as np
import skia
from numpy.typing import NDArray

from ..protocol import PegbarError
from ..strokes import Strokes
from .curves import sample, thinned
from .frames import MAX_PIXELS
from .outlines import Fade, fades, outlines, polygons

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
    stroke = lines.stroke
    drawn = (line[:, 3] > 0) & (np.bincount(stroke, lines.widths, len(line)) > 0)
    lines = replace(lines, widths=np.maximum(lines.widths, MIN_WIDTH))
    opacity = np.bincount(stroke, lines.opacity, len(line)) / np.maximum(np.diff(lines.offsets), 1)
    fading = drawn & (np.bincount(stroke, np.abs(lines.opacity - opacity[stroke]) > _SEEN, len(line)) > 0)
    insides, paths, fade = polygons(lines.points, lines.offsets), outlines(lines), fades(lines.kept(fading[stroke]))
    for layer, members in groupby(range(len(line)), key=strokes.layer.__getitem__):
        with _layer(canvas, strokes.layer_opacity[layer] if strokes.layer_opacity else 1.0):
            for i in members:
                if fill[i, 3] > 0:
                    canvas.drawPath(skia.PathBuilder().addPolygon(insides[i], True).detach(), _filled(fill[i]))
                if fading[i]:
                    _draw_fading(canvas, paths[i], fade[i], _filled(line[i]))
                elif drawn[i]:
                    canvas.drawPath(paths[i], _filled(line[i], opacity[i]))


@contextmanager
def _layer(canvas: skia.Canvas, opacity: float) -> Iterator[None]:
    """What is drawn within lies on the canvas as a whole."""
    if opacity >= 1:
        yield
        return
    canvas.saveLayer(None, skia.Paint(Alphaf=max(opacity, 0.0)))
    yield
    canvas.restore()


def _draw_fading(canvas: skia.Canvas, path: skia.Path, fade: Fade, paint: skia.Paint) -> None:
    """Draws a line whose opacity changes along its way, nowhere darker than its own opacity: each part replaces what it overlaps,
    then all outside the outline is taken away."""
    alpha = paint.getAlphaf()
    canvas.saveLayer(path.getBounds().makeOutset(1, 1))
    paint.setBlendMode(skia.BlendMode.kSrc)
    paint.setAntiAlias(False)
    for centre, radius, opacity in fade.discs:
        paint.setAlphaf(alpha * opacity)
        canvas.drawCircle(centre, radius, paint)
    paint.setAlphaf(alpha)
    for strip in fade.strips:
        canvas.drawVertices(strip, paint)
    path.toggleInverseFillType()
    canvas.drawPath(path, skia.Paint(AntiAlias=True, BlendMode=skia.BlendMode.kDstOut))
    canvas.restore()


def _filled(colour: NDArray[np.float32], opacity: float = 1.0) -> skia.Paint:
    red, green, blue, alpha = np.nan_to_num(colour).clip(0, 1).tolist()
    return skia.Paint(AntiAlias=True, Color4f=skia.Color4f(red, green, blue, alpha * opacity))
