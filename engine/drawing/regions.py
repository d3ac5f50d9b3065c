"""Line art to regions, and regions to colours: gaps closed, specks absorbed, exact colours of a reference, the flat-colour lock.

Knows one frame at a time: no file, no motion.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from .gaps import line_width, rejoined

Labels = NDArray[np.int32]
"""(h, w) region of each pixel, 0 to n - 1, in reading order of the regions' first pixels."""
Colours = NDArray[np.uint8]
"""(n, 4) sRGB with straight alpha; all zero where transparent."""

_NOISY = 0.9
"""Share of a reference's pixels that have exactly their region's colour, under which it counts as compressed or painted with texture."""

_LINE = 3.0
"""Width of lines, in pixels, that sizes of gaps and specks are meant for."""
_WIDEST = 4.0
"""How many times as wide as those lines may be that this goes by: what is wider is painted black."""
_PART, _PART_PIXELS = 0.05, 12
"""Share of a region, and pixels, from which a second colour in it is meant and no blemish."""
_BLEMISH = 12
"""Pixels under which an area of one colour in a coloured frame comes of compression or anti-aliasing."""
_BARE = 0.002
"""Ink under which a pixel shows its colour unmixed."""

_DOWN = (slice(1, None), slice(None, -1))
_RIGHT = ((slice(None), slice(1, None)), (slice(None), slice(None, -1)))
"""Index pairs of all pixels and their upper, or left, neighbours."""


# --- line art to regions


def segment(ink: NDArray[np.float32], threshold: float = 0.5, close_gaps: int = 8, speck_size: int = 2) -> Labels:
    """The regions that the lines enclose; every pixel has one, a line's pixels that of the nearest, so that colours meet under the ink.

    Gaps of up to `close_gaps` pixels separate; regions of fewer than `speck_size` pixels dissolve into those around them. Both are meant for
    lines three pixels wide: wider lines have wider gaps and larger specks, thinner ones smaller specks.
    """
    free = np.pad(ink < threshold, 1)
    scale = min(line_width(~free) / _LINE, _WIDEST)
    return _enclosed(free, round(close_gaps * max(scale, 1.0)), speck_size * scale**2)


def _enclosed(free: NDArray[np.bool_], close_gaps: int, speck_size: float) -> Labels:
    """The regions of a frame, without the border of lines that `free` has."""
    labels = _separated(free, close_gaps)
    areas = np.bincount(labels.ravel())
    areas[0] = 0
    keep = areas >= min(max(speck_size, 1), int(areas.max(initial=0)))
    keep[0] = False
    if not keep.any():
        return np.zeros((free.shape[0] - 2, free.shape[1] - 2), np.int32)
    return numbered(spread(np.where(keep, np.arange(len(keep), dtype=np.int32), 0)[labels[1:-1, 1:-1]]))


def spread(labels: NDArray[np.int32]) -> NDArray[np.int32]:
    """Labels with every 0 replaced by the nearest other label."""
    todo = labels == 0
    if not todo.any() or todo.all():
        return labels
    # In this metric the middle between two sides is where it is in the Euclidean one, at a third of the time.
    rows, columns = ndimage.distance_transform_cdt(todo, "chessboard", return_distances=False, return_indices=True)
    where = np.nonzero(todo)
    filled = labels.copy()
    filled[where] = labels[rows[where], columns[where]]
    return filled


def numbered(labels: NDArray[np.int32]) -> Labels:
    """The same regions numbered 0 to n - 1 by their first pixel."""
    heads = _heads(labels)
    values, first = np.unique(labels.ravel()[heads], return_index=True)
    order = np.empty(int(values[-1]) + 1, np.int32)
    order[values[np.argsort(first)]] = np.arange(len(values), dtype=np.int32)
    return order[labels]


def _heads(labels: NDArray[np.int32]) -> NDArray[np.intp]:
    """Flat indices of the pixels that start a run of one label in their row."""
    start = np.ones(labels.shape, bool)
    np.not_equal(labels[:, 1:], labels[:, :-1], out=start[:, 1:])
    return np.flatnonzero(start)


