"""Sets the engine up: gets uv, a Python and locked wheels, makes an environment beside the old one, and tests it before it counts.

Standard library only, and no bpy: Blender starts it in a process of its own (`python -m engine.setup`), since there is no engine yet.
"""
