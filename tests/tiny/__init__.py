"""Tiny random checkpoints in the layouts that the authors publish: `python -m tests.tiny PIPELINE FOLDER` writes one."""
