"""Pegbar: 2D animation pipelines for Grease Pencil and the Video Sequencer. Imports nothing until Blender registers it."""
