"""Models from Blender: cards, terms, download from a hub on this computer, pause, import, deletion; in the sidebar and the preferences."""

import json
import os
import time
from dataclasses import replace

import bpy
import pytest
from pegbar.engine.catalog import PIPELINES
from pegbar.engine.models import signatures
from pegbar.preferences import preferences
from pegbar.runs import engine, fetching, models
from pegbar.tests import hollow
from pegbar.tests.blender import stage
from pegbar.tests.blender.paper import Paper, Sidebar, drawn
from pegbar.tests.hub import Fault, serving

SVD, LVCD = "stabilityai/stable-video-diffusion-img2vid/svd.safetensors", "Kijai/LVCD-pruned/lvcd-fp16.safetensors"
SPEC = PIPELINES["lvcd"]
SIZE = 400_000


@pytest.fixture(autouse=True)
def own(tmp_path, scene, monkeypatch):
    """A weights folder of the test's own, nothing in it, and LVCD chosen in the sequencer."""
    for name in ("PEGBAR_WEIGHTS", "HF_TOKEN", "HF_ENDPOINT"):
        monkeypatch.delenv(name, raising=False)
    set_to = preferences()
    set_to.engine_python, set_to.weights_folder = str(stage.ENGINE), str(tmp_path / "weights")
    bpy.context.preferences.system.use_online_access = True
    stage.line_art(scene, tmp_path)
    scene.pegbar.flat_method = "lvcd"
    models.look_again()
    yield set_to
    fetching.unregister()
    fetching.register()
    engine.stop()
    for name in ("engine_python", "weights_folder", "shared_weights_folder", "hub_token", "hub_mirror", "accepted_terms", "open_models"):
        set_to.property_unset(name)
    bpy.context.preferences.system.use_online_access = True
    models.look_again()


@pytest.fixture
def hub(tmp_path, own):
    for name in (SVD, LVCD):
        (tmp_path / "hub" / name).parent.mkdir(parents=True)
        (tmp_path / "hub" / name).write_bytes(os.urandom(SIZE))
    with serving(tmp_path / "hub") as given:
        own.hub_mirror = given.url
        yield given


def sidebar():
    return drawn("PEGBAR_PT_flat")


def section():
    """The preferences as they are drawn."""
    paper = Paper()
    type(preferences()).draw(Drawn(paper), Sidebar("PREFERENCES"))
    return paper


class Drawn:
    """Preferences with a layout, which Blender alone can give them."""

    def __init__(self, layout):
        self.layout = layout

    def __getattr__(self, name):
        return getattr(preferences(), name)


def accept_all():
    for number, name in enumerate(("svd", "lvcd"), 1):
        assert f"Terms {number} of 2" in sidebar().text
        assert bpy.ops.pegbar.accept_terms(pipeline="lvcd", model=name) == {"FINISHED"}


def test_a_missing_model_is_offered_with_its_terms_and_comes_when_they_are_accepted(hub, tmp_path):
    paper = sidebar()
    assert "LVCD needs 11.1 GB of published models." in paper.text and "commercial use unclear" in paper.text
    assert "Terms 1 of 2, svd.safetensors:" in paper.text
    assert paper.button("pegbar.download_model") == ("Download Model", False)
    assert paper.button("pegbar.accept_terms") and paper.button("pegbar.open_model_page")
    with pytest.raises(RuntimeError, match=r"Read the terms of svd\.safetensors"):
        bpy.ops.pegbar.download_model(pipeline="lvcd")
    assert hub.asked == []
    accept_all()
    assert sidebar().button("pegbar.download_model") == ("Download Model", True)
    assert bpy.ops.pegbar.download_model(pipeline="lvcd") == {"FINISHED"}
    assert not models.missing(SPEC) and sidebar().button("pegbar.run") == ("Colorize Strip", True)
    for name in ("svd.safetensors", "lvcd-fp16.safetensors"):
        assert (tmp_path / "weights/lvcd" / name).stat().st_size == SIZE


