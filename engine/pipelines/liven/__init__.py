"""`liven`: moves a drawing's own strokes by the principles of animation. Needs no weights."""

from ...spec import Input, Output, Param, Pipeline

SPEC = Pipeline(
    name="liven",
    label="Liven",
    verb="Animate Drawing",
    help="Moves a drawing's own strokes; every stroke comes back itself",
    inputs=(Input("sketch", "sketch", "Drawing", "Select a Grease Pencil drawing with strokes on this frame", several=True),),
    outputs=(Output("strokes", "strokes", "Strokes"),),
    params=(
        Param("amount", 1.0, "Motion", "How much the drawing moves: 0 gives it back unchanged", 0.0, 3.0),
        Param("loop", True, "Loop", "The last drawing leads back into the first"),
    ),
    space="VIEW_3D",
)
