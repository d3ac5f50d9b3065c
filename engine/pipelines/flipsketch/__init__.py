"""`flipsketch`: one drawing and a sentence become an animation, drawn by a text-to-video diffusion model and given back as strokes."""

from ...spec import Input, Output, Param, Pipeline, Weights

MOST_VARIATIONS = 10

SPEC = Pipeline(
    name="flipsketch",
    label="FlipSketch",
    verb="Animate Drawing",
    help="Animates one drawing as a sentence says, by a text-to-video diffusion model; the drawings come back as strokes",
    inputs=(Input("sketch", "sketch", "Drawing", "Select a Grease Pencil drawing with strokes on this frame, or give an image of one"),),
    outputs=(
        Output("strokes", "strokes", "Strokes", option="as_strokes"),
        Output("clip", "clip", "Pictures", option="as_clip"),
    ),
    params=(
        Param("prompt", "", "What Happens", "One sentence in English: who does what"),
        Param("motion", 0.5, "Motion", "0 is calm and close to the drawing, 1 is lively", 0.0, 1.0),
        Param("variations", 1, "Variations", "How many to make at once; the best one is the result", 1, MOST_VARIATIONS),
        Param("align", False, "Stay on Model", "The drawing keeps its shape better; takes about four times as long"),
        Param("as_strokes", True, "Strokes", "Give the drawings as strokes on a new layer"),
        Param("as_clip", False, "Pictures", "Give the drawings as pictures, ink on nothing"),
        Param("keep_first", True, "First Is Mine", "The first drawing is your own, untouched, not as the model draws it anew", advanced=True),
        Param(
            "view", "drawing", "Model Sees", "What of the picture the model works on",
            choices=(
                ("drawing", "Drawing", "A square around the drawing with room to move: the finest lines"),
                ("picture", "Whole Picture", "All of the picture in its own proportions"),
                ("squeezed", "Squeezed Picture", "All of the picture squeezed into a square, as the method was published"),
            ),
            advanced=True,
        ),
        Param("size", 256, "Working Size", "Pixels of the shorter side that the model draws; it is made for 256", 64, 1024, advanced=True),
        Param(
            "drawings_at_once", 10, "Drawings at Once",
            "Longer clips go on from the last drawing; the model is made for 10", 2, 64, advanced=True,
        ),
        Param("black_and_white", False, "Black and White", "Ink is full or none, parted by Otsu's threshold in each drawing", advanced=True),
        Param("clean", False, "Clean Scan", "Take shading and grain of the paper away from an image before it is animated", advanced=True),
        Param("num_inference_steps", 25, "Steps", "More steps are finer and slower; the method is made for 25", 2, 200, advanced=True),
        Param("guidance_scale", 9.0, "Guidance", "How strictly the sentence is followed; 1 is off and twice as fast", 1.0, 30.0, advanced=True),
        Param("negative_prompt", "", "Avoid", "What should not be seen; makes each step a third slower", advanced=True),
        Param("compose", True, "Follow the Drawing", "The model looks at the drawing while it draws; without it only the start is given", advanced=True),
        Param("compose_until", 0.6, "Follow Until", "Share of the steps in which the model looks at the drawing", 0.0, 1.0, advanced=True),
        Param("align_until", 0.4, "Align Until", "Stay on Model: share of the steps in which the noise is aligned", 0.0, 1.0, advanced=True),
        Param(
            "sketch_range", "zero_one", "Drawing's Range", "How the model is shown black",
            choices=(
                ("zero_one", "As Published", "Black as middle grey: what the method's results were made with"),
                ("minus_one_one", "Full", "Black as black: what the image coder was trained on"),
            ),
            advanced=True,
        ),
    ),
    weights=(
        Weights(
            "checkpoint", ("checkpoint-2500", "text-to-video-ms-1.7b"), "huggingface.co/Hmrishav/t2v_sketch-lora",
            "MIT by its page, but derived from ModelScope's text-to-video: non-commercial research only", 7.2,
            purpose="The text-to-video model, taught to draw", commercial="no",
            reason="It holds ModelScope's text-to-video weights, which are for non-commercial use (CC BY-NC 4.0)",
            terms="Its page says MIT, but it holds the weights of ModelScope's text-to-video model, whose licence (CC BY-NC 4.0) allows "
            "research and private use alone. Do not use it for work that earns money.",
            repository="Hmrishav/t2v_sketch-lora", files=("unet", "vae", "text_encoder", "tokenizer", "scheduler"),
        ),
        Weights(
            "lora", ("lora",), "huggingface.co/Hmrishav/t2v_sketch-lora", "MIT by its page", 0.037, required=False,
            purpose="The authors' changes by themselves, for a text-to-video-ms-1.7b that you have already", commercial="no",
            reason="It works with ModelScope's text-to-video alone, which is for non-commercial use",
            repository="Hmrishav/t2v_sketch-lora", files=("2500_unet.pt", "2500_text_encoder.pt"),
        ),
        Weights(
            "clip", ("clip-vit-base-patch32",), "huggingface.co/openai/clip-vit-base-patch32", "MIT", 0.6, required=False,
            purpose="Chooses the best of several variations", commercial="yes", reason="Published under MIT",
            repository="openai/clip-vit-base-patch32", files=("",),
        ),
    ),
    space="VIEW_3D",
)  # fmt: skip
