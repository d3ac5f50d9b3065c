"""Pegbar: 2D animation pipelines for Grease Pencil and the Video Sequencer. Imports nothing until Blender registers it."""


def register() -> None:
    from . import operators, panels, preferences, runs, settings

    for module in (preferences, settings, runs, operators, panels):
        module.register()


def unregister() -> None:
    from . import operators, panels, preferences, runs, settings

    for module in (panels, operators, runs, settings, preferences):
        module.unregister()
