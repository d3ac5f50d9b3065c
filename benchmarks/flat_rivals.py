"""What `flat` is measured against: copying the reference, the study's classical matcher, and the study's learned one in plain numpy.

They see drawings as the study's do: connected areas of the lines, 128 x 128 pixels or so, square. Knows nothing of the pipeline.
"""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file
from scipy import ndimage
from scipy.special import erf

from engine.drawing import lineart
from engine.drawing.regions import segment

from .flat_study import INK, Bytes, Case, Found, Method

Floats = NDArray[np.float32]
Labels = NDArray[np.int32]
Regions = Callable[[Case, int], Labels]

_TOKENS, _CROP, _LEAST = 48, 12, 3
"""Regions that the study's matcher sees of a frame, the side of each one's picture, and pixels from which a region counts."""
_COUNTS = np.array([3.0, 3.0, 0.5, 0.4, 0.4, 1.0, 0.3, 0.1, 0.5])
"""How much place, size, extent, fullness, two of Hu's moments and touching the edge count in the classical matcher."""


def copy(case: Case) -> Found:
    """Every frame as its nearest reference."""
    paintings = {frame: case.painting(frame) for frame in case.references}
    return Found({frame: paintings[_nearest(case, frame)] for frame in case.wanted})


def connected(case: Case, frame: int) -> Labels:
    """(h, w) the connected areas of a drawing, 1 to n, as the study finds them; 0 is line."""
    return ndimage.label(_ink(case, frame) < INK)[0]


def enclosed(case: Case, frame: int) -> Labels:
    """(h, w) the regions of a drawing as `flat` finds them, gaps closed, 1 to n; 0 is line."""
    return (segment(lineart.ink(case.drawing(frame))) + 1) * (_ink(case, frame) < INK)


def classical(regions: Regions) -> Method:
    """Regions by place, size, extent and Hu's moments, drawing by drawing away from the nearest reference."""

    def method(case: Case) -> Found:
        labels = [regions(case, frame) for frame in range(len(case.ids))]
        measured = [_measures(each) for each in labels]

        def step(frame: int, before: int, colours: Floats) -> Floats:
            if not len(measured[before]) or not len(measured[frame]):
                return np.zeros((len(measured[frame]), 3), np.float32)
            return colours[(np.abs(measured[frame][:, None] - measured[before][None]) * _COUNTS).sum(-1).argmin(1)]

        return _carried(case, labels, step)

    return method


def _carried(case: Case, labels: list[Labels], step: Callable[[int, int, Floats], Floats]) -> Found:
    """Colours carried from each reference outwards, frame by frame."""
    colours = {frame: _colours(labels[frame], case.painting(frame)) for frame in case.references}
    frames = {}
    for frame in sorted(case.wanted, key=lambda frame: abs(frame - _nearest(case, frame))):
        nearest = _nearest(case, frame)
        before = frame - (1 if frame > nearest else -1)
        colours[frame] = step(frame, before, colours[before])
        frames[frame] = _painted(labels[frame], colours[frame], _ink(case, frame))
    return Found(frames)


def _nearest(case: Case, frame: int) -> int:
    return min(case.references, key=lambda reference: abs(reference - frame))


def _ink(case: Case, frame: int) -> Bytes:
    """(h, w) 255 is ink."""
    return case.given[frame] if case.given.ndim == 3 else (255 - case.given[frame][..., :3].min(-1)).astype(np.uint8)


def _colours(labels: Labels, image: Bytes) -> Floats:
    """(n, 3) the median colour of each region 1 to n."""
    rows = [np.zeros(3) if box is None else np.median(image[box][labels[box] == i], 0) for i, box in _boxes(labels)]
    return np.array(rows, np.float32).reshape(-1, 3)


def _boxes(labels: Labels) -> list[tuple[int, tuple[slice, slice] | None]]:
    return list(enumerate(ndimage.find_objects(labels), 1))


def _painted(labels: Labels, colours: Floats, ink: Bytes) -> Bytes:
    """The regions in their colours under the lines; a pixel of none as the nearest one."""
    if not labels.any():
        return np.zeros((*ink.shape, 3), np.uint8)
    rows, columns = ndimage.distance_transform_edt(labels == 0, return_distances=False, return_indices=True)
    flat = np.concatenate([np.zeros((1, 3), np.float32), colours])[labels[rows, columns]]
    return (flat * (1 - ink[..., None] / 255.0)).astype(np.uint8)


