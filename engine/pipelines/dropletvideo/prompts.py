"""Prompts of the length that DropletVideo was trained on (its authors' have 247 words on average), from one short sentence.

A template is plain text with `{sentence}` where the artist's words go. Standard library only.
"""

from collections.abc import Mapping
from typing import Any

SLOT = "{sentence}"

QUALITY = (
    "The video is of high quality, and the view is very clear. High quality, masterpiece, best quality, highres, ultra-detailed, fantastic."
)
"""What the authors' own runs put after every prompt (SPEC §1.1)."""
NEGATIVE = "The video is low quality, blurry, distortion. "
"""The authors' negative prompt, its last blank included (SPEC §1.1)."""

PLAIN = SLOT

SHOT = (
    "The video is one continuous shot that opens on the given picture and lets it come alive. {sentence} "
    "The action starts gently, builds up without haste and comes to rest in a clear pose at the end, so that every moment of it can be "
    "read. Things that move have weight: they anticipate, accelerate, follow through and settle, and what hangs from them trails behind "
    "and swings out. Everything keeps the look of the first picture throughout: the same drawing style, the same clean contours, the same "
    "palette, the same proportions of every figure and the same place. In the foreground the main subject stays the centre of attention "
    "and remains whole within the frame; in the middle ground the objects around it keep their shapes and their distances; in the "
    "background the setting stays calm and detailed, with only small natural movements of light, air and leaves. The lighting is soft "
    "and steady, the shadows move together with what casts them, and the colours do not flicker. The camera stays on a tripod and holds "
    "the framing of the first picture from beginning to end, without cuts, without zooming, without shaking. No new figures appear, nothing "
    "melts or changes into something else, and no text is shown."
)
CAMERA = (
    "The video is one continuous shot that opens on the given picture and moves through the place that it shows. {sentence} "
    "The camera travels slowly and evenly, as if on rails, without cuts and without shaking. As it moves, the space opens up with true "
    "perspective: what is near passes quickly, what is in the middle ground passes more slowly, and what is far away hardly moves at all. "
    "Parts of the scene that were hidden come into view one after the other, and they fit what was already there: the same materials, "
    "the same architecture, the same plants, the same time of day. The figures and objects that the picture shows stay where they are, keep "
    "their shapes and proportions, and are seen a little more from the side as the camera goes by. The style of the first picture is kept "
    "throughout, with the same contours, the same palette and the same level of detail. The light comes from the same direction all the "
    "time; reflections and shadows shift only as much as the movement of the camera makes them. The movement begins softly, goes on at a "
    "constant pace and ends softly on a well composed view. Nothing melts or changes into something else, and no text is shown."
)
CHARACTER = (
    "The video shows the character of the given picture in one continuous shot. {sentence} "
    "The character acts with the whole body: the weight shifts first, then the hips, the shoulders, the head and at last the hands follow, "
    "each a little later than the one before. The face lives: the eyes look where the attention goes and blink now and then, the brows and "
    "the mouth show what is felt, and the breath lifts the chest lightly. Hair and clothing trail behind the movement, swing out and settle. "
    "Between two actions the character holds a clear pose for a moment, without ever becoming stiff. The design stays exactly that of the "
    "first picture: the same face, the same hair, the same costume with the same colours and details, the same line work, the same "
    "proportions, both hands with five fingers. The character stays whole within the frame and in front of the same background, which does "
    "not change and moves only slightly. The lighting is soft and steady and models the figure in the same way all the time. The camera "
    "stays on a tripod at eye level and holds the framing of the first picture, without cuts, without zooming, without shaking. Nobody else "
    "appears, nothing melts or changes into something else, and no text is shown."
)
NATURE = (
    "The video shows the landscape of the given picture in one continuous and quiet shot. {sentence} "
    "The air moves through the scene in slow gusts: grass bends in waves, leaves tremble and turn their lighter side, branches sway at their "
    "tips while the trunks stand firm. Clouds drift across the sky and slowly change their form, and their shadows wander over the ground. "
    "Where there is water it flows steadily, ripples glitter, and reflections break up and close again. Dust, pollen or mist hang in the "
    "light and float by. Every movement is natural, small in the distance and larger near the camera, and none of them repeats. The shapes "
    "of the land, the buildings, the paths and the trees stay as the first picture shows them, in the same painted style, with the same "
    "palette and the same level of detail from the foreground to the horizon. The sunlight keeps its direction and its warmth and changes "
    "only as gently as it does within a few seconds. The camera stands still on a tripod and holds the framing of the first picture from "
    "beginning to end, without cuts, without zooming, without shaking. No people or animals appear unless the picture shows them, nothing "
    "melts or changes into something else, and no text is shown."
)

TEMPLATES = {"shot": SHOT, "camera": CAMERA, "character": CHARACTER, "nature": NATURE, "plain": PLAIN}


def whole_prompt(params: Mapping[str, Any]) -> str:
    """What the model is told with a job's settings."""
    template = params["own_template"] if params["template"] == "own" else TEMPLATES[params["template"]]
    return completed(params["prompt"], template, params["quality"])


def completed(sentence: str, template: str, quality: str = QUALITY) -> str:
    """The whole prompt: the sentence in its template, a full stop after it where it has no end, the words of quality behind."""
    sentence = " ".join(sentence.split())
    if template.strip() != SLOT and sentence and sentence[-1] not in ".!?…":
        sentence += "."
    text = template.replace(SLOT, sentence) if SLOT in template else f"{template} {sentence}"
    return " ".join(filter(None, (" ".join(text.split()), quality.strip())))
