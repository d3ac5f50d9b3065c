"""`liven`: moves a drawing's own strokes by the principles of animation. Needs no weights."""

from ...spec import Input, Output, Param, Pipeline

SPEC = Pipeline(
    name="liven",
    label="Liven",
    verb="Animate Drawing",
    help="Moves a drawing's own strokes; every stroke comes back itself",
    inputs=(Input("sketch", "strokes", "Drawing", "Select a Grease Pencil drawing with strokes on this frame", several=True),),
    outputs=(Output("strokes", "strokes", "Strokes"),),
    params=(
        Param(
            "motion",
            "breathe",
            "Motion",
            "What the drawing does",
            choices=(
                ("breathe", "Breathe", "Stands and breathes: swells and sinks softly over planted feet"),
                ("sway", "Sway", "Bends from side to side like a plant in the wind, the tip trailing behind"),
                ("bounce", "Bounce", "Crouches, jumps, stretches in the air, squashes on landing and settles"),
                ("wobble", "Wobble", "Shivers all over like jelly"),
                ("float", "Float", "Hovers and tilts without touching the ground"),
                ("boil", "Line Boil", "Stays in place while its lines are drawn afresh"),
            ),
        ),
        Param("amount", 1.0, "Amount", "How much the drawing moves: 0 gives it back unchanged", 0.0, 3.0),
        Param("speed", 1.0, "Speed", "How fast it moves: 2 is twice as fast; a loop takes the nearest whole number of moves", 0.25, 4.0),
        Param("loop", True, "Loop", "The last drawing leads back into the first; without it the motion starts and ends at rest"),
        Param("line_boil", 0.0, "Line Boil", "How much the lines tremble as if drawn anew by hand, on top of the motion", 0.0, 3.0),
        Param("follow_through", 1.0, "Follow-Through", "How far tails, hair, ears and arms trail behind and overshoot", 0.0, 3.0),
        Param(
            "pivot",
            "auto",
            "Held At",
            "Where the drawing is held while the rest moves",
            choices=(
                ("auto", "Automatic", "The ground where the drawing can stand on it, else its middle"),
                ("ground", "Ground", "The lowest lines stay planted"),
                ("middle", "Middle", "The centre of the drawing stays, for what flies, swims or floats"),
                ("top", "Top", "The highest lines stay, for what hangs"),
            ),
            advanced=True,
        ),
        Param("boil_every", 2, "Redraw Every", "The trembling lines are drawn afresh every so many frames", 1, 24, advanced=True),
    ),
    space="VIEW_3D",
)