def _measures(labels: Labels) -> Floats:
    """(n, 9) of each region; of one all under ink, far from any other's."""
    side = labels.shape[0]
    rows = []
    for i, box in _boxes(labels):
        if box is None:
            rows.append((1e6,) * len(_COUNTS))
            continue
        down, across = box
        mask = labels[box] == i
        h, w = mask.shape
        y, x = np.nonzero(mask)
        hu = cv2.HuMoments(cv2.moments(mask.astype(np.uint8), True))[:2, 0]
        hu = -np.sign(hu) * np.log10(np.abs(hu) + 1e-7)
        edge = down.start == 0 or across.start == 0 or down.stop == labels.shape[0] or across.stop == labels.shape[1]
        place = (x.mean() + across.start) / side, (y.mean() + down.start) / side
        rows.append((*place, np.log(len(x)), np.log(w), np.log(h), len(x) / (w * h), *hu, edge))
    return np.array(rows, np.float32).reshape(-1, len(_COUNTS))


# --- the study's learned matcher


def region_former(path: Path) -> Method:
    """The study's matcher of 0.54 M parameters (`regnet.py`, `evalx.py: regfn`): from the nearest reference and the frame before."""
    weights = {name: values.astype(np.float32) for name, values in load_file(path).items()}

    def method(case: Case) -> Found:
        labels = [connected(case, frame) for frame in range(len(case.ids))]
        seen = [_tokens(each, _ink(case, frame)) for frame, each in enumerate(labels)]
        paint = {frame: _colours(labels[frame], case.painting(frame)) for frame in case.references}
        palettes = {frame: _palette(paint[frame], labels[frame]) for frame in case.references}

        def votes(frame: int, source: int, colours: Floats, palette: Floats) -> Floats:
            """(n, p) how much each token's matches speak for each colour."""
            mine, theirs = seen[frame], seen[source]
            shares = _matched(weights, theirs, mine)
            index = ((colours[theirs[0] - 1][:, None] - palette[None]) ** 2).sum(-1).argmin(1)
            total = np.zeros((len(mine[0]), len(palette)), np.float32)
            np.add.at(total.T, index, shares[:, :-1].T)
            return total

        def step(frame: int, before: int, colours: Floats) -> Floats:
            nearest = _nearest(case, frame)
            palette = palettes[nearest]
            total = votes(frame, nearest, paint[nearest], palette)
            if before != nearest:
                total += votes(frame, before, colours, palette)
            return _spread(labels[frame], seen[frame][0], palette[total.argmax(1)])

        return _carried(case, labels, step)

    return method


def _spread(labels: Labels, known: NDArray[np.intp], colours: Floats) -> Floats:
    """(n, 3) the colours of all regions: one too many or too small for a token has that of the nearest region with one, at its first pixel."""
    whole = np.zeros((int(labels.max()) + 1, 3), np.float32)
    whole[known] = colours
    rest = np.setdiff1d(np.arange(1, len(whole)), known)
    if len(rest) and len(known):
        rows, columns = ndimage.distance_transform_edt(~np.isin(labels, known), return_distances=False, return_indices=True)
        first = np.unique(labels, return_index=True)[1][-len(whole) + 1 :][rest - 1]
        whole[rest] = whole[labels[rows.ravel()[first], columns.ravel()[first]]]
    return whole[1:]


def _palette(colours: Floats, labels: Labels) -> Floats:
    """The colours of the regions of 3 pixels or more, the largest first, those within 10 steps of another left out."""
    area = np.bincount(labels.ravel())[1:]
    chosen: list[Floats] = []
    for i in np.argsort(-area):
        if area[i] >= _LEAST and all(np.abs(colours[i] - other).max() > 10 for other in chosen):
            chosen.append(colours[i])
    return np.array(chosen or [np.zeros(3)], np.float32)


