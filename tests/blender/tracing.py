"""A moving drawing seen as pictures and traced back: usage: tracing.py DRAWING.npz FOLDER FRAMES   (with the engine's Python)

What a pipeline does that draws a drawing anew and gives it back as strokes, with a motion that is known in place of a network.
"""

import sys
from dataclasses import replace
from importlib import import_module
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
import_module("tests.conftest")  # loads the repository as the package `pegbar`
raster, trace, strokes_of = (import_module(f"pegbar.engine.{name}") for name in ("drawing.raster", "drawing.trace", "strokes"))

TURN, SHIFT = 0.06, (3.0, -1.0)
"""Radians and pixels a frame: all turns about the middle of the drawing and goes on."""


def moved(strokes, step):
    """The drawing some frames on."""
    middle = strokes.points.mean(axis=0)
    turn, shift = TURN * step, np.multiply(SHIFT, step)
    rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    points, handles = (((places - middle) @ rotation.T) + middle + shift for places in (strokes.points, strokes.handles))
    return replace(strokes, points=points, handles=handles)


def main(drawing, folder, frames):
    source = strokes_of.Strokes.load(drawing)
    tracer = trace.Tracer(source, source.size)
    folder.mkdir(parents=True, exist_ok=True)
    for step in range(frames):
        traced = tracer.trace(raster.ink(moved(source, step), source.size))
        traced.save(folder / f"{step + 1:04d}.npz")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
