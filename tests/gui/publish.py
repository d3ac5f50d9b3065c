"""Makes the README's pictures in docs/images/ from those that `run.py panels` left: the editor alone."""

from pathlib import Path

from PIL import Image

ROOT = Path(__file__).resolve().parents[2]
EDITOR = (0, 25, 1150, 800)
PICTURES = {
    "viewport_idle": "animate_idle",
    "viewport_running": "animate_running",
    "viewport_applied": "animate_drawing",
    "sequencer_idle": "colorize_idle",
    "sequencer_running": "colorize_running",
    "sequencer_done": "colorize_strip",
}

if __name__ == "__main__":
    for shot, name in PICTURES.items():
        with Image.open(ROOT / "dist/gui/panels" / f"{shot}.png") as picture:
            editor = picture.convert("RGB").crop(EDITOR)
        (ROOT / "docs/images").mkdir(parents=True, exist_ok=True)
        editor.save(ROOT / "docs/images" / f"{name}.png", optimize=True)
