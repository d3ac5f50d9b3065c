"""The learned motions in a folder, as a panel lists them: name, picture, prompt. Standard library only; opens no weights."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ...protocol import PegbarError

CARD, PICTURE, LOW_RANK = "motion.json", "motion.png", "low_rank.safetensors"
"""What training writes beside a motion's weights: its name, prompt, and number of frames; how it looks; the weights of the small form."""

TRAINED_FRAMES = 10
"""How many frames the authors' motions were trained on; a card says otherwise."""
INDEX = ".index.json"
_FULL = ("diffusion_pytorch_model.safetensors", "diffusion_pytorch_model.bin", "model.safetensors", "pytorch_model.bin")
"""The names of a whole network: diffusers', then those of accelerate's checkpoints; with INDEX where it is in several files."""
_CLASS = "UNet3DConditionModel"


@dataclass(frozen=True)
class Motion:
    """One learned motion: `weights` is a whole network, or where `low_rank` what is added to Stable Diffusion's."""

    name: str
    weights: Path
    prompt: str = ""
    frames: int = TRAINED_FRAMES
    picture: Path | None = None
    is_taught: bool = False
    """Pegbar has written it: it is none of the authors'."""

    @property
    def low_rank(self) -> bool:
        return self.weights.name == LOW_RANK


def motions(folder: Path) -> tuple[Motion, ...]:
    """The motions in a folder, by name: those of its sub-folders, or the one that it is itself. Empty where there is none."""
    if not folder.is_dir():
        return ()
    if (own := _motion(folder)) is not None:
        return (own,)
    found = [
        motion for inner in folder.iterdir() if inner.is_dir() and not inner.name.startswith(".") and (motion := _motion(inner)) is not None
    ]
    return tuple(sorted(found, key=lambda motion: motion.name.casefold()))


def chosen(folder: Path, name: str, *others: Path) -> Motion:
    """The motion of that name, the first where it is empty; in the folder before others. Raises PegbarError where there is none."""
    found = [motion for place in (folder, *others) for motion in motions(place)]
    if not found:
        raise PegbarError(f"{folder} holds no motion: put a folder with a fine-tuned VidSketch network in it, or teach one")
    if motion := next((motion for motion in found if name in ("", motion.name)), None):
        return motion
    raise PegbarError(f"There is no motion {name!r} in {folder}: choose one of {', '.join(motion.name for motion in found)}")


def _motion(folder: Path) -> Motion | None:
    weights = next(_candidates(folder), None)
    if weights is None:
        return None
    card = _json(folder / CARD)
    name, prompt, frames = card.get("name"), card.get("prompt"), card.get("frames")
    picture = folder / PICTURE
    return Motion(
        name=name if isinstance(name, str) and name else folder.name,
        weights=weights,
        prompt=prompt if isinstance(prompt, str) else "",
        frames=frames if isinstance(frames, int) and frames > 1 else TRAINED_FRAMES,
        picture=picture if picture.is_file() else None,
        is_taught=bool(card),
    )


def _candidates(folder: Path) -> Iterator[Path]:
    """The weights of a motion in a folder, the best first: the authors lay them into `unet/`, or (without a config) anywhere."""
    if (folder / LOW_RANK).is_file():
        yield folder / LOW_RANK
    for inner in (folder / "unet", folder):
        config = _json(inner / "config.json")
        if not config or config.get("_class_name") == _CLASS:
            yield from (path for name in _FULL for end in ("", INDEX) if (path := inner / f"{name}{end}").is_file())


def _json(path: Path) -> dict[str, object]:
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}
