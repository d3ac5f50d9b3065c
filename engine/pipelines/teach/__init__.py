"""`teach`: clips and a sentence become a motion that VidSketch offers: its training, as a job."""

from dataclasses import replace

from ...spec import Input, Param, Weights
from ..vidsketch import TRAINING

_TEXTS = {
    "steps": "How long to learn; the motion is kept every now and then, so that you can stop when you like it",
}
"""In place of what the command line `train` says of folders and commands."""

SPEC = replace(
    TRAINING,
    name="teach",
    label="Teach a Motion",
    verb="Teach",
    help="Learns a motion from your own clips, and adds it to VidSketch's motions",
    inputs=(
        Input(
            "clips",
            "clip",
            "Clips",
            "Choose the images to learn from, or a folder of movies by the setting Folder",
            several=True,
            required=False,
        ),
    ),
    params=(
        Param("motion", "", "Name", "What the motion is called in VidSketch's menu"),
        *(replace(param, help=_TEXTS.get(param.name, param.help)) for param in TRAINING.params if param.name not in ("name", "seed")),
        Param("folder", "", "Folder", "A folder of movies, of folders of images, or of the images of one clip", is_folder=True),
    ),
    weights=(*TRAINING.weights, Weights("motions", ("motions",), "what was taught here", "your own", 0.0, required=False, is_made=True)),
    shares="vidsketch",
)
