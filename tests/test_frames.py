"""Image files and movies to arrays and back."""

import io
import struct
import zlib

import numpy as np
import pytest
from pegbar.engine.drawing.frames import Frames, encode_png, image_size, read_image, read_movie, write_mp4
from pegbar.engine.protocol import InputFile, JobFolder, PegbarError
from PIL import Image

LEVELS = (np.arange(256, dtype=np.float32) / np.float32(255)).reshape(16, 16)
RAMP = np.arange(0, 256, 17, dtype=np.uint8).reshape(4, 4)


def png_of_16_bits(values, colour_type):
    """A PNG, since Pillow writes no 16-bit colour."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    header = struct.pack(">IIBBBBB", values.shape[1], values.shape[0], 16, colour_type, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def save(path, picture, **options):
    picture.save(path, **options)
    return path


@pytest.mark.parametrize("channels", [None, 1, 3, 4])
def test_a_png_gives_back_every_8_bit_value(tmp_path, channels):
    image = LEVELS if channels is None else np.stack([LEVELS[::-1] if c == 1 else LEVELS for c in range(channels)], axis=2)
    (tmp_path / "a.png").write_bytes(encode_png(image))
    back = read_image(tmp_path / "a.png")
    assert back.dtype == np.float32 and back.shape == (16, 16, 4)
    wanted = np.broadcast_to(image.reshape(16, 16, -1), (16, 16, 3)) if channels in (None, 1) else image
    assert (back[..., : wanted.shape[2]] == wanted).all()
    assert channels == 4 or (back[..., 3] == 1).all()


def test_values_out_of_range_are_clipped_and_nan_is_black(tmp_path):
    (tmp_path / "a.png").write_bytes(encode_png(np.array([[-1.0, 2.0, np.nan, np.inf, -np.inf, 0.5]])))
    assert (read_image(tmp_path / "a.png")[0, :, 0] * 255).round().tolist() == [0, 255, 0, 255, 0, 128]


def test_the_same_image_gives_the_same_bytes_and_keeps_its_text():
    text = {"pegbar": "take 3 – Füchse", "seed": "4711"}
    data = encode_png(LEVELS, text)
    assert data == encode_png(LEVELS.copy(), text)
    assert Image.open(io.BytesIO(data)).text == text


@pytest.mark.parametrize(
    ("picture", "wanted"),
    [
        (Image.fromarray(RAMP), np.stack([RAMP, RAMP, RAMP, RAMP * 0 + 255], 2)),
        (Image.fromarray(np.stack([RAMP, RAMP[::-1]], 2), "LA"), np.stack([RAMP, RAMP, RAMP, RAMP[::-1]], 2)),
        (Image.fromarray(RAMP > 100), np.stack([(RAMP > 100) * 255] * 3 + [RAMP * 0 + 255], 2)),
        (Image.fromarray(np.stack([RAMP, RAMP[::-1], RAMP.T], 2)), np.stack([RAMP, RAMP[::-1], RAMP.T, RAMP * 0 + 255], 2)),
    ],
    ids=["grey", "grey with alpha", "two colours", "colour"],
)
def test_pngs_of_every_mode_are_read(tmp_path, picture, wanted):
    assert (read_image(save(tmp_path / "a.png", picture)) * 255).round().tolist() == wanted.tolist()


def test_a_palette_with_transparency_is_read(tmp_path):
    picture = Image.new("P", (3, 1))
    picture.putpalette([10, 20, 30, 40, 50, 60, 70, 80, 90])
    picture.putdata([0, 1, 2])
    back = read_image(save(tmp_path / "a.png", picture, transparency=bytes([255, 128, 0])))
    assert (back * 255).round().tolist() == [[[10, 20, 30, 255], [40, 50, 60, 128], [70, 80, 90, 0]]]


@pytest.mark.parametrize(("colour_type", "channels"), [(0, 1), (2, 3), (4, 2), (6, 4)])
def test_16_bits_are_scaled_right(tmp_path, colour_type, channels):
    values = np.linspace(0, 65535, 8 * channels).astype(np.uint16).reshape(2, 4, channels)
    (tmp_path / "a.png").write_bytes(png_of_16_bits(values, colour_type))
    back = read_image(tmp_path / "a.png")
    precision = 1 / 255 if colour_type == 4 else 1e-6  # grey with alpha keeps 8 bits
    assert back[..., 0] == pytest.approx(values[..., 0] / 65535, abs=precision)
    assert back[..., 3] == pytest.approx(values[..., -1] / 65535 if channels in (2, 4) else 1, abs=precision)


@pytest.mark.parametrize(("suffix", "options"), [("jpg", {"quality": 95}), ("tif", {}), ("webp", {"lossless": True}), ("bmp", {})])
def test_other_formats_are_read(tmp_path, suffix, options):
    picture = Image.new("RGB", (32, 16), (200, 100, 50))
    back = read_image(save(tmp_path / f"a.{suffix}", picture, **options))
    assert back.shape == (16, 32, 4)
    assert np.abs(back * 255 - (200, 100, 50, 255)).max() < 3


def test_a_photograph_stands_upright(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # turned a quarter to the right to stand upright
    picture = Image.new("RGB", (40, 20), "white")
    picture.paste("black", (0, 0, 20, 20))
    path = save(tmp_path / "a.jpg", picture, exif=exif)
    back = read_image(path)
    assert back.shape == (40, 20, 4) and image_size(path) == (20, 40)
    assert back[:15].max() == 1 and back[:15, :, :3].max() < 0.1 and back[25:, :, :3].min() > 0.9


def test_no_damage_to_a_file_is_anything_but_one_sentence(tmp_path):
    """Cut off and spoilt at many places, in every format: a picture or a PegbarError, never another exception."""
    rng = np.random.default_rng(0)
    picture = Image.fromarray(rng.integers(0, 255, (40, 60, 3), np.uint8))
    refused = 0
    for suffix in ("png", "jpg", "tif", "webp", "bmp"):
        whole = save(tmp_path / f"whole.{suffix}", picture).read_bytes()
        spoilt = [whole[:cut] for cut in rng.integers(0, len(whole), 20)]
        for _ in range(20):
            data = bytearray(whole)
            for at in rng.integers(0, len(whole), 4):
                data[at] ^= int(rng.integers(1, 256))
            spoilt.append(bytes(data))
        for data in spoilt:
            path = tmp_path / f"spoilt.{suffix}"
            path.write_bytes(data)
            try:
                assert read_image(path).shape[2] == 4
            except PegbarError as error:
                assert str(path) in str(error) and "\n" not in str(error)
                refused += 1
    assert refused > 60


def test_what_is_wrong_with_a_file_is_said_with_its_name_and_the_remedy(tmp_path):
    (tmp_path / "empty.png").write_bytes(b"")
    (tmp_path / "text.png").write_text("not a picture")
    (tmp_path / "cut.png").write_bytes(encode_png(np.random.default_rng(0).random((64, 64, 3)))[:3000])
    for name, words in {
        "empty.png": "is empty: export it again",
        "text.png": "is no picture that can be read: export it again as PNG",
        "cut.png": "is damaged .*: export it again",
        "gone.png": "is not there: put it back or choose another file",
        ".": "is not there|is no picture",
    }.items():
        with pytest.raises(PegbarError, match=words) as refusal:
            read_image(tmp_path / name)
        assert str(tmp_path / name) in str(refusal.value)


def test_a_picture_of_too_many_pixels_is_refused_before_it_is_decoded(tmp_path):
    save(tmp_path / "huge.png", Image.new("1", (8193, 8193)))
    with pytest.raises(PegbarError, match="8193x8193 pixels"):
        read_image(tmp_path / "huge.png")


def test_frames_are_read_when_asked_for_by_their_numbers(tmp_path):
    folder = JobFolder.create(tmp_path)
    files = []
    for index, number in enumerate((24, 8, 16), 1):
        name = folder.input_file("image", index, ".png")
        folder.file(name).write_bytes(encode_png(np.full((4, 6), number / 255)))
        files.append(InputFile(number, name))
    files.append(InputFile(9, files[1].file))
    frames = Frames(folder, tuple(files))
    assert frames.numbers == tuple(frames) == (8, 9, 16, 24)
    assert len(frames) == 4 and 9 in frames and 10 not in frames
    assert [round(frames[number][0, 0, 0] * 255) for number in frames] == [8, 8, 16, 24]
    assert frames.file(8) == frames.file(9)
    folder.file(files[0].file).unlink()
    assert frames[16].shape == (4, 6, 4)
    with pytest.raises(PegbarError, match="is not there"):
        frames[24]
    with pytest.raises(PegbarError, match="twice"):
        Frames(folder, (files[0], files[0]))


def test_a_movie_comes_back_frame_by_frame(tmp_path):
    colours = [(1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 1, 1)]
    write_mp4(tmp_path / "a.mp4", (np.broadcast_to(np.float32(colour), (35, 51, 3)) for colour in colours), 24)
    back = list(read_movie(tmp_path / "a.mp4"))
    assert [frame.shape for frame in back] == [(36, 52, 4)] * 4  # the format wants even sizes
    assert all(np.abs(frame[..., :3] - colour).max() < 0.05 for frame, colour in zip(back, colours, strict=True))


def test_a_movie_lies_on_white_and_refuses_what_cannot_be(tmp_path):
    clear = np.zeros((16, 16, 4), np.float32)
    write_mp4(tmp_path / "a.mp4", [clear, clear], 23.976)
    assert all(frame.min() > 0.98 for frame in read_movie(tmp_path / "a.mp4"))
    with pytest.raises(PegbarError, match="no frames"):
        write_mp4(tmp_path / "b.mp4", [], 24)
    with pytest.raises(PegbarError, match="cannot be written"):
        write_mp4(tmp_path / "no" / "b.mp4", [clear], 24)
    (tmp_path / "c.mp4").write_bytes(b"not a movie")
    with pytest.raises(PegbarError, match=r"c\.mp4 is no movie"):
        list(read_movie(tmp_path / "c.mp4"))
    with pytest.raises(PegbarError, match="is not there"):
        list(read_movie(tmp_path / "gone.mp4"))
