"""One folder a pipeline: its SPEC in `__init__` (standard library only), its work in `pipeline`."""
