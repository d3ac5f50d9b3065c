"""The published models as panels show them: a card a model in the preferences, and where a method lacks one, what it takes to get it."""

from collections.abc import Sequence

import bpy

from ..engine.errors import DOWNLOAD_STOPPED, LICENCE
from ..engine.models.cards import COMMERCIAL, Card
from ..engine.setup.state import amount
from ..engine.spec import Pipeline, Weights
from ..preferences import engine_python, preferences
from ..runs import fetching, models
from .words import text

ICONS = {"yes": "CHECKMARK", "no": "CANCEL", "unclear": "QUESTION"}
STATES = {"installed": "Installed", "missing": "Not installed", "begun": "Not whole yet", "damaged": "Damaged"}


def sidebar(layout: bpy.types.UILayout, context: bpy.types.Context, spec: Pipeline) -> None:
    """What a method lacks, who may use it, and the button that gets it."""
    box, lacking, owner = layout.box(), models.missing(spec), models.owner(spec)
    if _is_going(owner):
        text(box, context, f"Downloading the models of {owner.label}", "IMPORT")
        _running(box, context, owner)
        return
    text(box, context, f"{spec.label} needs {_gigabytes(lacking)} of published models. {amount(models.free())} free.", "INFO")
    for weights in lacking:
        chip = COMMERCIAL[weights.commercial]
        text(box, context, f"{weights.fetched_as}, {_gigabytes([weights])}: {chip}", ICONS[weights.commercial])
        if not weights.repository:
            _by_hand(box, context, weights)
    gates = [weights for weights in lacking if weights.terms and weights.repository]
    if unread := [weights for weights in gates if not models.accepted(weights)]:
        _gate(box, context, owner, unread[0], f"Terms {len(gates) - len(unread) + 1} of {len(gates)}, {unread[0].fetched_as}:")
    _get(box, context, owner, lacking)


