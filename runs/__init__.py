"""What is between a click and a result: requests, runs, takes and the one engine of this Blender. Panels show it, operators steer it."""

from . import engine, fetching, forecast, models, preview, run, setup, takes


def register() -> None:
    engine.register()
    setup.register()
    fetching.register()
    run.register()
    takes.register()


def unregister() -> None:
    forecast.unregister()
    takes.unregister()
    run.unregister()
    fetching.unregister()
    setup.unregister()
    engine.unregister()
    preview.unregister()
    models.look_again()
