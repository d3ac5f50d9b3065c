"""LVCD's models from nothing to the button: offline, their terms, refused, downloading, paused, fetched; files imported; the cards of all."""

import sys
from pathlib import Path

import bpy
import pbgui
import studio
from studio import look, module, override

fetching, models, preferences = module("runs.fetching"), module("runs.models"), module("preferences")
SPEC = module("engine.catalog").PIPELINES["lvcd"]


def main():
    hub, gated, downloads = sys.argv[1:]
    yield from studio.empty_file()
    scene = pbgui.window().scene = module("showcase.shot").new_scene("Clip", 48)
    area = pbgui.editor("SEQUENCE_EDITOR")
    yield 0.8
    studio.fox_lines(scene.sequence_editor)
    area.spaces.active.view_type = "SEQUENCER_PREVIEW"
    area.spaces.active.timeline_overlay.show_strip_source = False
    studio.choose(scene, "lvcd")
    scene.pegbar.references.clear()
    press(area, "add_reference", type="FILE", filepath=str(studio.REPOSITORY / "demo/reference.png"))
    studio.weights(str(studio.OUT / "weights"))
    yield from asked(area, hub)
    yield from refused(area, gated)
    yield from downloaded(area, hub)
    yield from imported(area, downloads)
    yield from cards(area)


def press(area, name, **words):
    """What a button in the sidebar does."""
    with override(area, "UI"):
        return getattr(bpy.ops.pegbar, name)("EXEC_DEFAULT", **words)


def asked(area, hub):
    """Offline, then the terms, which are accepted."""
    bpy.context.preferences.system.use_online_access = False
    preferences.preferences().hub_mirror = hub
    yield from look(area, "1_offline")
    bpy.context.preferences.system.use_online_access = True
    yield from look(area, "2_terms")
    for name in ("svd", "lvcd"):
        assert press(area, "accept_terms", pipeline="lvcd", model=name) == {"FINISHED"}
    yield from look(area, "3_accepted")


def refused(area, gated):
    """A hub that asks for a token."""
    preferences.preferences().hub_mirror = gated
    assert press(area, "download_model", pipeline="lvcd") == {"FINISHED"}
    yield from until("failed")
    assert "enter a token" in fetching.of("lvcd").error
    yield from look(area, "4_failed")


def downloaded(area, hub):
    """Paused once on its way; the window answers all the time."""
    preferences.preferences().hub_mirror = hub
    press(area, "download_model", pipeline="lvcd")
    yield from pbgui.wait(lambda: fetching.of("lvcd").share > 0.3, 60, 0.1, "a third of the models")
    yield from look(area, "5_downloading", 0.3)
    press(area, "pause_download", pipeline="lvcd")
    assert fetching.of("lvcd").phase == "paused"
    yield from look(area, "6_paused")
    press(area, "download_model", pipeline="lvcd")
    yield from until("done")
    assert not models.missing(SPEC)
    yield from look(area, "7_fetched")


def imported(area, downloads):
    """Files of other names, and one that is none."""
    files = [{"name": path.name} for path in sorted(Path(downloads).iterdir())]
    press(area, "import_models", directory=downloads, files=files)
    yield from pbgui.wait(lambda: fetching.of("import").phase != "running", 60, 0.1, "the import")
    assert fetching.of("import").phase == "done", fetching.of("import")


def cards(area):
    """The preferences, method by method."""
    area.type = "PREFERENCES"
    bpy.context.preferences.active_section = "ADDONS"
    bpy.context.window_manager.addon_search = "Pegbar"
    yield 1.0
    with override(area):
        bpy.ops.preferences.addon_expand(module=studio.PACKAGE)
    own = preferences.preferences()
    for number, names in enumerate(((), ("lvcd",), ("vidsketch",), ("dropletvideo",)), 8):
        own.open_models = set(names)
        area.tag_redraw()
        yield 0.6
        with override(area):
            for _ in range(20):
                bpy.ops.view2d.scroll_up()
            for _ in range(6 * bool(names)):
                bpy.ops.view2d.scroll_down()
        yield 0.6
        pbgui.shot(f"{number}_cards{''.join(f'_{name}' for name in names)}")


def until(phase):
    yield from pbgui.wait(lambda: fetching.of("lvcd").phase == phase, 120, 0.1, f"the download {phase}: {fetching.of('lvcd')}")


pbgui.play(main())
