"""What follows from a colour that the artist sets on a region: the regions that were coloured by it, and those that it was coloured by.

Each region was taken to be one of another drawing, and so all regions of a shot hang together in trees that grow from the references. A
region with a wrong colour has it from somewhere along its way to the root; where the way leads to what is known to have that colour, it
was lost on the way, most probably where the following was least sure. From there on everything that had the wrong colour from there
has the right one. Knows no pixel.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ...drawing.regions import Colours
from ...protocol import PegbarError
from .kept import Book, Ints, Shown

ROOT = -2
"""The partner of a region that was matched from a reference which is no drawing of the shot."""


_FOLLOWS = 0.5
"""How surely a region must have been taken for another one to get its colour: more likely than not (see NOTES.md)."""


def colour_of(text: object) -> NDArray[np.uint8]:
    """#rrggbb or #rrggbbaa as a colour (4,); without any alpha all zero. Raises PegbarError."""
    try:
        parts = bytes.fromhex(str(text).removeprefix("#"))
        red, green, blue, alpha = parts if len(parts) == 4 else (*parts, 255)
    except ValueError as error:
        raise PegbarError(f"The corrected colour is {text!r}: write it as #rrggbb, or #rrggbbaa where it is not opaque") from error
    return np.array((red, green, blue, alpha) if alpha else (0, 0, 0, 0), np.uint8)


def with_colours(book: Book, colours: Sequence[NDArray[np.uint8]]) -> tuple[Book, list[int]]:
    """The book whose palette has all of these colours, new ones at its end, and where in it they are."""
    palette, index = [bytes(colour) for colour in book.palette], []
    for colour in map(bytes, colours):
        if colour not in palette:
            palette.append(colour)
        index.append(palette.index(colour))
    names = (*book.names, *(f"Pegbar Colour {number:02d}" for number in range(len(book.names) + 1, len(palette) + 1)))
    known: Colours = np.frombuffer(b"".join(palette), np.uint8).reshape(-1, 4)
    return replace(book, palette=known, names=names), index


def followed(book: Book, corrected: Mapping[int, int]) -> Shown:
    """The colours after the artist's: `corrected` holds palette indices by region. These are exact where they were set; what is given by
    a reference changes nowhere else."""
    colour, sure = book.colour.copy(), book.sure.copy()
    children = _children(book.partner)
    fixed = np.repeat(book.given, np.diff(book.first))
    fixed[list(corrected)] = True
    # what lies nearer to a root first, so that a correction further on has the last word on what follows from it
    for region in sorted(corrected, key=lambda region: len(_way(book.partner, region))):
        way = _wrong(book, fixed, corrected, region)
        trust = dict(zip(way, np.minimum.accumulate([1.0, *book.link[way[:-1]]]), strict=True))
        todo = list(way)
        while todo:
            at = todo.pop()
            for child in children.get(at, ()):
                follows = book.link[child] > _FOLLOWS and book.colour[child] == book.colour[region]
                if follows and child not in trust and not fixed[child]:
                    trust[child] = min(trust[at], float(book.link[child]))
                    todo.append(child)
        same = np.array(list(trust))
        colour[same] = corrected[region]
        sure[same] = np.maximum(book.sure[same], np.array(list(trust.values()), np.float32))
        sure[region] = 1.0
    return Shown(colour, sure)


def _way(partner: Ints, region: int) -> list[int]:
    """A region and those that it goes back to, up to the root."""
    way = [region]
    while (region := int(partner[region])) >= 0:
        way.append(region)
    return way


def _children(partner: Ints) -> dict[int, list[int]]:
    found: dict[int, list[int]] = {}
    for child in np.flatnonzero(partner >= 0).tolist():
        found.setdefault(int(partner[child]), []).append(child)
    return found


def _wrong(book: Book, fixed: NDArray[np.bool_], corrected: Mapping[int, int], region: int) -> list[int]:
    """A corrected region and those before it on its way to the root that are as wrong as it was."""
    wrong, given = [region], np.repeat(book.given, np.diff(book.first))
    if given[region]:
        return wrong
    for at in _way(book.partner, region)[1:]:
        if book.colour[at] != book.colour[region] or (at in corrected and corrected[at] == corrected[region]):
            return wrong
        if fixed[at]:
            return wrong[: int(np.argmin(book.link[wrong])) + 1]
        wrong.append(at)
    if book.partner[wrong[-1]] == ROOT:
        return wrong[: int(np.argmin(book.link[wrong])) + 1]
    return wrong
