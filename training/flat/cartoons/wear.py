"""What befalls line art on its way: gaps, lines that stop short of the picture's edge, scans.

All on lines (f, h, w) uint8, 255 where there is ink; none touches the identities.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

Lines = NDArray[np.uint8]
Rng = np.random.Generator


def gapped(lines: Lines, rng: Rng, gaps: int = 8, radius: float = 2.0) -> Lines:
    """Lines with so many round breaks a frame, each of at most `radius` pixels."""
    broken = lines.copy()
    for frame in broken:
        ink = cv2.findNonZero(cv2.inRange(frame, 128, 255))
        if ink is None:
            continue
        for x, y in ink[rng.integers(0, len(ink), gaps), 0].tolist():
            cv2.circle(frame, (x, y), int(rng.integers(1, max(round(radius), 1) + 1)), 0, -1)
    return broken


def trimmed(lines: Lines, margin: int = 1) -> Lines:
    """Lines that stop so many pixels short of the picture's edge: what meets at the edge alone runs together."""
    inner = np.zeros_like(lines)
    inner[:, margin:-margin, margin:-margin] = lines[:, margin:-margin, margin:-margin]
    return inner


def scanned(lines: Lines, rng: Rng, blur: float = 0.6, noise: float = 8.0, dust: int = 4) -> Lines:
    """Lines as a scanner sees them: soft, uneven in strength, on grainy and dusty paper.

    `blur` in pixels, `noise` in 8-bit steps, `dust` specks a frame; the frames share the paper's shade but not its grain.
    """
    _, h, w = lines.shape
    paper = cv2.resize(rng.uniform(0.82, 1.0, (3, 4)).astype(np.float32), (w, h), interpolation=cv2.INTER_CUBIC)
    seen = np.empty_like(lines)
    for i, frame in enumerate(lines):
        soft = cv2.GaussianBlur(frame, (0, 0), blur) if blur else frame
        grain = cv2.resize(rng.normal(0, noise, (h // 2 + 1, w // 2 + 1)).astype(np.float32), (w, h))
        worn = soft * paper + grain
        for x, y in rng.integers(0, (w, h), (dust, 2)).tolist():
            cv2.circle(worn, (x, y), int(rng.integers(0, 2)), float(rng.uniform(60, 255)), -1)
        seen[i] = np.clip(worn, 0, 255)
    return seen


def faded(lines: Lines, rng: Rng, least: float = 0.6) -> Lines:
    """Lines whose pressure varies over the picture: down to `least` of their strength."""
    _, h, w = lines.shape
    pressure = cv2.resize(rng.uniform(least, 1.0, (5, 5)).astype(np.float32), (w, h), interpolation=cv2.INTER_LINEAR)
    return (lines * pressure).astype(np.uint8)
