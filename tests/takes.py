"""Takes of `still`, built in code: small pictures whose every frame differs. Standard library only, so Blender's tests can use it."""

import random
import struct
import zlib
from pathlib import Path

from pegbar.engine.protocol import InputFile, Job, JobFolder, Shot

SIZE = 16


def png(seed: int, size: int = SIZE) -> bytes:
    """A PNG of noise: 8-bit RGBA, size x size."""
    noise = random.Random(seed)
    rows = b"".join(b"\0" + noise.randbytes(size * 4) for _ in range(size))
    header = struct.pack(">IIBBBBB", size, size, 8, 6, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(struct.pack(">I", len(d)) + n + d + struct.pack(">I", zlib.crc32(n + d)) for n, d in chunks)


def still_job(folder: JobFolder, frames: int = 4, seconds_per_frame: float = 0.0, size: int = SIZE, **changes: object) -> JobFolder:
    """Writes inputs and request of a `still` job into a folder; `changes` are fields of Job."""
    files = []
    for frame in range(1, frames + 1):
        file = folder.input_file("image", frame, ".png")
        folder.file(file).write_bytes(png(frame, size))
        files.append(InputFile(frame, file))
    params = {"seconds_per_frame": seconds_per_frame}
    fields = {"pipeline": "still", "params": params, "inputs": {"image": tuple(files)}, "shot": Shot("Scene", 1, frames, 24.0), "id": "id"}
    folder.write_job(Job(**{**fields, **changes}))
    return folder


def still_take(shot_folder: Path, frames: int = 4, seconds_per_frame: float = 0.0, size: int = SIZE, **changes: object) -> JobFolder:
    """The next take of a shot, ready to run."""
    return still_job(JobFolder.create(shot_folder), frames, seconds_per_frame, size, **changes)
