"""What clips are drawn from: shares and ranges, as data."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

Range = tuple[float, float]
Shares = Mapping[str, float]


@dataclass(frozen=True)
class Config:
    """Shares of kinds, and ranges of measures, that the clips of a set have."""

    shares: Mapping[str, Shares]
    """By table: how often each of its kinds is drawn; for `clothes`, the chance of each."""
    plain: float = 0.4
    """Share of clips of plain dolls and heaps before plain backdrops, without detail or shadow: the study's."""
    span: Range = (0.12, 1.0)
    """Half the time that a clip lasts; figures swing about once in a time of 2."""
    speed: Range = (0.05, 0.5)
    """Typical speed of figures in shorter sides of the picture a unit of time, from a calm clip's to a wild one's."""
    turn: float = 0.7
    """How far bodies turn, in radians."""
    camera: float = 0.1
    """How far the camera pans, zooms and rolls in a unit of time."""
    shaded: float = 0.3
    """Share of clips with shadows behind separator lines."""
    separator: int = 225
    """Ink of separator lines."""
    close: float = 0.35
    """Share of clips that show a figure from near."""
    crowd: float = 0.12
    """Share of clips with a crowd."""
    smear: float = 0.1
    """Share of figures that are smeared as they move."""
    tumble: float = 0.3
    """Share of figures that turn over and over."""
    before: float = 0.15
    """Share of clips with something in the foreground."""
    sizes: Range = (0.34, 0.55)
    """Half a figure's extent, in shorter sides of the picture."""
    width: Range = (0.8, 2.2)
    """Of the lines, in 1/128 of the picture's shorter side."""
    detail: float = 2.5
    """Parts smaller than so many widths of the line are left away."""
    boil: float = 0.15
    """Share of clips whose lines waver from frame to frame."""
    most: int = 80
    """Identities at most."""


def plainly(config: Config) -> Config:
    """The configuration of plain clips: dolls and heaps on their ways before plain ground, as in the study that the matcher began with."""
    tables = {"casts": {"heap": 0.4, "doll": 0.6}, "backdrops": {"none": 0.25, "hills": 0.75}, "pens": {"pen": 1.0}}
    return replace(
        config,
        shares={**config.shares, **tables},
        speed=(0.06, 0.2),
        shaded=0.0,
        close=0.0,
        crowd=0.0,
        smear=0.0,
        before=0.0,
        tumble=1.0,
        boil=0.0,
        detail=0.0,
        sizes=(0.2, 0.34),
        width=(0.6, 2.4),
    )


TRAINING = Config(
    {
        "casts": {
            "person": 0.5,
            "mascot": 0.1,
            "robot": 0.07,
            "beast": 0.12,
            "bird": 0.06,
            "fish": 0.04,
            "snake": 0.04,
            "car": 0.07,
            "heap": 0.05,
        },
        "plans": {"child": 0.2, "toddler": 0.12, "chibi": 0.25, "woman": 0.15, "man": 0.15, "stout": 0.08, "lanky": 0.05},
        "beasts": {"dog": 0.3, "cat": 0.3, "horse": 0.15, "cow": 0.15, "bear": 0.1},
        "eyes": {"dot": 0.12, "plain": 0.2, "cartoon": 0.38, "anime": 0.3},
        "noses": {"none": 0.25, "button": 0.3, "line": 0.3, "wedge": 0.15},
        "mouths": {"line": 0.2, "open": 0.35, "talking": 0.35, "lips": 0.1},
        "fringes": {"none": 0.1, "locks": 0.4, "parted": 0.25, "spikes": 0.25},
        "hair": {"none": 0.2, "bob": 0.25, "long": 0.25, "tail": 0.15, "tails": 0.15},
        "hats": {"none": 0.75, "cap": 0.12, "brim": 0.08, "crown": 0.05},
        "tops": {"shirt": 0.35, "jacket": 0.3, "dress": 0.2, "overalls": 0.15},
        "bottoms": {"trousers": 0.45, "shorts": 0.25, "skirt": 0.3},
        "clothes": {"belt": 0.4, "collar": 0.4, "pocket": 0.3, "scarf": 0.15, "cape": 0.1, "badge": 0.3, "gloves": 0.2},
        "props": {"none": 0.5, "ball": 0.08, "sword": 0.08, "flag": 0.08, "book": 0.08, "cup": 0.06, "balloon": 0.06, "bag": 0.06},
        "backdrops": {"none": 0.1, "hills": 0.25, "park": 0.25, "room": 0.25, "street": 0.15},
        "pens": {"pen": 0.55, "brush": 0.25, "sketch": 0.08, "broken": 0.12},
    }
)
"""What the matcher is trained on."""

HELD_OUT = replace(TRAINING, plain=0.1)
"""What it never sees in training."""
