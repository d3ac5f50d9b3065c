"""Watches a batch of damaged files: none may hang a reader, or have it take much memory."""

import faulthandler
import resource
from collections.abc import Iterator
from contextlib import contextmanager

HANG_S = 60
MOST_GROWTH = 600 << 20


@contextmanager
def watched() -> Iterator[None]:
    """Ends a batch that hangs, and holds that it takes no more memory than it should."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    faulthandler.dump_traceback_later(HANG_S, exit=True)
    yield
    faulthandler.cancel_dump_traceback_later()
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024 < MOST_GROWTH
