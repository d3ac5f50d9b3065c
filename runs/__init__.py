"""What is between a click and a result: requests, runs, takes and the one engine of this Blender. Panels show it, operators steer it."""

from . import engine, models, preview, run, takes


def register() -> None:
    engine.register()
    run.register()
    takes.register()


def unregister() -> None:
    takes.unregister()
    run.unregister()
    engine.unregister()
    preview.unregister()
    models.look_again()
