"""`vidsketch`: drawings at their frames and a sentence become a video (VidSketch, arXiv 2502.01101), in a motion learned from clips."""

from ...spec import Input, Listing, Output, Param, Pipeline, Weights
from .motions import Motion, motions

__all__ = ["SPEC", "TRAINING", "Motion", "motions"]

_SD15 = Weights(
    "sd15",
    ("sd15", "stable-diffusion-v1-5", "stable-diffusion-v1-4"),
    "huggingface.co/stable-diffusion-v1-5/stable-diffusion-v1-5",
    "CreativeML OpenRAIL-M",
    4.3,
    purpose="Stable Diffusion 1.5, the image model that VidSketch builds on",
    commercial="yes",
    reason="CreativeML OpenRAIL-M allows commercial use, but not the harmful uses that it lists",
    repository="stable-diffusion-v1-5/stable-diffusion-v1-5",
    files=("unet", "vae", "text_encoder", "tokenizer", "scheduler"),
)

SPEC = Pipeline(
    name="vidsketch",
    label="VidSketch",
    verb="Follow Sketches",
    help="Makes a video that follows your drawings and a sentence, in a motion that was learned from clips",
    inputs=(
        Input("sketch", "sketch", "Sketches", "Choose the drawings to follow, at the frames where they are keyed", several=True),
        Input(
            "first_frame",
            "image",
            "First Frame",
            "Choose a picture to start from; without one it is made from the first drawing",
            required=False,
        ),
    ),
    outputs=(Output("clip", "clip", "Video"),),
    params=(
        Param("prompt", "", "Prompt", "What the video shows, in a sentence"),
        Param(
            "motion",
            "",
            "Motion",
            "Name of the learned motion; empty for the only or the first one",
            listing=Listing("motions", motions),
        ),
        Param(
            "control",
            "auto",
            "Control",
            "What sets how strongly and how long the drawings steer",
            choices=(
                ("auto", "Measured", "How abstract the drawings are: rough ones steer more loosely"),
                ("abstraction", "Abstraction", "The abstraction that you give"),
                ("fixed", "Fixed", "The strength and the duration that you give"),
            ),
        ),
        Param("abstraction", 0.6, "Abstraction", "With Control on Abstraction: 0 for detailed drawings, 1 for the roughest", 0.0, 1.0),
        Param("strength", 0.65, "Strength", "With Control on Fixed: how strongly the drawings steer", 0.0, 2.0),
        Param(
            "size",
            512,
            "Working Size",
            "Longer side in pixels that the video is made at; it comes back in the drawing's own size",
            64,
            2048,
        ),
        Param("tau", 0.5, "Duration", "With Control on Fixed: for what share of the steps the drawings steer", 0.0, 1.0, advanced=True),
        Param("negative_prompt", "", "Negative Prompt", "What the video should not show", advanced=True),
        Param("num_inference_steps", 50, "Steps", "More steps take longer and are cleaner", 1, 1000, advanced=True),
        Param("guidance_scale", 12.5, "Guidance", "How closely the prompt is followed", 1.0, 50.0, advanced=True),
        Param("match_colours", True, "Match Colours", "Gives every frame the colours of the first one", advanced=True),
        Param(
            "sc_frames",
            "first+prev",
            "Attention Looks At",
            "The frames that each frame looks at",
            choices=(
                ("first+prev", "First and Previous", "As the original makes videos"),
                ("first+second+prev", "First, Second and Previous", "As the original trains"),
            ),
            advanced=True,
        ),
    ),
    weights=(
        _SD15,
        Weights(
            "motions",
            ("motions", "vidsketch"),
            "github.com/CSfufu/VidSketch, or `train vidsketch`",
            "CC BY-NC 4.0 (the authors')",
            4.4,
            joined=True,
            purpose="Learned motions, at least one: the authors', or those that you teach",
            commercial="no",
            reason="The authors' motions are CC BY-NC 4.0; one that you teach yourself is as free as your clips",
            by_hand=(
                "Teach a motion from your own clips by Teach a Motion: then nothing needs to be fetched; or",
                "open the page and follow its link to Google Drive, which lets no program in",
                "Download the folder of a motion with your browser and unpack it",
                "Press Import Files and choose the folder; it is for work that earns no money",
            ),
        ),
        Weights(
            "adapter",
            ("adapter", "t2iadapter_sketch_sd15v2"),
            "huggingface.co/TencentARC/t2iadapter_sketch_sd15v2",
            "Apache-2.0",
            0.31,
            purpose="Leads the image model by drawings",
            commercial="yes",
            reason="Published under Apache-2.0",
            repository="TencentARC/t2iadapter_sketch_sd15v2",
            files=("",),
        ),
    ),
    space="VIEW_3D",
)

TRAINING = Pipeline(
    name="vidsketch",
    label="VidSketch",
    verb="Teach Motion",
    help="Learns a motion from your own clips: a folder of movies, or of folders of images",
    inputs=(),
    outputs=(),
    params=(
        Param("prompt", "", "Prompt", "What all the clips show, in a sentence"),
        Param("name", "", "Name", "What the motion is listed as; empty for the folder's name"),
        Param("low_rank", False, "Small File", "Learns a small addition (25 MB) in place of a whole network (4.4 GB)"),
        Param("steps", 15000, "Steps", "How long to learn; the same command with more steps goes on", 1, 1_000_000),
        Param("frames", 10, "Frames", "Frames that are learned at once", 2, 64),
        Param("frame_step", 1, "Every", "Takes every n-th frame of the clips", 1, 100),
        Param("width", 512, "Width", "In pixels; a multiple of 8", 32, 2048),
        Param("height", 320, "Height", "In pixels; a multiple of 8", 32, 2048),
        Param("flip", True, "Mirror", "Also learns from the clips mirrored", advanced=True),
        Param("learning_rate", 3e-5, "Learning Rate", "How fast to learn; about 1e-4 for a small file", 1e-8, 1.0, advanced=True),
        Param("checkpoint_every", 500, "Keep Every", "Steps after which the motion is kept, shown and measured", 1, 100_000, advanced=True),
        Param("sample_steps", 20, "Steps Shown", "Steps of the sample that is shown", 1, 1000, advanced=True),
        Param("seed", 33, "Seed", "The same seed learns the same", advanced=True),
    ),
    weights=(_SD15,),
)
"""Teaching a motion (`training.train`): its settings, and what it starts from."""
