"""Pegbar's engine: runs pipelines on job folders, as a process of its own. Imports nothing."""

__version__ = "0.1.0"