def test_terms_are_remembered_until_they_are_worded_otherwise(own):
    accept_all()
    svd = models.card(SPEC, "svd").weights
    assert models.accepted(svd) and own.accepted_terms
    assert not models.accepted(replace(svd, terms="other words"))
    bpy.ops.pegbar.accept_terms(pipeline="lvcd", model="svd")
    assert not models.accepted(svd) and models.accepted(models.card(SPEC, "lvcd").weights)


def test_offline_nothing_is_asked_and_the_setting_is_offered(hub):
    accept_all()
    bpy.context.preferences.system.use_online_access = False
    paper = sidebar()
    assert (
        "Blender is set to work offline." in paper.text
        and paper.button("pegbar.allow_online")
        and not paper.button("pegbar.download_model")
    )
    with pytest.raises(RuntimeError, match="allow online access, or import the files"):
        bpy.ops.pegbar.download_model(pipeline="lvcd")
    assert hub.asked == []


def following(going, until, seconds=120):
    """Steps a download as the timer does until something is so."""
    end = time.monotonic() + seconds
    while not until() and time.monotonic() < end:
        fetching._tick()
        time.sleep(0.02)
    assert until(), (going.phase, going.error, going.progress)


def test_a_download_shows_how_far_it_is_pauses_goes_on_and_is_cancelled(hub, tmp_path):
    accept_all()
    hub.slow = 100_000
    going = fetching.start(SPEC)
    assert "Starting" in sidebar().text
    following(going, lambda: going.progress and going.progress.step > 250_000)
    paper = sidebar()
    (bar,) = (line for line in paper.lines if line[0] == "bar")
    assert bar[1].endswith("of 800 KB") and 0.3 < bar[2] < 1
    assert not paper.button("pegbar.accept_terms")
    assert "Downloading svd.safetensors" in paper.text and "KB/s" in paper.text and "left" in paper.text
    assert fetching.start(SPEC) is going
    assert bpy.ops.pegbar.pause_download(pipeline="lvcd") == {"FINISHED"}
    assert going.phase == "paused" and going.process is None
    paper = sidebar()
    assert paper.button("pegbar.download_model") == ("Continue", True) and "Paused, " in paper.text
    part = tmp_path / "weights/lvcd/.svd.part/files/svd.safetensors.part"
    there = part.stat().st_size
    assert there > 250_000
    hub.slow = 0.0
    assert bpy.ops.pegbar.download_model(pipeline="lvcd") == {"FINISHED"}
    assert f"bytes={there}-" in [headers.get("range") for _, _, headers in hub.contents()] and not models.missing(SPEC)
    for path in (tmp_path / "weights/lvcd").glob("*.safetensors"):
        path.unlink()
    models.look_again()
    hub.slow = 100_000
    going = fetching.start(SPEC)
    following(going, part.is_file)
    assert bpy.ops.pegbar.cancel_download(pipeline="lvcd") == {"FINISHED"}
    assert not part.exists() and fetching.of("lvcd") is None and sidebar().button("pegbar.download_model") == ("Download Model", True)


def test_a_download_that_was_cut_off_is_offered_again_by_the_next_blender(hub, tmp_path):
    accept_all()
    hub.slow = 100_000
    going = fetching.start(SPEC)
    following(going, lambda: going.progress and going.progress.step > 50_000)
    process = going.process
    fetching.unregister()
    assert process.wait(60) is not None
    fetching.register()
    models.look_again()
    assert fetching.of("lvcd") is None and sidebar().button("pegbar.download_model") == ("Continue", True)


def test_a_download_that_fails_says_why_and_can_be_tried_again(hub):
    accept_all()
    hub.faults = [Fault(kind="wrong"), Fault(kind="wrong")]
    with pytest.raises(RuntimeError, match="comes damaged from"):
        bpy.ops.pegbar.download_model(pipeline="lvcd")
    paper = sidebar()
    assert (
        "checksum differs" in paper.text
        and "hub_mirror" not in paper.props()
        and paper.button("pegbar.download_model") == ("Continue", True)
    )
    assert bpy.ops.pegbar.download_model(pipeline="lvcd") == {"FINISHED"} and not models.missing(SPEC)


