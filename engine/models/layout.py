"""Which of the files that lie together make up a checkpoint: the same rule for a repository and for a folder of the user's."""

import re
from collections.abc import Sequence
from pathlib import PurePosixPath

from ..errors import MODEL_DAMAGED
from ..protocol import PegbarError
from ..spec import Weights

_FORMS = ((".safetensors", ""), (".safetensors", ".fp16"), (".bin", ""), (".bin", ".fp16"))
"""The forms in which the tensors of a folder are published, the best first, as the pipelines look for them."""
_TENSORS = re.compile(
    r"(?:diffusion_pytorch_model|pytorch_model|model)(\.\w+)?(?:-\d+-of-\d+)?(\.\w+)?(\.safetensors|\.bin)(?:\.index\.json)?"
)
_SETTINGS = (".json", ".txt", ".model")
_INDEX = ".index.json"


def chosen(weights: Weights, listed: Sequence[str]) -> dict[str, str]:
    """Of the files listed those that make up a checkpoint: their paths by what they are called in it; empty where there is none.

    Raises PegbarError where a path leads out of the folder.
    """
    if odd := [path for path in listed if PurePosixPath(path).is_absolute() or ".." in PurePosixPath(path).parts or "\\" in path]:
        raise PegbarError(f"{weights.page} lists {odd[0]!r}, which lies outside of it: nothing was fetched", MODEL_DAMAGED)
    tops = {str(parent) for path in listed for parent in PurePosixPath(path).parents}
    for top in sorted(tops, key=lambda top: (len(PurePosixPath(top).parts), top)):
        found = [under(PurePosixPath(top), name, listed) for name in weights.files]
        if found and all(found):
            return {file: path for part in found for file, path in part.items()}
    return {}


def under(top: PurePosixPath, name: str, listed: Sequence[str]) -> dict[str, str]:
    """A file, or the settings and the tensors in their best form of a folder."""
    if str(top / name) in listed:
        return {name: str(top / name)}
    inner = {PurePosixPath(path).name: path for path in listed if PurePosixPath(path).parent == top / name}
    forms = {file: (match[3], match[1] or match[2] or "") for file in inner if (match := _TENSORS.fullmatch(file))}
    best = next((form for form in _FORMS if form in {forms[file] for file in forms if not file.endswith(_INDEX)}), None)
    taken = [file for file in inner if (forms[file] == best if file in forms else file.endswith(_SETTINGS))]
    if not best and name == "":
        return {}
    return {f"{name}/{file}".lstrip("/"): inner[file] for file in sorted(taken)}
