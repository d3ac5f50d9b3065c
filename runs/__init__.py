"""What is between a click and a result: requests, runs, takes and the one engine of this Blender. Panels show it, operators steer it."""

import atexit

from . import engine, run, takes


def register() -> None:
    # without a window Blender ends without unregistering: the worker is ended, and 4.5 hangs over handlers that it finds then
    atexit.register(unregister)
    engine.register()
    run.register()
    takes.register()


def unregister() -> None:
    atexit.unregister(unregister)
    takes.unregister()
    run.unregister()
    engine.unregister()