def test_a_token_goes_to_the_hub_alone_and_is_written_nowhere(hub, own, tmp_path):
    accept_all()
    hub.token = "hf_verysecret"
    with pytest.raises(RuntimeError, match="agree, and enter a token"):
        bpy.ops.pegbar.download_model(pipeline="lvcd")
    assert "hub_token" in sidebar().props()
    own.hub_token = "hf_verysecret"
    assert bpy.ops.pegbar.download_model(pipeline="lvcd") == {"FINISHED"}
    written = [path for top in (tmp_path / "weights", models.folder(SPEC).parent) for path in top.rglob("*") if path.is_file()]
    written += list(fetching.user_folder().glob("*.log"))
    assert written and not any(b"verysecret" in path.read_bytes() for path in written)
    assert "verysecret" not in section().text
    assert preferences().bl_rna.properties["hub_token"].subtype == "PASSWORD"


def test_the_preferences_show_a_card_for_each_model(own):
    paper = section()
    assert {line[1] for line in paper.lines if line[0] == "label"} >= {"Models"}
    assert [about for kind, _, about in paper.lines if kind == "choice"] == [spec.name for spec in fetching.specs()]
    own.open_models = {"vidsketch"}
    paper = section()
    for weights in PIPELINES["vidsketch"].weights:
        assert weights.names[0] in paper.text and "".join(weights.reason.split()) in "".join(paper.text.split())
    assert "Google Drive" in paper.text and paper.button("pegbar.import_models") and "No commercial use." in paper.text
    own.open_models = {"dropletvideo"}
    assert "enter it here" in section().text and "Graphics memory: 14.8 GB" in section().text.replace("  ", " ")


def test_a_model_is_deleted_from_the_own_folder_alone(own, tmp_path):
    for folder, name in (("weights", "svd.safetensors"), ("studio", "lvcd.ckpt")):
        (tmp_path / folder / "lvcd").mkdir(parents=True)
        (tmp_path / folder / "lvcd" / name).write_bytes(b"x" * 2_000_000)
    own.shared_weights_folder, own.open_models = str(tmp_path / "studio"), {"lvcd"}
    models.look_again()
    paper = section()
    assert "Installed, 4.0 MB" in paper.text and "a shared folder" in paper.text
    buttons = [about[1] for kind, _, about in paper.lines if kind == "button" and about[0] == "pegbar.delete_model"]
    assert [button.model for button in buttons] == ["svd"]
    with pytest.raises(RuntimeError, match="is in a shared folder: Pegbar deletes nothing there"):
        bpy.ops.pegbar.delete_model(pipeline="lvcd", model="lvcd")
    assert bpy.ops.pegbar.delete_model(pipeline="lvcd", model="svd") == {"FINISHED"}
    assert not (tmp_path / "weights/lvcd/svd.safetensors").exists() and (tmp_path / "studio/lvcd/lvcd.ckpt").exists()
    assert [weights.name for weights in models.missing(SPEC)] == ["svd"]


def test_teaching_asks_for_what_it_needs_of_vidsketchs_models_alone(hub, tmp_path):
    top = tmp_path / "hub/stable-diffusion-v1-5/stable-diffusion-v1-5"
    for name in ("unet/diffusion_pytorch_model.safetensors", "vae/diffusion_pytorch_model.bin", "text_encoder/model.safetensors"):
        (top / name).parent.mkdir(parents=True)
        (top / name).write_bytes(os.urandom(5000))
    (top / "unet/config.json").write_text('{"_class_name": "UNet2DConditionModel"}')
    for name in ("tokenizer/vocab.json", "scheduler/scheduler_config.json"):
        (top / name).parent.mkdir()
        (top / name).write_text("{}")
    paper = drawn("PEGBAR_PT_teach")
    assert "sd15, 4.3 GB: commercial use allowed" in paper.text and "adapter" not in paper.text
    (button,) = (about[1] for kind, _, about in paper.lines if kind == "button" and about[0] == "pegbar.download_model")
    assert (button.pipeline, button.model) == ("vidsketch", "sd15")
    assert bpy.ops.pegbar.download_model(pipeline="vidsketch", model="sd15") == {"FINISHED"}
    assert not models.missing(PIPELINES["teach"]) and "sd15" not in drawn("PEGBAR_PT_teach").text
    assert [weights.name for weights in models.missing(PIPELINES["vidsketch"])] == ["motions", "adapter"]


