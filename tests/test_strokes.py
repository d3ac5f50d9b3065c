"""The strokes' file: what is saved comes back, and nothing else is taken for it."""

import io
import json
import zipfile
from dataclasses import fields, replace

import numpy as np
import pytest
from pegbar.engine.protocol import PegbarError
from pegbar.engine.strokes import BEZIER, CATMULL_ROM, Strokes


@pytest.fixture
def strokes():
    """Two strokes of three points and one, on two layers."""
    rng = np.random.default_rng(0)
    return Strokes(
        size=(1920, 1080),
        points=rng.random((4, 2)) * 1000,
        depth=rng.random(4),
        handles=rng.random((4, 2, 2)) * 1000,
        widths=rng.random(4, np.float32),
        opacity=rng.random(4, np.float32),
        offsets=np.int32([0, 3, 4]),
        curve_type=np.uint8([CATMULL_ROM, BEZIER]),
        cyclic=np.array([True, False]),
        line_colour=rng.random((2, 4), np.float32),
        fill_colour=rng.random((2, 4), np.float32),
        layer=np.int32([0, 1]),
        material=np.int32([0, -1]),
        source=np.int32([5, 0]),
        layers=("Lines", "Füße 脚"),
        matrices=rng.random((2, 4, 4)),
        materials=("Ink",),
        drawing=24,
        layer_opacity=(1.0, 0.5),
    )


def assert_same(one, other):
    for field in fields(Strokes):
        a, b = getattr(one, field.name), getattr(other, field.name)
        assert type(a) is type(b)
        if isinstance(a, np.ndarray):
            assert a.dtype == b.dtype and a.shape == b.shape and (a == b).all()
        else:
            assert a == b


def test_what_is_saved_comes_back_bit_by_bit(strokes, tmp_path):
    path = tmp_path / "a b – ü.npz"
    strokes.save(path)
    assert_same(Strokes.load(path), strokes)
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def test_the_same_strokes_give_the_same_bytes(strokes):
    """So that frames on end that show the same drawing can share a file."""
    assert strokes.to_bytes() == replace(strokes, points=strokes.points.copy()).to_bytes()
    assert strokes.to_bytes() != replace(strokes, points=np.nextafter(strokes.points, 0)).to_bytes()


def test_an_empty_drawing_comes_back(strokes, tmp_path):
    none = {f.name: getattr(strokes, f.name)[:0] for f in fields(Strokes) if isinstance(getattr(strokes, f.name), np.ndarray)}
    empty = replace(strokes, **none, layers=(), materials=(), layer_opacity=())
    empty = replace(empty, offsets=np.int32([0]))
    empty.save(tmp_path / "empty.npz")
    assert_same(Strokes.load(tmp_path / "empty.npz"), empty)


def test_a_missing_file_is_said_with_its_name(tmp_path):
    with pytest.raises(PegbarError, match=r"gone\.npz cannot be read \(No such file or directory\): read the drawing again"):
        Strokes.load(tmp_path / "gone.npz")


def test_no_damage_to_a_file_is_anything_but_one_sentence(strokes, tmp_path):
    """Cut off and spoilt everywhere: strokes or a PegbarError, never another exception."""
    whole, rng, path = strokes.to_bytes(), np.random.default_rng(0), tmp_path / "spoilt.npz"
    spoilt = [whole[:cut] for cut in range(0, len(whole), 97)]
    for _ in range(200):
        data = bytearray(whole)
        for at in rng.integers(0, len(whole), 3):
            data[at] ^= int(rng.integers(1, 256))
        spoilt.append(bytes(data))
    refused = 0
    for data in spoilt:
        path.write_bytes(data)
        try:
            Strokes.load(path).check()
        except PegbarError as error:
            refused += 1
            assert str(error).startswith(str(path)) and "read the drawing again" in str(error) and "\n" not in str(error)
    assert refused > len(spoilt) / 2


@pytest.mark.parametrize("data", [b"", b"not a drawing", b"PK\x03\x04"])
def test_another_file_is_not_taken_for_a_drawing(tmp_path, data):
    (tmp_path / "a.npz").write_bytes(data)
    with pytest.raises(PegbarError, match="is not a drawing's file or is damaged"):
        Strokes.load(tmp_path / "a.npz")


def test_a_file_never_runs_code(tmp_path):
    """Objects in an array would be unpickled, and a take may come from anybody."""
    np.savez(tmp_path / "a.npz", names=np.array([{"size": (1, 1)}], dtype=object))
    with pytest.raises(PegbarError, match="is not a drawing's file"):
        Strokes.load(tmp_path / "a.npz")


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"widths": np.zeros(3, np.float32)}, "widths is (3,), not (4,)"),
        ({"handles": np.zeros((4, 2))}, "handles is (4, 2), not (4, 2, 2)"),
        ({"offsets": np.int32([0, 3, 5])}, "offsets do not run"),
        ({"offsets": np.int32([0, 5, 4])}, "offsets do not run"),
        ({"layer": np.int32([0, 2])}, "a stroke is on no layer"),
        ({"layer": np.int32([0, -1])}, "a stroke is on no layer"),
        ({"size": (0, 1080)}, "its size is 0x1080"),
        ({"widths": np.array(["wide"] * 4)}, "widths holds no numbers but <U4"),
        ({"layer_opacity": (1.0,)}, "1 layers have an opacity, not 2"),
    ],
)
def test_arrays_that_do_not_fit_together_are_refused(strokes, tmp_path, changed, words):
    wrong = replace(strokes, **changed)
    with pytest.raises(ValueError) as refusal:
        wrong.check()
    assert words in str(refusal.value)
    wrong.save(tmp_path / "a.npz")
    with pytest.raises(PegbarError) as told:
        Strokes.load(tmp_path / "a.npz")
    assert words in str(told.value)


def test_a_field_that_is_missing_is_refused(strokes, tmp_path):
    with zipfile.ZipFile(io.BytesIO(strokes.to_bytes())) as whole, zipfile.ZipFile(tmp_path / "a.npz", "w") as part:
        for name in whole.namelist():
            if name != "widths.npy":
                part.writestr(name, whole.read(name))
    with pytest.raises(PegbarError, match="widths"):
        Strokes.load(tmp_path / "a.npz")


def test_names_are_plain_json(strokes):
    with np.load(io.BytesIO(strokes.to_bytes())) as file:
        assert json.loads(bytes(file["names"]))["layers"] == ["Lines", "Füße 脚"]
