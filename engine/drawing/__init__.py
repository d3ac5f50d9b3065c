"""Lines and colours: numpy, scipy, scikit-image, skia; no torch, no bpy."""
