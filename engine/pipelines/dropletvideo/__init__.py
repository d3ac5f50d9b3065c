"""`dropletvideo`: one image and a sentence become a shot, with the motion under control. Needs published weights."""

from ...spec import Input, Output, Param, Pipeline, Weights
from .prompts import CAMERA, CHARACTER, NATURE, NEGATIVE, QUALITY, SHOT, whole_prompt

SPEC = Pipeline(
    name="dropletvideo",
    label="DropletVideo",
    verb="Shoot from Image",
    help="Makes a shot that starts on an image and does what a sentence says, calm or lively as you like",
    inputs=(
        Input("image", "image", "Image", "Choose the picture that the shot starts on"),
        Input("end_image", "image", "End Image", "A picture that the shot ends on", required=False, at_end=True),
    ),
    outputs=(Output("clip", "clip", "Shot"),),
    params=(
        Param(
            "prompt", "", "What Happens", "One sentence that says what happens; the template leads it to the length that the model knows"
        ),
        Param("motion", 0.33, "Motion", "From calm (0) to lively (1): how much the subject and the camera move", 0.0, 1.0),
        Param(
            "preset",
            "exact",
            "Speed",
            "How much quality is given for speed; the figures are a small random network's, its latents against Exact's",
            choices=(
                ("exact", "Exact", "The authors' way: 50 steps, all of them computed and guided"),
                (
                    "balanced",
                    "Balanced",
                    "40 steps, the last fifth without guidance; steps that bring nothing new are not computed. Measured: "
                    "1.3 to 2.9 times as fast, 7 to 9 % off",
                ),
                (
                    "draft",
                    "Draft",
                    "20 steps, the last two fifths without guidance; more of them are not computed, to try things out. Measured: "
                    "2.9 to 6.5 times as fast, 10 to 14 % off",
                ),
            ),
        ),
        Param(
            "template",
            "shot",
            "Prompt Template",
            "The text that your sentence is put into: the model was trained on prompts of about 250 words",
            choices=(
                ("shot", "Shot", SHOT),
                ("camera", "Camera Move", CAMERA),
                ("character", "Character", CHARACTER),
                ("nature", "Landscape", NATURE),
                ("own", "Own", "The text in Own Template, under Advanced"),
                ("plain", "None", "Your words as they are: for prompts that are long already"),
            ),
        ),
        Param(
            "own_template",
            SHOT,
            "Own Template",
            "The text for the template Own; your sentence goes where {sentence} stands, else behind it",
            advanced=True,
        ),
        Param("quality", QUALITY, "Quality Words", "What is put after every prompt; the authors always use these words", advanced=True),
        Param("negative_prompt", NEGATIVE, "Negative Prompt", "What the shot is led away from", advanced=True),
        Param(
            "timing",
            "time",
            "Timing",
            "How the model's eight frames a second lie on the timeline",
            choices=(
                ("time", "In Real Time", "The shot plays as fast as the model means it: at 24 fps each of its frames is held for three"),
                (
                    "frames",
                    "A Frame Each",
                    "Every frame of the shot is a new one: at 24 fps it plays three times as fast, and takes longer",
                ),
            ),
            advanced=True,
        ),
        Param(
            "keep_extra_frames",
            False,
            "Keep Extra Frames",
            "Start with the three more frames, almost copies of the image, that the model gives at some lengths; else they are left out",
            advanced=True,
        ),
        Param(
            "resolution",
            "standard",
            "Works At",
            "The size that the model works at, in the image's proportions; the result comes back at the image's own size",
            choices=(
                ("small", "Small", "About 480 x 272: a third of the time"),
                ("standard", "Standard", "About 672 x 384, the model's own size"),
                ("large", "Large", "About 1120 x 640: five times as long"),
                ("image", "As the Image", "The image's own size, to the nearest multiple of 16"),
            ),
            advanced=True,
        ),
        Param("num_inference_steps", 0, "Steps", "0: as Speed says; else so many, best a divisor of 1000", 0, 1000, advanced=True),
        Param(
            "guidance_scale",
            6.0,
            "Guidance",
            "How strictly the prompt is followed; 1 is not at all, and twice as fast",
            1.0,
            30.0,
            advanced=True,
        ),
        Param(
            "memory",
            "automatic",
            "Memory",
            "What is on the graphics card at a time",
            choices=(
                ("automatic", "Automatic", "What is fastest of all that fits into the free memory"),
                ("everything", "Everything on the Card", "All models stay on the card"),
                ("one", "One Model at a Time", "Text, motion and picture models take turns"),
                ("blocks", "Blocks Offloaded", "Of the motion model one block at a time is on the card, the next on its way"),
                ("smallest", "Smallest", "Blocks offloaded, guidance in two passes, frames decoded in tiles, whose seams may show faintly"),
            ),
            advanced=True,
        ),
        Param(
            "precision",
            "full",
            "Weights' Precision",
            "The precision that the motion model's weights are kept in; smaller ones change the picture a little",
            choices=(
                ("full", "Full", "As published: 11.1 GB"),
                ("int8", "8-Bit Integer", "5.6 GB; on a small random network 0.6 % off Full"),
                ("fp8", "8-Bit Float", "6.4 GB; on a small random network 3 % off Full"),
            ),
            advanced=True,
        ),
    ),
    weights=(
        Weights(
            "dropletvideo",
            ("DropletVideo-V1.0-weights", "DropletVideo-5B"),
            "huggingface.co/DropletX/DropletVideo-5B",
            "its own, restricted; you agree to it on the page",
            21.1,
            purpose="The video model, its image coder and its text encoder",
            reason="Its own licence could not be read without signing in, and it probably derives from CogVideoX-5B, "
            "whose licence asks commercial users to register",
            terms="Its page asks you to sign in, to share your contact information and not to use it in experiments that harm people. It "
            "probably derives from CogVideoX-5B, whose licence asks commercial users to register. Read the licence in its folder.",
            repository="DropletX/DropletVideo-5B",
            files=("transformer", "vae", "text_encoder", "tokenizer", "scheduler"),
            gated=True,
        ),
    ),
    memory="14.8 GB on the card with one model at a time, 4.9 GB at least",
    space="SEQUENCE_EDITOR",
    length=72,
    whole_prompt=whole_prompt,
)
