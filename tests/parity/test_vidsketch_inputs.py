"""The abstraction of real drawings, against what the authors' code measured on these files."""

import json

import numpy as np
import pytest
from pegbar.engine.pipelines.vidsketch.abstraction import measured
from PIL import Image

from .conftest import SHARED
from .golden import REPORT


def test_real_sequences_are_measured_as_by_the_authors():
    folder = SHARED / "inputs/vidsketch_sketches"
    if not folder.is_dir():
        pytest.skip(f"REAL SKETCHES NOT COMPARED: there is no {folder} beside this clone")
    sequences = json.loads((folder / "prompts.json").read_bytes())
    count = 0
    for name, sequence in sequences.items():
        for file, wanted in sequence["scores"].items():
            with Image.open(folder / name / file) as image:
                found = measured(np.asarray(image.convert("L")))
            for field, value in wanted.items():
                assert getattr(found, field) == pytest.approx(value, abs=1e-9), (name, file, field)
            count += 1
    assert count
    REPORT.append(f"ok      real drawings: {count} in {len(sequences)} sequences, scores within 1e-9")
