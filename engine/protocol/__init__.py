"""The words and files that cross the boundary between Blender and the engine: Job, Shot, Event, JobFolder.

Standard library only. Knows no pipeline and no pixel.
"""

from .faults import LONGEST, Cancelled, PegbarError, known_as, sentence
from .files import link, lock, locked, refused, write_atomic
from .folder import MOST_BYTES, JobFolder, takes
from .words import (
    ESCAPED,
    MOST_FRAMES,
    PROTOCOL_VERSION,
    Done,
    Event,
    Failed,
    FrameWritten,
    InputFile,
    Job,
    Planned,
    Progress,
    Shot,
    State,
    Warned,
    state_of,
)

__all__ = [
    "ESCAPED",
    "LONGEST",
    "MOST_BYTES",
    "MOST_FRAMES",
    "PROTOCOL_VERSION",
    "Cancelled",
    "Done",
    "Event",
    "Failed",
    "FrameWritten",
    "InputFile",
    "Job",
    "JobFolder",
    "PegbarError",
    "Planned",
    "Progress",
    "Shot",
    "State",
    "Warned",
    "known_as",
    "link",
    "lock",
    "locked",
    "refused",
    "sentence",
    "state_of",
    "takes",
    "write_atomic",
]
