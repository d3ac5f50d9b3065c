"""What is raised on both sides: what the user can act on, and the wish to stop."""

import contextlib
from collections.abc import Iterator

LONGEST = 1000
"""Characters of a sentence."""


class PegbarError(Exception):
    """Something that the user can act on: its text is one sentence that says what, why and what to do; `id` is its entry in `errors`."""

    def __init__(self, text: str, id: str = "") -> None:
        super().__init__(sentence(text))
        self.id = id


def sentence(text: str) -> str:
    """A text as one line that can be read: what a damaged file says of itself may be long and of any characters."""
    short = text if len(text) <= LONGEST else f"{text[: LONGEST // 2]} … {text[-LONGEST // 2 :]}"
    return "".join(character if character.isprintable() else " " for character in short)


@contextlib.contextmanager
def known_as(id: str) -> Iterator[None]:
    """Gives a PegbarError that is raised inside and has no entry of its own this one: what fails there, whatever it is, is met so."""
    try:
        yield
    except PegbarError as error:
        error.id = error.id or id
        raise


class Cancelled(Exception):
    """The other side asked this job to stop; what is written stays."""
