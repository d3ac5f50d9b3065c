"""The catalog of what can go wrong: for each number what happened, why, and what to press. Standard library only.

A PegbarError says it in its own words, with its values; its `id` leads here and to docs/errors.md, which is `page()`.
"""

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Entry:
    """One kind of failure, in the artist's words."""

    id: str
    what: str
    why: str
    press: str


OUT_OF_MEMORY = "PB-E01"
DISK_FULL = "PB-E02"
DOWNLOAD_STOPPED = "PB-E03"
MODEL_DAMAGED = "PB-E04"
DRIVER_TOO_OLD = "PB-E05"
NO_DEVICE = "PB-E06"
FILE_UNSAVED = "PB-E10"
PLACE_REFUSED = "PB-E11"
LICENCE = "PB-E12"
IN_USE = "PB-E13"
ENGINE_MISSING = "PB-E14"
ENGINE_LOST = "PB-E15"
ENGINE_OTHER = "PB-E16"
MODEL_MISSING = "PB-E17"
MODEL_UNSAFE = "PB-E18"
INPUT_UNREADABLE = "PB-E19"
INPUT_UNFIT = "PB-E20"
SETTING = "PB-E21"
TAKE_DAMAGED = "PB-E22"
TAKE_NEWER = "PB-E23"
RESULT_UNPLACED = "PB-E24"
SOURCE_GONE = "PB-E25"
ENGINE_PLAIN = "PB-E26"
OFFLINE = "PB-E27"
NOT_RESTORED = "PB-E28"
BUG = "PB-E99"

