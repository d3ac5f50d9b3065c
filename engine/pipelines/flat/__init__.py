"""`flat`: colours line art region by region from reference frames, with exactly the reference's colours. Needs no weights."""

from ...corrections import CORRECTIONS, CORRECTS
from ...spec import Input, Output, Param, Pipeline

SPEC = Pipeline(
    name="flat",
    label="Flat",
    verb="Colorize Strip",
    help="Colours line art region by region with exactly the colours of the reference frames",
    inputs=(
        Input("lineart", "lineart", "Line Art", "Choose the strip or the drawing to colour", several=True),
        Input("reference", "reference", "Reference", "Add a coloured frame of this shot", several=True),
        Input(CORRECTIONS, "notes", "Corrections", "Set the colour of regions: x, y (0 to 1) and colour", several=True, required=False),
    ),
    outputs=(
        Output("clip", "clip", "Colour", option="as_clip"),
        Output("fills", "fills", "Fills", option="as_fills"),
        Output("colour", "clip", "Colour Without Lines", option="separate_lines"),
        Output("lines", "clip", "Lines", option="separate_lines"),
        Output("notes", "notes", "Regions to Check"),
    ),
    params=(
        Param(
            "close_gaps",
            8,
            "Close Gaps",
            "Gaps in lines 3 pixels wide, up to this many pixels, do not leak colour; wider lines may have wider gaps",
            0,
            40,
        ),
        Param("as_clip", True, "Pictures", "Give colour and lines as pictures"),
        Param("as_fills", False, "Fills", "Give the colour as fill strokes on a layer under the drawing's lines, one material a colour"),
        Param("separate_lines", False, "Lines as Own Strip", "Also give colour and lines as two clips"),
        Param(
            "hide_separators",
            False,
            "Hide Separators",
            "Coloured lines drawn beside black ones, the borders of shadows and highlights, part the colours but are not shown",
        ),
        Param(
            "speck_size",
            2,
            "Specks",
            "Regions smaller than this many pixels, where lines are 3 pixels wide, take the colour around them",
            0,
            1000,
            advanced=True,
        ),
        Param("threshold", 0.5, "Ink Threshold", "How dark a pixel is to count as line, between paper and ink", 0.05, 0.95, advanced=True),
        Param(CORRECTS, "", "Corrects", "The take whose colours are corrected: what stays as it is comes from there", is_folder=True),
        Param("check_below", 0.9, "Check Below", "Regions less sure than this are listed for you to check", 0.0, 1.0, advanced=True),
    ),
    space="SEQUENCE_EDITOR",
    is_seeded=False,
)
