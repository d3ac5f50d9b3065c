"""What the artist can do, as Blender operators: each one polls, asks a function of `runs` to act, and reports."""

import bpy

from . import engine, listing, models, recolour, references, reports, run, setup, takes

CLASSES = (
    *run.CLASSES,
    *takes.CLASSES,
    *references.CLASSES,
    *recolour.CLASSES,
    *engine.CLASSES,
    *listing.CLASSES,
    *reports.CLASSES,
    *setup.CLASSES,
    *models.CLASSES,
)


def register() -> None:
    for cls in CLASSES:
        bpy.utils.register_class(cls)


def unregister() -> None:
    for cls in reversed(CLASSES):
        bpy.utils.unregister_class(cls)
