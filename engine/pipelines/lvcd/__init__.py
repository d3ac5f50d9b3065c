"""`lvcd`: paints line art of any length after coloured reference frames, with shading and textures, by a video diffusion model."""

from ...spec import Input, Output, Param, Pipeline, Weights

SPEC = Pipeline(
    name="lvcd",
    label="LVCD",
    verb="Colorize Strip",
    help="Paints line art after coloured reference frames, shading and textures included, by a video diffusion model",
    inputs=(
        Input("lineart", "lineart", "Line Art", "Choose the strip or the drawing to paint", several=True),
        Input("reference", "reference", "Reference", "Add a coloured frame of this shot", several=True),
    ),
    outputs=(Output("clip", "clip", "Painting"),),
    params=(
        Param("lock_colours", False, "Lock Colours", "Each region takes the reference's colour nearest to it, flat, under your own lines"),
        Param("keep_references", True, "Exact References", "Frames that have a reference show it as it is, not as the model paints it anew"),
        Param(
            "line_source", "auto", "Line Art Is", "What the line art input shows",
            choices=(
                ("auto", "Automatic", "Told from the pictures"),
                ("drawing", "Drawn Lines", "Lines on paper, dark or light, or on nothing"),
                ("colour", "Coloured Frames", "Pictures in colour, whose lines are found first"),
            ),
        ),
        Param("num_inference_steps", 25, "Steps", "More steps are finer and slower; the model is made for 25", 1, 100),
        Param(
            "working_width", 576, "Working Width",
            "Pixels that a wide picture is painted at, other proportions alike in area; the model is made for 576", 64, 2048, advanced=True,
        ),
        Param("line_softness", 1.0, "Line Softness", "How far crisp lines are softened to those the model knows; 0 leaves them", 0.0, 4.0, advanced=True),
        Param("blend_frames", 4, "Blend", "Frames over which two references' paintings pass into each other", 0, 40, advanced=True),
        Param(
            "ref_mode", "prevref", "Long Shots", "What the frames after the first 15 look at for their colours",
            choices=(
                ("prevref", "Reference and Frames Before", "Keeps what only later frames show; the authors' choice"),
                ("normal", "Reference", "Never drifts, but forgets what the reference does not show"),
                ("normal1", "Reference, One Frame Before", "Between the two"),
            ),
            advanced=True,
        ),
        Param("prev_attn_steps", 25, "Look Back Steps", "Steps during which frames look at those before them", 0, 100, advanced=True),
        Param("min_guidance_scale", 1.0, "First Guidance", "How strictly the first frames follow the reference; 1 is off", 0.0, 10.0, advanced=True),
        Param("max_guidance_scale", 1.0, "Last Guidance", "The same for the last frames; only above or below 1 it doubles the time", 0.0, 10.0, advanced=True),
        Param("motion_bucket_id", 160, "Motion", "How much motion the model expects", 0, 255, advanced=True),
        Param("motion_fps", 6, "Motion Rate", "The frame rate that the model takes the motion for", 1, 30, advanced=True),
        Param("noise_aug_strength", 0.0, "Reference Noise", "Noise on the reference: more lets the painting leave it", 0.0, 1.0, advanced=True),
        Param("close_gaps", 6, "Close Gaps", "Lock Colours: gaps in the lines up to this many pixels do not leak colour", 0, 40, advanced=True),
        Param("speck_size", 12, "Specks", "Lock Colours: smaller regions, in pixels, take the colour around them", 0, 1000, advanced=True),
    ),
    weights=(
        Weights(
            "svd", ("svd.safetensors", "svd-fp16.safetensors"), "huggingface.co/stabilityai/stable-video-diffusion-img2vid",
            "Stability AI licence", 9.56,
            purpose="Stable Video Diffusion, the video model that LVCD builds on",
            reason="Its licence of 2023 allows research alone; the page now refers to Stability AI's Community licence, "
            "which is free below one million US dollars of yearly revenue",
            terms="Read on its page which licence holds for you: the one of 2023 forbids commercial use, Stability AI's Community licence "
            "allows it to those who earn less than one million US dollars a year. Harmful uses are forbidden by both.",
            repository="stabilityai/stable-video-diffusion-img2vid", files=("svd.safetensors",),
        ),
        Weights(
            "lvcd", ("lvcd.ckpt", "lvcd-fp16.safetensors"), "github.com/luckyhzt/LVCD", "None given; a derivative of SVD", 1.56,
            purpose="LVCD's sketch ControlNet and its attention",
            reason="Its authors have given no licence, which leaves all rights with them; it derives from Stable Video Diffusion "
            "and was trained on six films",
            terms="Its authors have published it without a licence, so that nobody is given a right to use it beyond trying it out; it was "
            "trained on six animation films. Ask the authors before you show or sell what you make with it.",
            repository="Kijai/LVCD-pruned", files=("lvcd-fp16.safetensors",),
            by_hand=(
                "What is fetched is a re-pack in half precision by Kijai; the authors' own lvcd.ckpt (3.1 GB) works as well",
                "Open the page, follow its link to the checkpoint and download lvcd.ckpt with your browser",
                "Press Import Files and choose it; it is read as it is, without running what a checkpoint may hold",
            ),
        ),
        Weights(
            "sk_model", ("sk_model.pth",), "huggingface.co/lllyasviel/Annotators", "MIT", 0.017, required=False,
            purpose="Finds the lines in coloured frames", commercial="yes", reason="It is from informative-drawings, under MIT",
            repository="lllyasviel/Annotators", files=("sk_model.pth",),
        ),
        Weights("converted", ("converted",), "what was converted here", "as SVD's and LVCD's", 0.0, required=False, is_made=True),
    ),
    memory="11.2 GB on the card for full speed, 6.5 GB in turns, 2.9 GB at least",
    space="SEQUENCE_EDITOR",
)  # fmt: skip