_ENTRIES = (
    Entry(
        OUT_OF_MEMORY,
        "There was not enough memory.",
        "The model and the frames of this shot need more than the graphics card, or the computer, had free. Other programs, and Blender's own "
        "viewport, take their share.",
        "*Try Again with Less Memory*: the take goes on in a way that is slower and needs less. If that is not offered or not enough: close "
        "other programs, work at a smaller size, or make the shot shorter. Finished frames stay.",
    ),
    Entry(
        DISK_FULL,
        "The disk is full.",
        "A take, a model or the engine did not fit on the disk that it is written to.",
        "Free some space and press *Try Again*, or *Choose Folder* to keep takes or models on another disk. Finished frames stay.",
    ),
    Entry(
        DOWNLOAD_STOPPED,
        "A download stopped.",
        "The server does not answer, or the connection was lost. What has come so far is kept.",
        "*Continue*. If the server stays away, import the files by hand.",
    ),
    Entry(
        MODEL_DAMAGED,
        "A model's file is damaged, incomplete or another one.",
        "It was cut off on its way, changed on the disk, or is a file of another model or another size of it. The sentence names the file.",
        "*Repair Model* checks the files and fetches anew what is damaged; one that came by hand has to be got again. Then *Try Again*.",
    ),
    Entry(
        DRIVER_TOO_OLD,
        "The graphics card's driver is too old for this engine.",
        "The engine's libraries need a newer one than is installed.",
        "Update the driver from its maker's page and start the computer anew; or set *Device* to *Processor* in the preferences.",
    ),
    Entry(
        NO_DEVICE,
        "The device that is set is not there.",
        "The preferences name a graphics card, and the engine finds none that it can use: there is none, its driver is missing, or the engine "
        "was installed for another make.",
        "*Set Up Engine…*, and choose *Automatic* or *Processor* under *Device*. *Flat* and *Liven* need no graphics card.",
    ),
    Entry(
        FILE_UNSAVED,
        "The file is not saved, so takes have no place.",
        "Takes lie beside the .blend. Until it is saved they go into your user folder, and that cannot be written.",
        "*Save…*, or choose a *Takes Folder* in the preferences.",
    ),
    Entry(
        PLACE_REFUSED,
        "A folder cannot be written or read.",
        "It is gone, write-protected, on a drive that is not connected, or its path is too long. The sentence says which.",
        "*Choose Folder*, or make the folder writable and press *Try Again*.",
    ),
    Entry(
        LICENCE,
        "A model's licence has not been accepted, or forbids this use.",
        "Its authors allow only some uses, research for instance. Pegbar asks once, and remembers.",
        "Read the terms on the model's card, and accept them there if your use is allowed; else choose another method.",
    ),
    Entry(
        IN_USE,
        "Another Pegbar is working on this.",
        "A second Blender, or a command line, holds the take or the folder.",
        "Wait until it is done, or stop it there; then *Try Again*.",
    ),
    Entry(
        ENGINE_MISSING,
        "The engine is not set up, or cannot be started.",
        "Pegbar runs its methods in a Python of its own, and there is none where it is looked for, or it ends at once.",
        "*Set Up Engine…*",
    ),
    Entry(
        ENGINE_LOST,
        "The engine closed unexpectedly, or does not answer.",
        "It ran out of memory and the system ended it, a driver failed, or it hangs. Every frame that was finished is whole.",
        "*Restart and Continue*, or *Try Again*: it goes on after the last finished frame.",
    ),
    Entry(
        ENGINE_OTHER,
        "The engine is of another version than the add-on.",
        "One of them was updated without the other.",
        "*Set Up Engine…*, and update what the sentence names.",
    ),
    Entry(
        MODEL_MISSING,
        "A model that this method needs is not on this computer.",
        "Published models are large and not part of Pegbar. The sentence names the file, its size and where it is published.",
        "*Download Model*, or get it by the steps on the model's card in the panel, then *Try Again*.",
    ),
    Entry(
        MODEL_UNSAFE,
        "A model's file holds more than weights and was not opened.",
        "A checkpoint of this kind can carry a program, which would run with your rights. Pegbar reads plain weights alone and ran nothing.",
        "Delete the file and get it from the model's authors.",
    ),
    Entry(
        INPUT_UNREADABLE,
        "A picture or drawing cannot be read.",
        "Its file is gone, damaged, of another kind, too large, or no file at all. The sentence names it.",
        "Put it back or export it again, then run the shot anew.",
    ),
    Entry(
        INPUT_UNFIT,
        "The method cannot work with this drawing, strip or shot.",
        "There is nothing drawn on it, its pictures do not go together, or the shot is longer or shorter than the method takes.",
        "Change what the sentence names, then run the shot anew.",
    ),
    Entry(
        SETTING,
        "A setting has a value that it cannot take.",
        "It came from an older take, another version or a script.",
        "Change what the sentence names, then run the shot anew.",
    ),
    Entry(
        TAKE_DAMAGED,
        "A take's files are damaged or were tampered with.",
        "Its request cannot be read, or names a file outside the take's own folder. Nothing was run.",
        "Delete the take, and run the shot anew.",
    ),
    Entry(
        TAKE_NEWER,
        "The take was made by a newer Pegbar.",
        "This one does not know all that is in it.",
        "Update Pegbar.",
    ),
    Entry(
        RESULT_UNPLACED,
        "The result could not be put on the timeline.",
        "The scene, the drawing or the channel that it belongs to is not there any more, or has no room. The take is whole.",
        "Change what the sentence names, then *Apply* the take.",
    ),
    Entry(
        SOURCE_GONE,
        "What the shot is made from cannot be read.",
        "A strip, drawing, layer, camera or scene was deleted, renamed or hidden while it was wanted.",
        "Undo that, or choose another, then *Try Again*.",
    ),
    Entry(
        ENGINE_PLAIN,
        "This method needs the diffusion engine.",
        "The engine that is set up has the small core alone: it runs *Flat* and *Liven*, and lacks the libraries for published models.",
        "*Set Up Engine…*",
    ),
    Entry(
        OFFLINE,
        "Blender is set to work offline.",
        "Something is to be fetched, and *Allow Online Access* is off. What is installed works without it.",
        "Allow online access in Blender's preferences under *System*, or install from files.",
    ),
    Entry(
        NOT_RESTORED,
        "This picture has no settings of Pegbar in it.",
        "It was not made by Pegbar, or another program has saved it since and left them out.",
        "Choose a picture from a take's folder, or restore from the take itself.",
    ),
    Entry(
        BUG,
        "Pegbar made a mistake.",
        "This is a fault in Pegbar, not in what you did. Finished frames are safe.",
        "*Copy Report* or *Collect Diagnostics…*, and send it to the makers; *Try Again* may help meanwhile.",
    ),
)
CATALOG = {entry.id: entry for entry in _ENTRIES}


def anchor(id: str) -> str:
    """Where docs/errors.md speaks of an error."""
    return id.lower()


def page() -> str:
    """The text of docs/errors.md."""
    return "\n".join(_lines())


def _lines() -> Iterator[str]:
    yield "# What went wrong, and what to press\n"
    yield "Pegbar says what happened in one sentence and gives it a number. *Copy Report* and *Collect Diagnostics…* name the number too."
    yield "Neither holds your prompts.\n"
    for entry in _ENTRIES:
        yield f'<a id="{anchor(entry.id)}"></a>\n'
        yield f"## {entry.id}: {entry.what.removesuffix('.')}\n"
        yield f"**Why.** {entry.why}\n"
        yield f"**What to press.** {entry.press}\n"
