"""Which of the model's frames is shown at which frame of the shot, and how many latent frames it takes (SPEC §1.2).

The model's clips play at 8 frames a second. Standard library only.
"""

from dataclasses import dataclass

from ...protocol import PegbarError, Shot

FPS = 8.0
TRAINED_FRAMES = 85
_EPSILON = 1e-6


@dataclass(frozen=True)
class Timing:
    """A shot's frames on the model's."""

    latent_frames: int
    dropped: int
    """Decoded frames at the start that are left out: almost copies of the image, which an even number of latent frames gives."""
    shown: tuple[int, ...]
    """For each frame of the shot the index of the model's frame that it shows, counted after those left out."""

    @property
    def frames(self) -> int:
        """The frames that the model is asked for: 4k + 1."""
        return 4 * (self.latent_frames - 1) + 1


def timing_of(shot: Shot, real_time: bool, keep_extra: bool) -> Timing:
    """The timing of a shot: each of its frames a new one, or in real time the one of its moment, held until the next."""
    if shot.fps <= 0:
        raise PegbarError(f"The shot plays at {shot.fps:g} frames a second: choose a rate above 0")
    if real_time:
        shown = tuple(int((frame - shot.first) / shot.fps * FPS + _EPSILON) for frame in shot.frames)
    else:
        shown = tuple(range(len(shot.frames)))
    wanted = shown[-1] + 1
    latent_frames = next(count for count in range(1, wanted + 2) if usable(count, keep_extra) >= wanted)
    return Timing(latent_frames, decoded(latent_frames) - usable(latent_frames, keep_extra), shown)


def decoded(latent_frames: int) -> int:
    """The frames that the VAE gives: of an odd number of latent frames 4 each but 1 of the first, of an even one 4 each."""
    return 4 * latent_frames if latent_frames % 2 == 0 else 4 * latent_frames - 3


def usable(latent_frames: int, keep_extra: bool) -> int:
    """Those that are shown at most."""
    return decoded(latent_frames) if keep_extra else 4 * latent_frames - 3
