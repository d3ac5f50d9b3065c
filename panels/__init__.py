"""What the artist sees: drawn from the Params of each pipeline and the state of its runs. Draws only, and reads no file."""

import bpy

from ..preferences import SECTIONS
from . import correct, listing, models, reports, sequencer, setup, strip, takes, teach, viewport

CLASSES = (
    *takes.CLASSES,
    *listing.CLASSES,
    *viewport.CLASSES,
    *teach.CLASSES,
    *sequencer.CLASSES,
    *correct.CLASSES,
    *strip.CLASSES,
    *reports.CLASSES,
)


def register() -> None:
    for cls in CLASSES:
        bpy.utils.register_class(cls)
    sequencer.append_menu()
    SECTIONS.append(setup.section)
    SECTIONS.append(models.section)


def unregister() -> None:
    SECTIONS.clear()
    sequencer.remove_menu()
    for cls in reversed(CLASSES):
        bpy.utils.unregister_class(cls)