def section(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    """All models in the preferences."""
    box = layout.box()
    box.label(text="Models", icon="OUTLINER_DATA_POINTCLOUD")
    own = preferences()
    for spec in fetching.specs():
        _method(box, context, spec)
    _imported(box, context)
    box.operator("pegbar.import_models", icon="FILE_FOLDER")
    column = box.column()
    column.prop(own, "hub_token", placeholder="For models that ask for one")
    column.prop(own, "hub_mirror", placeholder="https://huggingface.co")


def _method(layout: bpy.types.UILayout, context: bpy.types.Context, spec: Pipeline) -> None:
    """A method's line, and its cards where it is open."""
    lacking, own = models.missing(spec), preferences()
    is_open = spec.name in own.open_models
    row = layout.row()
    row.use_property_split = False
    row.prop_enum(own, "open_models", spec.name, icon="DOWNARROW_HLT" if is_open else "RIGHTARROW")
    if _is_going(spec):
        going = fetching.of(spec.name)
        row.progress(text=going.bar, factor=going.share)
    elif lacking:
        row.label(text=f"{STATES['begun' if fetching.begun(spec) else 'missing']}, {_gigabytes(lacking)}", icon="IMPORT")
    else:
        row.label(text=f"Installed, {amount(sum(card.size for card in models.cards(spec)))}", icon="CHECKMARK")
    if is_open:
        _cards(layout.box(), context, spec, lacking)


def _cards(box: bpy.types.UILayout, context: bpy.types.Context, spec: Pipeline, lacking: tuple[Weights, ...]) -> None:
    text(box, context, f"{spec.help}." + (f" Graphics memory: {spec.memory}." if spec.memory else ""))
    for card in models.cards(spec):
        _card(box.box(), context, card)
    _get(box, context, spec, lacking)


def _card(box: bpy.types.UILayout, context: bpy.types.Context, card: Card) -> None:
    weights = card.weights
    row = box.row()
    name = card.path.name if card.path else weights.fetched_as
    row.label(text=f"{name}{'' if weights.required else ', optional'}", icon="FILE_VOLUME")
    size = amount(card.size) if card.path else _gigabytes([weights])
    row.label(text=f"{STATES[card.state]}, {size}", icon="CHECKMARK" if card.state == "installed" else "NONE")
    text(box, context, f"{weights.purpose}.")
    _licence(box, context, card)
    if card.path:
        version = f", version {card.record.revision[:12]}" if card.record and card.record.revision else ""
        text(box, context, f"In {card.path.parent}{version}{'' if card.is_own else ', a shared folder'}", "FILE_FOLDER")
    if card.damaged:
        text(box, context, f"Gone or of another size: {', '.join(card.damaged)}", "ERROR")
    if not card.path and weights.by_hand:
        _by_hand(box, context, weights)
    _buttons(box.row(align=True), card)


def _buttons(row: bpy.types.UILayout, card: Card) -> None:
    page = row.operator("pegbar.open_model_page", icon="URL")
    page.pipeline, page.model = card.spec.name, card.weights.name
    row.operator("pegbar.open_weights", icon="FILE_FOLDER").pipeline = card.spec.name
    if card.path and card.is_own and card.record and card.record.revision and not _is_going(card.spec):
        again = row.operator("pegbar.download_model", text="Repair" if card.damaged else "Check Files", icon="FILE_REFRESH")
        again.pipeline, again.model, again.repair = card.spec.name, card.weights.name, True
    if card.path and card.is_own and not card.weights.joined:
        gone = row.operator("pegbar.delete_model", icon="TRASH")
        gone.pipeline, gone.model = card.spec.name, card.weights.name
    elif not card.path and not card.weights.required and card.weights.repository and models.accepted(card.weights):
        one = row.operator("pegbar.download_model", text="Download", icon="IMPORT")
        one.pipeline, one.model = card.spec.name, card.weights.name


def _licence(box: bpy.types.UILayout, context: bpy.types.Context, card: Card) -> None:
    """The licence in plain words; where it has to be accepted the terms, the page and the tick."""
    weights = card.weights
    chip = COMMERCIAL[weights.commercial].capitalize()
    text(box, context, f"{chip}. {weights.reason}. Licence: {weights.licence}", ICONS[weights.commercial])
    if card.path is None and weights.terms and weights.repository and not _is_going(card.spec):
        _gate(box, context, card.spec, weights)


def _gate(box: bpy.types.UILayout, context: bpy.types.Context, spec: Pipeline, weights: Weights, title: str = "") -> None:
    """The terms of a model in plain words, its page, and the tick that they are kept to."""
    gate, is_accepted = box.box(), models.accepted(weights)
    if not is_accepted:
        text(gate, context, f"{title} {weights.terms}".strip())
    row = gate.row(align=True)
    page = row.operator("pegbar.open_model_page", text="Read the Licence", icon="URL")
    tick = row.operator("pegbar.accept_terms", icon="CHECKBOX_HLT" if is_accepted else "CHECKBOX_DEHLT")
    for button in (page, tick):
        button.pipeline, button.model = spec.name, weights.name


def _by_hand(box: bpy.types.UILayout, context: bpy.types.Context, weights: Weights) -> None:
    for number, step in enumerate(weights.by_hand, 1):
        text(box, context, f"{number}. {step}", "BLANK1")


def _get(box: bpy.types.UILayout, context: bpy.types.Context, spec: Pipeline, lacking: tuple[Weights, ...]) -> None:
    """How what a method lacks is got, or is on its way."""
    if _is_going(spec):
        _running(box, context, spec)
        return
    going = fetching.of(spec.name)
    if going and going.phase == "failed":
        text(box, context, going.error, "ERROR")
        if going.id == LICENCE:
            box.prop(preferences(), "hub_token")
        elif going.id == DOWNLOAD_STOPPED:
            box.prop(preferences(), "hub_mirror", placeholder="https://huggingface.co")
    fetchable = [weights for weights in lacking if weights.repository]
    if fetchable:
        _download(box, context, spec, fetchable, going)
    row = box.row(align=True)
    row.operator("pegbar.import_models", icon="FILE_FOLDER")
    if lacking:
        row.operator("pegbar.look_again", icon="FILE_REFRESH")
    if context.area and context.area.type != "PREFERENCES":
        row.operator("pegbar.open_weights", text="", icon="FILEBROWSER").pipeline = spec.name
        _imported(box, context)


def _download(
    box: bpy.types.UILayout, context: bpy.types.Context, spec: Pipeline, fetchable: list[Weights], going: fetching.Activity | None
) -> None:
    if not bpy.app.online_access:
        text(box, context, "Blender is set to work offline.", "INTERNET_OFFLINE")
        box.operator("pegbar.allow_online", icon="INTERNET")
        return
    if any(weights.gated for weights in fetchable) and not preferences().hub_token and not (going and going.id == LICENCE):
        text(
            box, context, "Its page asks you to sign in and agree. Then make a token there, with read access, and enter it here:", "LOCKED"
        )
        box.prop(preferences(), "hub_token")
    begun = fetching.begun(spec) or (going is not None and going.phase in ("paused", "failed"))
    if begun and going and going.phase == "paused" and going.progress:
        box.progress(text=f"Paused, {going.bar}", factor=going.share)
    if engine_python() is None:
        text(box, context, "The engine fetches models: install it first.", "INFO")
    row = box.row(align=True)
    row.scale_y = 1.3
    row.enabled = engine_python() is not None and all(models.accepted(weights) for weights in fetchable)
    button = row.operator("pegbar.download_model", text="Continue" if begun else "Download Model", icon="PLAY" if begun else "IMPORT")
    button.pipeline, button.model = spec.name, " ".join(weights.name for weights in fetchable)
    if begun:
        row.operator("pegbar.cancel_download", text="", icon="X").pipeline = spec.name


def _gigabytes(wanted: Sequence[Weights]) -> str:
    return amount(int(sum(weights.gigabytes for weights in wanted) * 1e9))


def _is_going(spec: Pipeline) -> bool:
    going = fetching.of(spec.name)
    return going is not None and going.phase == "running"


def _running(box: bpy.types.UILayout, context: bpy.types.Context, spec: Pipeline) -> None:
    going = fetching.of(spec.name)
    assert going is not None
    box.progress(text=going.bar, factor=going.share)
    if going.words:
        text(box, context, going.words)
    row = box.row(align=True)
    row.operator("pegbar.pause_download", icon="PAUSE").pipeline = spec.name
    row.operator("pegbar.cancel_download", icon="X").pipeline = spec.name


def _imported(box: bpy.types.UILayout, context: bpy.types.Context) -> None:
    """What the files that were chosen are."""
    going = fetching.of(fetching.IMPORT)
    if going is None:
        return
    if going.phase == "running":
        box.progress(text=going.bar, factor=going.share)
    for told in going.told:
        text(box, context, told, "DOT")
    if going.phase == "failed":
        text(box, context, going.error, "ERROR")
    if going.phase != "running":
        box.operator("pegbar.dismiss_import", icon="X")
