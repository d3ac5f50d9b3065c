"""The window that the demo's .blend opens with: the shot through its camera, the sequencer's picture beside it, the strips below."""

import bpy


def arrange(scene: bpy.types.Scene) -> None:
    """Shows a scene and its sequencer in the one window."""
    window = bpy.context.window
    window.scene = scene
    camera = next(area for area in window.screen.areas if area.type == "VIEW_3D")
    strips = _split(window, camera, "HORIZONTAL", 0.3)
    picture = _split(window, camera, "VERTICAL", 0.5)
    strips.type = picture.type = "SEQUENCE_EDITOR"
    picture.spaces.active.view_type = "PREVIEW"
    if hasattr(window.workspace, "sequencer_scene"):
        window.workspace.sequencer_scene = scene
    view = camera.spaces.active
    view.region_3d.view_perspective = "CAMERA"
    view.region_3d.view_camera_zoom = 24
    view.overlay.show_overlays = False
    view.shading.background_type = "VIEWPORT"
    view.shading.background_color = (1, 1, 1)


def _split(window: bpy.types.Window, area: bpy.types.Area, direction: str, factor: float) -> bpy.types.Area:
    """The area that is cut off from another one."""
    before = set(window.screen.areas)
    with bpy.context.temp_override(window=window, area=area, region=area.regions[-1]):
        bpy.ops.screen.area_split(direction=direction, factor=factor)
    return next(made for made in window.screen.areas if made not in before)
