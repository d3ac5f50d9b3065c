"""What a run that fails shows, and what may be sold: the sidebar after a damaged picture, and with the panel of licences and reports open."""

import bpy
import pbgui
import studio
from studio import ended, look, module, run, takes

errors, shot = module("engine.errors"), module("showcase.shot")
FRAMES = 6
HEADER = (880, 642)
"""Where the last panel's header is on the screen."""


def main():
    yield from studio.empty_file()
    scene = pbgui.window().scene = shot.new_scene("Clip", FRAMES)
    area = pbgui.editor("SEQUENCE_EDITOR")
    yield 0.8
    studio.fox_lines(scene.sequence_editor, FRAMES)
    area.spaces.active.view_type = "SEQUENCER_PREVIEW"
    with studio.override(area, "UI"):
        bpy.ops.pegbar.add_reference(type="FILE", filepath=str(studio.REPOSITORY / "demo/reference.png"))
    running = studio.click_run("flat", area)
    yield from ended(running, 200)
    assert running.phase == "done", running.text
    (take,) = takes.listed()
    yield from failed(area, take)
    yield from licences(area)


def failed(area, take):
    """The take taken up again, with a picture that was damaged meanwhile."""
    (take.folder.path / "inputs/lineart/0003.png").write_bytes(b"\x89PNG\r\n\x1a\n damaged")
    for path in (*take.folder.outputs.rglob("*.png"), *take.folder.state_folder.iterdir()):
        path.unlink()
    with studio.override(area, "UI"):
        bpy.ops.pegbar.finish_take("INVOKE_DEFAULT", folder=str(take.folder.path))
    last = run.latest("flat")
    yield from ended(last, 100)
    assert (last.phase, last.error) == ("failed", errors.INPUT_UNREADABLE), (last.phase, last.error, last.text)
    yield from look(area, "1_failed", 1.0)
    with studio.override(area, "UI"):
        bpy.ops.pegbar.copy_report("INVOKE_DEFAULT", pipeline="flat")
    text = bpy.context.window_manager.clipboard
    assert text.startswith(errors.INPUT_UNREADABLE) and "Blender 5.2" in text
    (studio.OUT / "report.txt").write_text(text)
    last.error, last.text = (
        errors.DISK_FULL,
        f"The disk of {studio.OUT} is full: free some space and go on; frames already written are safe",
    )
    yield from look(area, "2_remedy", 0.8)


def licences(area):
    """The last panel, open."""
    pbgui.click(HEADER)
    yield 0.5
    with studio.override(area, "UI"):
        bpy.ops.pegbar.licence_report("INVOKE_DEFAULT")
    assert "may be used commercially" in bpy.data.texts["Pegbar Licences"].as_string()
    yield from look(area, "3_licences", 1.0)


pbgui.play(main())
