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
    behind: float = 0.08
    """Share of people seen from behind."""
    tumble: float = 0.3
    """Share of figures that turn over and over."""
    before: float = 0.15
    """Share of clips with something in the foreground."""
    sizes: Range = (0.34, 0.55)
    """Half a figure's extent, in shorter sides of the picture."""
    width: Range = (1.0, 2.4)
    """Of the lines, in pixels of a picture whose shorter side has 128."""
    detail: float = 3.5
    """Parts smaller than so many widths of the line are left away."""
    boil: float = 0.15
    """Share of clips whose lines waver from frame to frame."""
    enters: float = 0.15
    """Share of figures that come into the picture, or leave it."""
    gaps: float = 0.12
    """Share of clips with breaks in their lines."""
    trimmed: float = 0.1
    """Share of clips whose lines stop a pixel short of the picture's edge."""
    scanned: float = 0.12
    """Share of clips with soft, uneven, grainy lines."""
    most: int = 80
    """Identities at most."""


def plainly(config: Config) -> Config:
    """The configuration of plain clips: dolls and heaps on their ways before plain ground, as in the study that the matcher began with."""
    tables = {"casts": {"heap": 0.4, "doll": 0.6}, "backdrops": {"none": 0.25, "hills": 0.75}, "pens": {"pen": 1.0}}
    return replace(
        config,
        shares={**config.shares, **tables},
        speed=(0.07, 0.22),
        shaded=0.0,
        close=0.0,
        crowd=0.0,
        smear=0.0,
        before=0.0,
        tumble=1.0,
        boil=0.0,
        detail=0.0,
        enters=0.0,
        sizes=(0.2, 0.34),
        width=(0.35, 3.7),
    )


def clean(config: Config) -> Config:
    """The configuration with closed, undamaged lines alone."""
    pens = {name: share for name, share in config.shares["pens"].items() if name != "broken"}
    return replace(config, shares={**config.shares, "pens": pens}, gaps=0.0, trimmed=0.0, scanned=0.0)


TRAINING = Config(
    {
        "casts": {
            "person": 0.42,
            "mascot": 0.08,
            "robot": 0.06,
            "beast": 0.1,
            "bird": 0.05,
            "fish": 0.03,
            "snake": 0.03,
            "car": 0.06,
            "invention": 0.17,
        },
        "plans": {"child": 0.2, "toddler": 0.12, "chibi": 0.25, "woman": 0.15, "man": 0.15, "stout": 0.08, "lanky": 0.05},
        "beasts": {"dog": 0.3, "cat": 0.3, "horse": 0.15, "cow": 0.15, "bear": 0.1},
        "eyes": {"dot": 0.12, "plain": 0.2, "cartoon": 0.38, "anime": 0.3},
        "noses": {"none": 0.25, "button": 0.3, "line": 0.3, "wedge": 0.15},
        "mouths": {"line": 0.2, "open": 0.35, "talking": 0.35, "lips": 0.1},
        "extras": {"glasses": 0.12, "beard": 0.08, "freckles": 0.08},
        "marks": {"none": 0.8, "drop": 0.05, "heart": 0.05, "balloon": 0.05, "shout": 0.05},
        "fringes": {"none": 0.1, "locks": 0.4, "parted": 0.25, "spikes": 0.25},
        "hair": {"none": 0.2, "bob": 0.25, "long": 0.25, "tail": 0.15, "tails": 0.15},
        "hats": {"none": 0.75, "cap": 0.12, "brim": 0.08, "crown": 0.05},
        "tops": {"shirt": 0.4, "jacket": 0.25, "dress": 0.2, "overalls": 0.15},
        "bottoms": {"trousers": 0.45, "shorts": 0.25, "skirt": 0.3},
        "clothes": {
            "belt": 0.3,
            "collar": 0.3,
            "pocket": 0.2,
            "scarf": 0.12,
            "patches": 0.12,
            "stripes": 0.12,
            "cape": 0.1,
            "badge": 0.25,
            "gloves": 0.2,
            "creases": 0.4,
        },
        "props": {
            "none": 0.5,
            "gadget": 0.1,
            "ball": 0.07,
            "sword": 0.07,
            "flag": 0.07,
            "book": 0.06,
            "cup": 0.06,
            "balloon": 0.06,
            "bag": 0.06,
        },
        "backdrops": {"none": 0.26, "hills": 0.26, "park": 0.15, "room": 0.14, "street": 0.09, "clutter": 0.1},
        "pens": {"pen": 0.52, "brush": 0.25, "sketch": 0.08, "double": 0.04, "broken": 0.11},
    }
)
"""What the matcher is trained on."""

HELD_OUT = replace(
    TRAINING,
    shares={
        **TRAINING.shares,
        "casts": {"person": 0.4, "octopus": 0.12, "butterfly": 0.1, "dinosaur": 0.12, "beast": 0.06, "ship": 0.1, "aeroplane": 0.1},
        "plans": {"giant": 0.4, "pear": 0.4, "child": 0.2},
        "beasts": {"dragon": 1.0},
        "eyes": {"sleepy": 0.5, "ringed": 0.3, "cartoon": 0.2},
        "noses": {"snout": 0.5, "button": 0.25, "line": 0.25},
        "mouths": {"toothy": 0.5, "open": 0.25, "talking": 0.25},
        "extras": {"patch": 0.25, "mask": 0.2},
        "marks": {"none": 0.7, "stars": 0.3},
        "fringes": {"none": 0.2, "curls": 0.5, "bowl": 0.3},
        "hair": {"none": 0.2, "curls": 0.5, "braids": 0.3},
        "hats": {"none": 0.6, "witch": 0.2, "helmet": 0.2},
        "tops": {"robe": 0.35, "armour": 0.35, "shirt": 0.15, "jacket": 0.15},
        "clothes": {"belt": 0.2, "sash": 0.4, "wings": 0.2, "apron": 0.3, "gloves": 0.3, "creases": 0.4},
        "props": {"none": 0.4, "umbrella": 0.2, "lantern": 0.2, "axe": 0.2},
        "backdrops": {"none": 0.2, "city": 0.3, "rays": 0.2, "hills": 0.3},
        "pens": {"pen": 0.3, "brush": 0.35, "sketch": 0.15, "double": 0.1, "broken": 0.1},
    },
    plain=0.0,
    speed=(0.06, 0.4),
    turn=0.8,
    camera=0.12,
    shaded=0.4,
    crowd=0.05,
    smear=0.15,
    tumble=0.35,
    before=0.05,
    enters=0.08,
    detail=5.0,
    width=(1.2, 2.8),
    sizes=(0.38, 0.58),
)
"""What it never sees in training: other bodies, faces, clothes, props and places, in other motion."""
