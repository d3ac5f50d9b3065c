"""The command line: a command makes a take, the same command goes on with it, and stdout and exit code say what came of it."""

import ast
import json
import re
import signal
import subprocess
import sys
import time
import tomllib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pegbar.engine.__main__ import BAD_USAGE, CANCELLED, DONE, FAILED, main
from pegbar.engine.catalog import PIPELINES
from pegbar.engine.commandline import parser, take
from pegbar.engine.drawing.frames import encode_png, read_image, write_mp4
from pegbar.engine.protocol import Done, JobFolder

from . import cartoon
from .conftest import ROOT
from .takes import png, still_take


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    folder = tmp_path / "my pictures"
    folder.mkdir()
    for frame in (9, 10, 11):
        (folder / f"cat_{frame}.png").write_bytes(png(frame))
    (folder / "notes.txt").touch()
    (folder / ".hidden_12.png").touch()
    return folder


def still(pictures: Path, out: Path, *more: str) -> int:
    return main(["still", "--image", str(pictures), "--out", str(out), *more])


def test_an_older_python_can_read_the_file_that_refuses_it():
    ast.parse((ROOT / "engine" / "__main__.py").read_text(), feature_version=(3, 8))


def test_the_engine_and_the_extension_have_one_version(capsys):
    with pytest.raises(SystemExit):
        main(["--version"])
    manifest = tomllib.loads((ROOT / "blender_manifest.toml").read_text())
    assert capsys.readouterr().out.strip() == manifest["version"]


def test_the_installed_engine_has_the_packages_that_the_tests_run_on():
    """The ranges of the package and the pins of the tests name the same distributions."""
    project = tomllib.loads((ROOT / "engine" / "pyproject.toml").read_text())["project"]
    pins = (ROOT / "requirements" / "engine.txt").read_text().splitlines()
    names = {line.split("==")[0] for line in pins if "==" in line}
    assert {re.split("[<>=]", requirement)[0] for requirement in project["dependencies"]} == names


def test_list_shows_every_pipeline_with_inputs_and_outputs(capsys):
    assert main(["list"]) == DONE
    rows = capsys.readouterr().out.splitlines()
    assert [row.split()[0] for row in rows[1:]] == list(PIPELINES)
    assert "lineart..., reference..." in rows[1] and "[clip], [fills], [colour], [lines], notes" in rows[1]


def test_list_says_whose_weights_are_there(tmp_path, capsys):
    def told():
        assert main(["list", "--weights", str(tmp_path)]) == DONE
        return {row.split()[0]: row for row in capsys.readouterr().out.splitlines()}

    before = told()
    assert " none needed " in before["flat"] and " 11.12 GB missing " in before["lvcd"]
    for name in ("svd-fp16.safetensors", "lvcd.ckpt"):
        (tmp_path / name).touch()
    assert " there " in told()["lvcd"]


@pytest.mark.parametrize("spec", PIPELINES.values(), ids=list(PIPELINES))
def test_every_param_and_input_is_an_option_with_its_help(spec, capsys):
    with pytest.raises(SystemExit) as end:
        main([spec.name, "--help"])
    assert end.value.code == DONE
    text = " ".join(capsys.readouterr().out.split())
    for thing in (*spec.params, *spec.inputs):
        assert f"--{thing.name.replace('_', '-')}" in text and thing.help in text
    command = [spec.name, "--out", "x"]
    for wanted in spec.inputs:
        command += [f"--{wanted.name.replace('_', '-')}", "y"]
    options = parser("0").parse_args(command)
    assert {param.name: getattr(options, f"param_{param.name}") for param in spec.params} == {p.name: p.default for p in spec.params}


def test_a_folder_keeps_the_numbers_of_its_files_and_only_the_result_is_on_stdout(pictures, tmp_path, capsys):
    assert still(pictures, tmp_path / "out", "--seed", "5", "--fps", "12") == DONE
    told = capsys.readouterr()
    assert told.out == f"{tmp_path / 'out' / 'outputs'}\n"
    assert "image: 3 frames, numbered 9 to 11 by the numbers in their names" in told.err
    job = JobFolder(tmp_path / "out").read_job()
    assert (job.shot.first, job.shot.last, job.shot.fps, job.seed) == (9, 11, 12.0, 5)
    assert (read_image(tmp_path / "out/outputs/clip/0001.png") == read_image(pictures / "cat_9.png")).all()
    assert len(list((tmp_path / "out/outputs/clip").iterdir())) == 3


