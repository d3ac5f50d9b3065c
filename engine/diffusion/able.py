"""`python -m engine.diffusion.able` says in one line of JSON what PyTorch can run on here: the set-up's last question."""

import json
import os

import torch

from .memory import device_of


def able() -> dict[str, str]:
    """The device that `auto` stands for, after it has multiplied two matrices, and its words."""
    import diffusers  # noqa: F401 - that they load is part of the answer
    import sentencepiece  # noqa: F401
    import transformers  # noqa: F401

    device = device_of("auto")
    ones = torch.ones(64, 64, device=device)
    assert float((ones @ ones)[0, 0].cpu()) == 64.0
    return {"device": device.type, "text": words(device)}


def words(device: torch.device) -> str:
    """`NVIDIA RTX 4070, 12 GB`, `Apple GPU`, `processor, 8 cores`."""
    if device.type == "cuda":
        properties = torch.cuda.get_device_properties(device)
        return f"{properties.name}, {round(properties.total_memory / 2**30)} GB"
    return "Apple GPU" if device.type == "mps" else f"processor, {os.cpu_count()} cores"


if __name__ == "__main__":
    print(json.dumps(able()))
