"""pbgui.py - the script that gui.sh starts with `blender --python pbgui.py -- SCRIPT args`.

It runs SCRIPT in the GUI session.  A script that needs time writes a generator that
yields seconds and hands it to play():

    import bpy, pbgui
    def main():
        area = pbgui.editor('VIEW_3D')
        yield 0.5                                  # let Blender draw
        pbgui.tab(area, 'Pegbar')
        yield 0.5
        pbgui.shot('panel')                        # -> $PB_OUT/panel.png
        assert 'pegbar' in dir(bpy.ops)
    pbgui.play(main())                             # quits with 0, or 1 after a traceback
"""

import contextlib
import faulthandler
import os
import runpy
import subprocess
import sys
import threading
import time
import traceback

import bpy

OUT = os.environ.get("PB_OUT", ".")
T0 = time.time()
_state = {"played": False}


def log(*a):
    print(f"[pb {time.time() - T0:6.2f}]", *a, flush=True)


def window():
    return bpy.context.window_manager.windows[0]


def quit_(code=0):
    sys.stdout.flush(), sys.stderr.flush()
    if code:
        os._exit(code)  # quit_blender() always answers 0
    prefs = bpy.context.preferences
    prefs.use_preferences_save = False
    with bpy.context.temp_override(window=window()):
        bpy.ops.wm.quit_blender()  # clean: unregisters the add-ons


def play(gen):
    """Step a generator from a timer; it yields seconds to wait."""
    _state["played"] = True

    def step():
        try:
            return max(0.01, float(next(gen) or 0.01))
        except StopIteration:
            log("done")
            quit_(0)
        except BaseException:
            traceback.print_exc()
            with contextlib.suppress(Exception):
                shot("error")
            quit_(1)
        return None

    bpy.app.timers.register(step, first_interval=0.5, persistent=True)


def wait(cond, timeout=60, every=0.1, what="condition"):
    """yield from pbgui.wait(lambda: ...)"""
    t = time.time()
    while not cond():
        if time.time() - t > timeout:
            raise TimeoutError(what)
        yield every


def biggest(win=None):
    return max((win or window()).screen.areas, key=lambda a: a.width * a.height)


def editor(type_, full=False):
    """Turn the biggest area into TYPE_ ('VIEW_3D', 'SEQUENCE_EDITOR', 'PREFERENCES'...)."""
    area = biggest()
    area.type = type_
    if type_ == "SEQUENCE_EDITOR":
        sp = area.spaces.active
        sp.view_type = "SEQUENCER"
        scene = window().scene
        if hasattr(bpy.context.workspace, "sequencer_scene"):  # 5.0+
            window().workspace.sequencer_scene = scene
        if not scene.sequence_editor:
            scene.sequence_editor_create()
    if hasattr(area.spaces.active, "show_region_ui") and type_ != "PREFERENCES":
        area.spaces.active.show_region_ui = True
    if full:
        with bpy.context.temp_override(window=window(), area=area):
            bpy.ops.screen.screen_full_area(use_hide_panels=False)
        area = biggest()
        if hasattr(area.spaces.active, "show_region_ui") and type_ != "PREFERENCES":
            area.spaces.active.show_region_ui = True
    area.tag_redraw()
    return area


def region(area, type_="UI"):
    return next((r for r in area.regions if r.type == type_), None)


def tab(area, name):
    """Make NAME the active tab of the N-panel.  The region must have been drawn once."""
    r = region(area)
    try:
        r.active_panel_category = name  # writable where Blender allows it
    except (AttributeError, TypeError) as ex:
        log("active_panel_category:", ex)
        return False
    area.tag_redraw()
    return r.active_panel_category == name


def redraw():
    with bpy.context.temp_override(window=window()):
        bpy.ops.wm.redraw_timer(type="DRAW_WIN_SWAP", iterations=1)


def click(place):
    """A click at a place of the screen, in pixels from the top left."""
    subprocess.run(["xdotool", "mousemove", *map(str, place), "click", "1"], check=True, timeout=30)


def shot(name, x=True):
    """PNG of the whole screen -> $PB_OUT/NAME.png"""
    path = os.path.join(OUT, name if name.endswith(".png") else name + ".png")
    redraw()
    if x:
        subprocess.run(["import", "-window", "root", path], check=True, timeout=30)
    else:
        with bpy.context.temp_override(window=window()):
            bpy.ops.screen.screenshot(filepath=path)
    log("shot", path, os.path.getsize(path))
    return path


def run_pre():
    pre = os.environ.get("PB_PRE")
    if pre:
        ns = runpy.run_path(pre, run_name="__main__")
        g = ns.get("main")
        if g:
            r = g()
            if hasattr(r, "__next__"):
                yield from r


def shot_editor(kind):
    full = os.environ.get("PB_FULL") == "1"
    tabname = os.environ.get("PB_TAB", "")
    mode = os.environ.get("PB_MODE", "")
    yield from run_pre()
    if mode:
        with bpy.context.temp_override(window=window()):
            bpy.ops.object.mode_set(mode=mode)
    if kind == "prefs":
        prefs = bpy.context.preferences
        prefs.active_section = "ADDONS"
        wm = bpy.context.window_manager
        editor("PREFERENCES", full)
        prefs.active_section = "ADDONS"
        if hasattr(wm, "addon_search"):
            wm.addon_search = os.environ.get("PB_ADDON", "")
        yield 0.8
        mod = os.environ.get("PB_MODULE")
        if mod:
            name = mod if "." in mod else f"bl_ext.user_default.{mod}"
            import addon_utils

            addon_utils.modules(refresh=True)
            with bpy.context.temp_override(window=window()):
                log("expand", name, bpy.ops.preferences.addon_expand(module=name))
    else:
        editor({"view3d": "VIEW_3D", "sequencer": "SEQUENCE_EDITOR"}[kind], full)
        yield 1.0
        if tabname:
            ok = tab(biggest(), tabname)
            log("tab", tabname, ok)
            if not ok:
                raise RuntimeError(f"no N-panel tab named {tabname}")
    yield 1.2
    shot("shot")


def _main():
    argv = sys.argv[sys.argv.index("--") + 1 :]
    faulthandler.enable()
    limit = float(os.environ.get("PB_TIMEOUT", "180"))

    def dog():
        print("[pb] TIMEOUT", flush=True)
        faulthandler.dump_traceback()
        os._exit(124)

    t = threading.Timer(limit, dog)
    t.daemon = True
    t.start()
    prefs = bpy.context.preferences
    prefs.view.show_splash = False
    prefs.view.ui_scale = float(os.environ.get("PB_SCALE", "1") or 1)
    prefs.view.use_save_prompt = False
    prefs.use_preferences_save = False
    sys.modules["pbgui"] = sys.modules["__main__"]
    sys.argv = argv
    script = argv[0]
    sys.path.insert(0, os.path.dirname(script))

    def start():
        try:
            runpy.run_path(script, run_name="__main__")
        except BaseException:
            traceback.print_exc()
            quit_(1)
        if not _state["played"]:
            quit_(0)
        return None

    # after the first draw: a window, a context, the splash decision taken
    bpy.app.timers.register(start, first_interval=1.0)
    log("Blender", bpy.app.version_string, "argv", argv)


if __name__ == "__main__" and "--" in sys.argv:
    _main()