def test_a_folder_whose_numbers_have_gaps_is_numbered_in_order_from_first(pictures, tmp_path, capsys):
    (pictures / "cat_10.png").unlink()
    assert still(pictures, tmp_path / "out", "--first", "101") == DONE
    assert "image: 2 frames, numbered 101 to 102 in order" in capsys.readouterr().err
    assert [f.frame for f in JobFolder(tmp_path / "out").state().frames] == [101, 102]


def test_first_and_last_choose_from_numbered_files(pictures, tmp_path):
    assert still(pictures, tmp_path / "out", "--first", "10", "--last", "13", "--step", "2") == DONE
    assert [f.frame for f in JobFolder(tmp_path / "out").state().frames] == [10, 12]


@pytest.mark.parametrize(("more", "last", "end"), [((), 28, 28), (("--last", "12"), 12, 12), (("--last", "12", "--step", "3"), 12, 11)])
def test_a_shot_from_one_picture_has_a_usual_length_and_ends_on_its_end_image(pictures, tmp_path, more, last, end):
    """What `take` makes of a command: no model runs."""
    image, end_image = (str(pictures / f"cat_{n}.png") for n in (9, 10))
    command = ["dropletvideo", f"--image=5={image}", "--end-image", end_image, "--out", str(tmp_path / "out"), *more]
    spec = replace(PIPELINES["dropletvideo"], length=24)
    job = take(spec, parser("0").parse_args(command), print).read_job()
    assert (job.shot.first, job.shot.last) == (5, last)
    assert [file.frame for name in ("image", "end_image") for file in job.inputs[name]] == [5, end]


def test_files_are_given_one_by_one_with_their_frames(pictures, tmp_path):
    files = [f"--image={frame}={pictures / f'cat_{n}.png'}" for frame, n in ((7, 9), (-2, 10))]
    assert main(["still", *files, "--out", str(tmp_path / "out")]) == DONE
    assert [f.frame for f in JobFolder(tmp_path / "out").state().frames] == list(range(-2, 8))


def test_a_movie_is_taken_frame_by_frame(tmp_path):
    shades = [0.2, 0.5, 0.8]
    write_mp4(tmp_path / "clip.mp4", [np.full((32, 32, 3), shade, np.float32) for shade in shades], 24)
    assert still(tmp_path / "clip.mp4", tmp_path / "out") == DONE
    results = sorted((tmp_path / "out/outputs/clip").iterdir())
    assert [round(float(read_image(path)[..., :3].mean()), 1) for path in results] == shades


def test_the_same_command_goes_on_and_another_is_refused(pictures, tmp_path, capsys):
    out = tmp_path / "out"
    assert still(pictures, out) == DONE
    kept = (out / "outputs/clip/0001.png").stat().st_ino
    (out / "outputs/clip/0003.png").unlink()
    assert still(pictures, out) == DONE
    assert (out / "outputs/clip/0003.png").exists() and (out / "outputs/clip/0001.png").stat().st_ino == kept
    capsys.readouterr()
    assert still(pictures, out, "--seed", "1") == BAD_USAGE
    assert "holds the take of another job" in capsys.readouterr().err
    (pictures / "cat_9.png").write_bytes(png(99))
    assert still(pictures, out) == BAD_USAGE


def test_a_command_that_was_cut_off_while_copying_begins_again(pictures, tmp_path):
    (tmp_path / "out" / "inputs" / "image").mkdir(parents=True)
    (tmp_path / "out" / "inputs" / "image" / ".0001.png.1.part").write_bytes(b"half")
    assert still(pictures, tmp_path / "out") == DONE


