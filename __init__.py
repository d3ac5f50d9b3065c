"""Pegbar: 2D animation pipelines for Grease Pencil and the Video Sequencer. Imports nothing until Blender registers it."""


def register() -> None:
    import atexit

    from . import operators, panels, preferences, runs, settings

    # a script ends Blender without unregistering: the worker is to end, and the bpy package of 4.5 hangs over what it then finds
    atexit.register(unregister)
    for module in (preferences, settings, runs, operators, panels):
        module.register()


def unregister() -> None:
    import atexit

    import bpy

    from . import operators, panels, preferences, runs, settings

    atexit.unregister(unregister)
    if not hasattr(bpy.types.Scene, "pegbar"):
        return  # at a script's end Blender disables, after us, what has already left
    for module in (panels, operators, runs, settings, preferences):
        module.unregister()