def test_a_damaged_model_is_repaired_from_its_card(hub, own, tmp_path):
    accept_all()
    bpy.ops.pegbar.download_model(pipeline="lvcd")
    file = tmp_path / "weights/lvcd/svd.safetensors"
    whole = file.read_bytes()
    file.write_bytes(whole[:1000])
    own.open_models = {"lvcd"}
    models.look_again()
    paper = section()
    assert "Gone or of another size: svd.safetensors" in paper.text and "Damaged" in paper.text
    texts = [text for kind, text, about in paper.lines if kind == "button" and about[0] == "pegbar.download_model"]
    assert texts == ["Repair", "Check Files", "Download"]
    requests = len(hub.contents())
    assert bpy.ops.pegbar.download_model(pipeline="lvcd", model="svd", repair=True) == {"FINISHED"}
    assert file.read_bytes() == whole and models.card(SPEC, "svd").state == "installed"
    assert hub.contents()[requests:][-1][2]["range"] == "bytes=1000-"


def test_a_collection_is_not_deleted_as_a_whole(tmp_path):
    motion = tmp_path / "weights/vidsketch/motions/walk"
    motion.mkdir(parents=True)
    (motion / "low_rank.safetensors").touch()
    models.look_again()
    with pytest.raises(RuntimeError, match="is a collection: delete single ones"):
        bpy.ops.pegbar.delete_model(pipeline="vidsketch", model="motions")
    assert motion.exists()


def test_files_that_are_here_already_are_taken_and_said_what_they_are(own, tmp_path):
    folder = tmp_path / "downloads"
    hollow.safetensors(folder / "a.safetensors", dict(signatures.SVD.tells))
    hollow.safetensors(folder / "b.safetensors", dict(signatures.LVCD.tells))
    hollow.safetensors(folder / "c.safetensors", {"x": (2, 2)})
    files = [{"name": f"{name}.safetensors"} for name in "abc"]
    assert bpy.ops.pegbar.import_models(directory=str(folder), files=files) == {"FINISHED"}
    assert not models.missing(SPEC) and (tmp_path / "weights/lvcd/svd.safetensors").samefile(folder / "a.safetensors")
    told = section().text
    assert "a.safetensors is Stable Video Diffusion" in told and "c.safetensors is not a file of any Pegbar pipeline" in told
    assert bpy.ops.pegbar.dismiss_import() == {"FINISHED"} and "c.safetensors" not in section().text
    with pytest.raises(RuntimeError, match="None of these files is a model"):
        bpy.ops.pegbar.import_models(directory=str(folder), files=[{"name": "c.safetensors"}])
    assert sidebar().button("pegbar.run") == ("Colorize Strip", True)


def test_an_optional_model_is_downloaded_by_itself(hub, own, tmp_path):
    (tmp_path / "hub/lllyasviel/Annotators").mkdir(parents=True)
    (tmp_path / "hub/lllyasviel/Annotators/sk_model.pth").write_bytes(b"x" * 9000)
    own.open_models = {"lvcd"}
    assert ("Download", True) in [
        (text, about[2].enabled) for kind, text, about in section().lines if kind == "button" and about[0] == "pegbar.download_model"
    ]
    assert bpy.ops.pegbar.download_model(pipeline="lvcd", model="sk_model") == {"FINISHED"}
    assert (tmp_path / "weights/lvcd/sk_model.pth").stat().st_size == 9000
    record = json.loads((tmp_path / "weights/lvcd/.sk_model.pth.pegbar.json").read_text())
    assert record["files"][0]["size"] == 9000 and record["licence"] == "MIT"