def test_a_failed_job_gives_1_and_its_sentence(pictures, tmp_path, capsys):
    (pictures / "cat_11.png").write_bytes(b"no picture")
    assert still(pictures, tmp_path / "out") == FAILED
    told = capsys.readouterr()
    assert told.out == "" and "0003.png" in told.err.splitlines()[-1]


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (["still", "--image", "nowhere", "--out", "out"], "There is no file or folder nowhere"),
        (["still", "--image", "empty", "--out", "out"], "empty has no file for image in it"),
        (["still", "--image", "mixed", "--out", "out"], "images and drawings in it"),
        (["still", "--image", "a.txt", "--out", "out"], "it takes .png"),
        (["still", "--image", "1=a.png", "--image", "1=a.png", "--out", "out"], "given twice for frame 1"),
        (["still", "--image", "1=empty", "--out", "out"], "more than one frame"),
        (["still", "--image", "a.png", "--last", "-3", "--out", "out"], "before its first frame"),
        (["still", "--image", "a.png", "--step", "0", "--out", "out"], "step of 0"),
        (["still", "--image", "a.png", "--seconds-per-frame", "nan", "--out", "out"], "Seconds per Frame is nan"),
        (["still", "--image", "a.png", "--out", "mixed"], "is no take and has a.npz in it"),
        (["still", "--image", "a.png", "--out", "a.png/out"], "cannot be used"),
        (["liven", "--sketch", "a.png", "--out", "out"], "it takes .npz"),
    ],
)
def test_bad_usage_gives_2_and_one_sentence(tmp_path, monkeypatch, capsys, command, words):
    monkeypatch.chdir(tmp_path)
    for folder in ("empty", "mixed"):
        (tmp_path / folder).mkdir()
    for file in ("a.png", "a.txt", "mixed/a.png", "mixed/a.npz"):
        (tmp_path / file).write_bytes(png(1))
    assert main(command) == BAD_USAGE
    told = capsys.readouterr()
    assert words in told.err and "Traceback" not in told.err and told.out == ""


@pytest.mark.parametrize("command", [[], ["fly"], ["still"], ["still", "--image", "a", "--out", "b", "--fps", "x"], ["run"]])
def test_a_command_that_cannot_be_read_gives_2(command, capsys):
    with pytest.raises(SystemExit) as end:
        main(command)
    assert end.value.code == BAD_USAGE and "usage: pegbar" in capsys.readouterr().err


def test_takes_are_run_one_after_the_other_whatever_becomes_of_one(tmp_path, capsys):
    good, bad, last = still_take(tmp_path), still_take(tmp_path, pipeline="warp"), still_take(tmp_path)
    good.request_cancel()
    assert main(["run", *(str(folder.path) for folder in (good, bad, last)), str(tmp_path / "nowhere")]) == FAILED
    assert capsys.readouterr().out.splitlines() == [str(good.outputs), str(last.outputs)]
    assert [folder.state().name for folder in (good, bad, last)] == ["done", "failed", "done"]


def test_ctrl_c_gives_130_keeps_frames_and_the_same_command_goes_on(pictures, tmp_path):
    command = [
        sys.executable,
        "-m",
        "engine",
        "still",
        "--image",
        pictures,
        "--last",
        "14",
        "--seconds-per-frame",
        "0.3",
        "--out",
        tmp_path / "out",
    ]
    folder = JobFolder(tmp_path / "out")
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        while not folder.state().frames and process.poll() is None:
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=120)
    assert (process.returncode, out) == (CANCELLED, ""), err
    assert "Traceback" not in err and "the same command goes on" in err
    assert isinstance(folder.events()[0][-1], Done) and folder.state().name == "stopped"
    kept = folder.state().frames
    assert 0 < len(kept) < 6
    assert main([str(part) for part in command[3:]]) == DONE
    assert folder.state().frames[: len(kept)] == kept and len(folder.state().frames) == 6


def test_flat_colours_a_folder_of_line_art_from_one_reference(tmp_path):
    (tmp_path / "lines").mkdir()
    colours = cartoon.palette(1)
    for frame in (1, 2, 3):
        lines, ids = cartoon.walk(frame / 48, 192, 108)
        (tmp_path / "lines" / f"{frame:04d}.png").write_bytes(encode_png(lines))
        if frame == 1:
            (tmp_path / "colour.png").write_bytes(encode_png(cartoon.coloured(lines, ids, colours)))
    command = ["flat", "--lineart", str(tmp_path / "lines"), "--reference", f"1={tmp_path / 'colour.png'}", "--out", str(tmp_path / "out")]
    assert main([*command, "--separate-lines", "--close-gaps", "2"]) == DONE
    job = json.loads((tmp_path / "out/job.json").read_text())
    assert job["params"]["separate_lines"] is True and job["params"]["close_gaps"] == 2
    for output in ("clip", "colour", "lines"):
        assert len(list((tmp_path / "out/outputs" / output).iterdir())) == 3
