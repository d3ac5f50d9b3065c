"""Makes the README's pictures in docs/images/ from those that the window's scripts left in dist/gui/: the editor alone.

usage: publish.py [SCRIPT...]   all scripts' by default
"""

import sys
from pathlib import Path

from PIL import Image

ROOT = Path(__file__).resolve().parents[2]
EDITOR = (0, 25, 1150, 800)
PICTURES = {
    ("panels", "viewport_idle"): "animate_idle",
    ("panels", "viewport_running"): "animate_running",
    ("panels", "viewport_applied"): "animate_drawing",
    ("panels", "sequencer_idle"): "colorize_idle",
    ("panels", "sequencer_running"): "colorize_running",
    ("panels", "sequencer_done"): "colorize_strip",
    ("traced", "strokes"): "traced_strokes",
    ("flipsketch", "idle"): "flipsketch_idle",
    ("flipsketch", "model_missing"): "flipsketch_no_model",
    ("lvcd", "idle"): "lvcd_idle",
    ("dropletvideo", "idle"): "dropletvideo_idle",
    ("setup", "6_installing"): "setup_installing",
    ("models", "9_cards_lvcd"): "models_lvcd",
}


def main(scripts: list[str]) -> None:
    for (script, shot), name in PICTURES.items():
        if not scripts or script in scripts:
            with Image.open(ROOT / "dist/gui" / script / f"{shot}.png") as picture:
                editor = picture.convert("RGB").crop(EDITOR)
            (ROOT / "docs/images").mkdir(parents=True, exist_ok=True)
            editor.save(ROOT / "docs/images" / f"{name}.png", optimize=True)


if __name__ == "__main__":
    main(sys.argv[1:])