def _separated(free: NDArray[np.bool_], close_gaps: int) -> NDArray[np.int32]:
    """Connected free areas, 1 to n, 0 on lines, cut where they are joined by no more than a gap; `free` has a border of lines.

    Trapped ball (Zhang et al., Vectorizing Cartoon Animations, 2009) as a watershed of the distance to the lines: what a ball of the gap's
    width reaches is a region; a smaller ball reaches more, joins what it reaches to one region, shares it among several, or founds
    a new one; until single pixels.
    """
    radius = (close_gaps + 1) // 2
    if radius == 0:
        return ndimage.label(free)[0]
    depth = _depth(free)
    labels = ndimage.label(depth > radius)[0]
    while radius:
        radius = radius * 2 // 3
        _flood(labels, (depth > radius) & (labels == 0))
    return rejoined(labels, depth)


def _depth(free: NDArray[np.bool_]) -> NDArray[np.int32]:
    """Distance to the nearest line in whole pixels, in the octagonal metric: a tenth of the time of the Euclidean one."""
    square = ndimage.distance_transform_cdt(free, "chessboard")
    diamond = ndimage.distance_transform_cdt(free, "taxicab")
    return np.maximum(square, diamond * 5 // 7)


def _flood(labels: NDArray[np.int32], reach: NDArray[np.bool_]) -> None:
    """Grows the labels into the free pixels of `reach`, in place: a connected area of these takes the only label that it touches, a new
    one where it touches none, or is shared among several from their sides."""
    areas, count = ndimage.label(reach)
    flat = labels.ravel()
    places = np.flatnonzero(reach)
    area = areas.ravel()[places]
    owner = np.zeros(count + 1, np.int32)
    touches = [(area[met > 0], met[met > 0]) for met in (flat[places + step] for step in _steps(labels))]
    for inside, label in touches:
        owner[inside] = label
    shared = np.zeros(count + 1, bool)
    for inside, label in touches:
        shared[inside[owner[inside] != label]] = True
    new = np.flatnonzero(owner == 0)[1:]
    owner[new] = int(labels.max()) + 1 + np.arange(len(new))
    owner[shared] = 0
    flat[places] = owner[area]
    if shared.any():
        _share(labels, places[shared[area]])


def _share(labels: NDArray[np.int32], places: NDArray[np.intp]) -> None:
    """Grows the labels into some places (flat indices) one pixel at a time from all sides, in place."""
    flat, steps = labels.ravel(), _steps(labels)
    wanted = np.zeros(labels.size, bool)
    wanted[places] = True
    around = (places[:, None] + steps).ravel()
    front = np.unique(around[flat[around] > 0])
    while len(front):
        reached = (front + steps[:, None]).ravel()
        values = np.tile(flat[front], len(steps))
        open_ = wanted[reached]
        reached, values = reached[open_], values[open_]
        front, first = np.unique(reached, return_index=True)
        flat[front] = values[first]
        wanted[front] = False


def _steps(labels: NDArray[np.int32]) -> NDArray[np.intp]:
    """From a pixel's flat index to those of its four neighbours."""
    return np.array([1, -1, labels.shape[1], -labels.shape[1]])


# --- colours of regions


@dataclass(frozen=True)
class Painted:
    """What a reference says of each region of n."""

    colours: Colours
    share: NDArray[np.float32]
    """(n,) how much of the region has that colour: 1 for a flat one."""
    true: NDArray[np.bool_]
    """(n,) whether the colour was seen free of ink and anti-aliasing: else it is a guess, and no colour of a palette."""
    others: Colours
    """(m, 4) further colours that fill a good part of a region: a colour separation without a line."""
    tolerance: int
    """How far, in 8-bit steps of any channel, one paint's pixels lie apart: 0 but for compressed or textured references."""


def eight_bit(image: NDArray[np.float32]) -> NDArray[np.uint8]:
    """An image 0..1 as the 8-bit values that it was read from; transparent pixels all zero."""
    pixels = (image * 255 + 0.5).astype(np.uint8)
    pixels[pixels[..., 3] == 0] = 0
    return pixels


def inside(labels: Labels, ink: NDArray[np.float32] | None = None) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """The pixels (h, w) that tell a region's colour, and of which regions (n,) they do so truly.

    True are those without ink whose four neighbours are their region's too: no anti-aliasing there; next, those without ink. A region that
    has neither is told by its pixels under the least ink.
    """
    n = int(labels.max()) + 1
    bare = np.ones(labels.shape, bool) if ink is None else ink < _BARE
    core = bare.copy()
    for one, other in (_DOWN, _RIGHT):
        same = (labels[one] == labels[other]) & bare[one] & bare[other]
        core[one] &= same
        core[other] &= same
    core |= bare & _poor(labels, core, n)[labels]
    poor = _poor(labels, core, n)
    if ink is not None and poor.any():
        least = np.full(n, np.inf, np.float32)
        where = np.nonzero(poor[labels])
        np.minimum.at(least, labels[where], ink[where])
        core[where] = ink[where] <= least[labels[where]] + _BARE
    return core, ~poor


def _poor(labels: Labels, core: NDArray[np.bool_], n: int) -> NDArray[np.bool_]:
    return np.bincount(labels[core], minlength=n) == 0


def painted(labels: Labels, image: NDArray[np.uint8], ink: NDArray[np.float32] | None = None) -> Painted:
    """The exact colour that most of each region's inner pixels have in `image` (h, w, 4) 8-bit, over which `ink` may lie."""
    core, true = inside(labels, ink)
    n = len(true)
    region = labels[core]
    packed = np.ascontiguousarray(image).view(np.uint32)[..., 0][core]
    key, weight = _counted(region.astype(np.uint64) << np.uint64(32) | packed)
    owner = (key >> np.uint64(32)).astype(np.intp)
    colour = key.astype(np.uint32).view(np.uint8).reshape(-1, 4)
    total = np.bincount(owner, weight, n)
    most = _heaviest(owner, weight, n)
    exact = weight[most] / total
    tolerance = 0
    if float((exact * total).sum() / total.sum()) < _NOISY:
        middle = np.stack([_median(owner, colour[:, c], weight, n) for c in range(4)], 1)
        near = np.abs(colour.astype(np.int16) - middle[owner]).max(1)
        tolerance = int(np.clip(2 * _quantile(near, weight, 0.7), 4, 24))
        most = _heaviest(owner, weight * (near <= tolerance) + weight * 1e-6, n)
    away = np.abs(colour.astype(np.int16) - colour[most][owner]).max(1)
    share = np.bincount(owner, weight * (away <= 2 * tolerance), n) / total
    second = (weight >= _PART * total[owner]) & (weight >= _PART_PIXELS) & (away > 2 * tolerance) & true[owner]
    return Painted(colour[most], share.astype(np.float32), true, np.unique(colour[second], axis=0), tolerance)


def merged(colours: Colours, weights: NDArray[np.float64], tolerance: int) -> tuple[Colours, NDArray[np.int32]]:
    """A palette and each colour's index in it: colours no further apart than `tolerance` become the heaviest of them, those of no weight
    the nearest there is."""
    palette: list[NDArray[np.int16]] = []
    index = np.zeros(len(colours), np.int32)
    for i in np.argsort(-weights, kind="stable"):
        colour = colours[i].astype(np.int16)
        gaps = [int(np.abs(colour - known).max()) if (colour[3] == 0) == (known[3] == 0) else 256 for known in palette]
        if not gaps or (weights[i] > 0 and min(gaps) > tolerance):
            palette.append(colour)
            gaps.append(0)
        index[i] = int(np.argmin(gaps))
    return np.array(palette, np.uint8).reshape(-1, 4), index


def lock(
    labels: Labels, image: NDArray[np.float32], palette: Colours, ink: NDArray[np.float32] | None = None
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """The flat-colour lock: of each region, the palette index that most of its inner pixels in `image`, over which `ink` may lie, are
    nearest to, and their share."""
    core, true = inside(labels, ink)
    n, p = len(true), len(palette)
    votes = np.bincount(labels[core].astype(np.intp) * p + nearest(image[core], palette), minlength=n * p).reshape(n, p)
    return votes.argmax(1).astype(np.int32), (votes.max(1) / votes.sum(1)).astype(np.float32)


def nearest(pixels: NDArray[np.float32], palette: Colours) -> NDArray[np.intp]:
    """The palette index nearest to each pixel (..., 4) 0..1."""
    flat = pixels.reshape(-1, 4)
    best = np.full(len(flat), np.inf, np.float32)
    index = np.zeros(len(flat), np.intp)
    for i, colour in enumerate(palette.astype(np.float32) / 255):
        gap = ((flat - colour) ** 2).sum(1)
        closer = gap < best
        best[closer], index[closer] = gap[closer], i
    return index.reshape(pixels.shape[:-1])


def separated(labels: Labels, index: NDArray[np.int32], image: NDArray[np.uint8], painted: Painted, palette: Colours) -> NDArray[np.int32]:
    """The palette index of each pixel where `image` itself is the colouring: regions of several colours keep them apart as it does."""
    found = index[labels]
    mixed = np.nonzero((painted.share < 1 - _PART)[labels])
    if len(mixed[0]):
        pixels = image[mixed]
        closest = nearest(np.divide(pixels, 255, dtype=np.float32), palette).astype(np.int32)
        exact = np.abs(pixels.astype(np.int16) - palette[closest]).max(1) <= painted.tolerance
        found[mixed] = np.where(exact, closest, -1)
        found = spread(found + 1) - 1
    return found


def from_colours(image: NDArray[np.uint8], speck_size: int = 12) -> tuple[Labels, NDArray[np.float32]]:
    """The regions of a coloured frame by its colours alone, and the ink of its lines: areas of one colour, thin dark lines between them taken away."""
    grey = image[..., :3].astype(np.float32).mean(-1) * (image[..., 3] / np.float32(255)) + (255 - image[..., 3])
    size = 2 * max(2, round(max(grey.shape) / 240)) + 1
    lines = ndimage.grey_closing(grey, (size, size)) - grey > 40
    wall = lines.copy()
    smooth = image.astype(np.int16)
    for one, other in (_DOWN, _RIGHT):
        step = np.abs(smooth[one] - smooth[other])
        wall[one] |= np.maximum(np.maximum(step[..., 0], step[..., 1]), np.maximum(step[..., 2], step[..., 3])) > 10
    return _enclosed(np.pad(~wall, 1), 0, max(speck_size, _BLEMISH)), lines.astype(np.float32)


def _counted(keys: NDArray[np.uint64]) -> tuple[NDArray[np.uint64], NDArray[np.float64]]:
    """Unique keys, sorted, and how often each occurs; runs of one key are counted before the sort."""
    starts = np.flatnonzero(np.concatenate([[True], keys[1:] != keys[:-1]]))
    lengths = np.diff(np.append(starts, len(keys)))
    unique, inverse = np.unique(keys[starts], return_inverse=True)
    return unique, np.bincount(inverse, lengths).astype(np.float64)


def _heaviest(owner: NDArray[np.intp], weight: NDArray[np.float64], n: int) -> NDArray[np.intp]:
    """The row of the largest weight of each owner 0 to n - 1; the first of equals."""
    order = np.lexsort((-weight, owner))
    return order[np.searchsorted(owner[order], np.arange(n))]


def _median(owner: NDArray[np.intp], value: NDArray[np.uint8], weight: NDArray[np.float64], n: int) -> NDArray[np.int16]:
    """The weighted median of each owner's values."""
    table = np.bincount(owner * 256 + value, weight, n * 256).reshape(n, 256).cumsum(1)
    return (table >= table[:, -1:] / 2).argmax(1).astype(np.int16)


def _quantile(value: NDArray[np.int16], weight: NDArray[np.float64], q: float) -> float:
    order = np.argsort(value, kind="stable")
    total = np.cumsum(weight[order])
    return float(value[order][np.searchsorted(total, q * total[-1])])
