"""`still`: gives its input back as a clip. For boundary tests, Test Engine and benchmarks."""

from ...spec import Input, Output, Param, Pipeline

SPEC = Pipeline(
    name="still",
    label="Still",
    verb="Test Engine",
    help="Gives the input back frame by frame, to show that the engine works",
    inputs=(Input("image", "image", "Image", "Choose the picture to give back", several=True),),
    outputs=(Output("clip", "clip", "Clip"),),
    params=(Param("seconds_per_frame", 0.0, "Seconds per Frame", "How long each frame pretends to take", 0.0, 3600.0, advanced=True),),
)