def _tokens(labels: Labels, ink: Bytes) -> tuple[NDArray[np.intp], Floats, Floats]:
    """The regions that are tokens, the largest first: their numbers (n,), pictures (n, 288) and measures (n, 10)."""
    side = ink.shape[0]
    area = np.bincount(labels.ravel())
    order = [i for i in np.argsort(-area[1:]) + 1 if area[i] >= _LEAST][:_TOKENS]
    boxes = ndimage.find_objects(labels)
    pictures, measures = [], []
    for i in order:
        down, across = boxes[i - 1]
        x, y, w, h = across.start, down.start, across.stop - across.start, down.stop - down.start
        mask = (labels[down, across] == i).astype(np.uint8)
        rows, columns = np.nonzero(mask)
        reach = int(max(w, h, 8))
        x0, y0, x1, y1 = (int(v) for v in (max(0, x + w / 2 - reach), max(0, y + h / 2 - reach), x + w / 2 + reach, y + h / 2 + reach))
        crop = ink[y0 : min(side, y1), x0 : min(side, x1)]
        pictures.append([cv2.resize(part, (_CROP, _CROP), interpolation=cv2.INTER_AREA) for part in (mask * np.uint8(255), crop)])
        place = (columns.mean() + x) / side * 2 - 1, (rows.mean() + y) / side * 2 - 1
        touches = x == 0, y == 0, x + w == side, y + h == side
        measures.append((*place, np.log(area[i] * (128 / side) ** 2) / 8, w / side, h / side, area[i] / (w * h), *touches))
    shown = np.array(pictures, np.float32).reshape(len(order), -1) / 127.5 - 1
    return np.array(order, np.intp), shown, np.array(measures, np.float16).astype(np.float32).reshape(len(order), 10)


def _matched(
    w: dict[str, Floats], source: tuple[NDArray[np.intp], Floats, Floats], target: tuple[NDArray[np.intp], Floats, Floats]
) -> Floats:
    """(t, s + 1) how probably each target token is each source token, the last for none."""
    a, b = _embedded(w, *source[1:]) + w["e"][0], _embedded(w, *target[1:]) + w["e"][1]
    for layer in range(3):
        own, cross = f"sa.{layer}.", f"ca.{layer}."
        a, b = _block(w, own, a, a), _block(w, own, b, b)
        a, b = _block(w, cross, a, b), _block(w, cross, b, a)
    keys = _unit(np.concatenate([_linear(w, "o", a), _linear(w, "o", w["null"][None])]))
    return _softmax(_unit(_linear(w, "o", b)) * np.exp(w["t"]) @ keys.T * 3)


def _embedded(w: dict[str, Floats], pictures: Floats, measures: Floats) -> Floats:
    place = measures[:, :2, None] * 2.0 ** np.arange(4) * 1.57
    size = np.sin(measures[:, 2:5, None] * 2.0 ** np.arange(3) * 3.0).reshape(len(measures), -1)
    waves = [np.sin(place).reshape(len(place), -1), np.cos(place).reshape(len(place), -1), size, np.zeros((len(place), 7))]
    features = np.concatenate([measures, *waves], 1).astype(np.float32)
    return _linear(w, "f", features) + _linear(w, "cr.2", _gelu(_linear(w, "cr.0", pictures)))


def _block(w: dict[str, Floats], name: str, x: Floats, y: Floats, heads: int = 4) -> Floats:
    def split(values: Floats) -> Floats:
        return values.reshape(len(values), heads, -1).transpose(1, 0, 2)

    q = split(_linear(w, name + "q", _normed(w, name + "n", x)))
    k, v = (split(part) for part in np.split(_linear(w, name + "kv", _normed(w, name + "nk", y)), 2, axis=1))
    seen = _softmax(q @ k.transpose(0, 2, 1) / np.sqrt(q.shape[-1])) @ v
    x = x + _linear(w, name + "o", seen.transpose(1, 0, 2).reshape(len(x), -1))
    return x + _linear(w, name + "m.2", _gelu(_linear(w, name + "m.0", _normed(w, name + "n2", x))))


def _linear(w: dict[str, Floats], name: str, x: Floats) -> Floats:
    return x @ w[name + ".weight"].T + w[name + ".bias"]


def _normed(w: dict[str, Floats], name: str, x: Floats) -> Floats:
    return (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-5) * w[name + ".weight"] + w[name + ".bias"]


def _gelu(x: Floats) -> Floats:
    return x * 0.5 * (1 + erf(x / np.sqrt(2)))


def _softmax(x: Floats) -> Floats:
    grown = np.exp(x - x.max(-1, keepdims=True))
    return grown / grown.sum(-1, keepdims=True)


def _unit(x: Floats) -> Floats:
    return x / np.maximum(np.linalg.norm(x, axis=-1, keepdims=True), 1e-12)
