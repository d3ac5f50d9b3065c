"""Where wheels come from: as uv and pip are set up on the machine; what each lock and each bundle names is what is taken."""

import json
import os
import zipfile

import pytest
from pegbar.engine.protocol import PegbarError
from pegbar.engine.setup import bundle, locks, machine, places, uv
from pegbar.engine.setup.places import PYPI, configured

from .registry import Registry, wheel

FILE, DATA = wheel("some_thing", {"some_thing.py": b"1"}, "1.0+cpu")


@pytest.fixture
def registry():
    with Registry() as found:
        found.sha256 = found.add(FILE, DATA)
        yield found


def named(tmp_path, **environment):
    """The places that these variables name, on a machine with nothing else set."""
    return configured({"HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path)} | environment)


@pytest.mark.parametrize("json", [False, True])
def test_an_index_in_html_or_json_is_read(registry, tmp_path, json):
    registry.json = json
    named(tmp_path, UV_DEFAULT_INDEX=f"{registry.url}/simple/").get(FILE, registry.sha256, tmp_path)
    assert (tmp_path / FILE).read_bytes() == DATA


def test_what_is_there_is_not_fetched_again_and_what_is_damaged_is(registry, tmp_path):
    where = named(tmp_path, UV_INDEX_URL=f"{registry.url}/simple")
    where.get(FILE, registry.sha256, tmp_path)
    where.get(FILE, registry.sha256, tmp_path)
    assert len(registry.asked) == 1
    (tmp_path / FILE).write_bytes(b"damaged")
    where.get(FILE, registry.sha256, tmp_path)
    assert (tmp_path / FILE).read_bytes() == DATA


def test_a_folder_of_wheels_comes_before_the_network(registry, tmp_path):
    links, into = tmp_path / "links", tmp_path / "into"
    for folder in (links, into):
        folder.mkdir()
    (links / FILE).write_bytes(DATA)
    for variable in ("UV_FIND_LINKS", "PIP_FIND_LINKS"):
        named(tmp_path, **{variable: f"{links} https://elsewhere.example"}).get(FILE, registry.sha256, into)
        (into / FILE).unlink()
    (links / FILE).write_bytes(b"another")
    with pytest.raises(PegbarError, match="damaged or another file"):
        named(tmp_path, UV_FIND_LINKS=links.as_uri()).get(FILE, registry.sha256, into)
    assert not os.listdir(into)


def test_an_index_on_this_computer_needs_no_network(registry, tmp_path):
    page = tmp_path / "simple" / "some-thing"
    page.mkdir(parents=True)
    (page / FILE).write_bytes(DATA)
    (page / "index.html").write_text(f'<a href="{FILE.replace("+", "%2B")}">x</a>')
    where = configured({"UV_NO_CONFIG": "1", "UV_INDEX": f"own={(tmp_path / 'simple').as_uri()}"}, online=False)
    where.get(FILE, registry.sha256, tmp_path)
    assert (tmp_path / FILE).read_bytes() == DATA


def test_indexes_are_asked_in_order_and_a_mirror_replaces_them_all(tmp_path):
    assert named(tmp_path).indexes == (PYPI,)
    set_up = {"UV_INDEX": "a=https://a/simple https://b/simple", "PIP_EXTRA_INDEX_URL": "https://c", "UV_DEFAULT_INDEX": "https://d"}
    assert named(tmp_path, **set_up).indexes == ("https://a/simple", "https://b/simple", "https://c", "https://d")
    assert configured(set_up, "https://mirror/simple").indexes == ("https://mirror/simple",)
    assert named(tmp_path, UV_NO_INDEX="1").indexes == ()


def test_uvs_own_configuration_file_holds(tmp_path):
    (tmp_path / "uv").mkdir()
    (tmp_path / "uv" / "uv.toml").write_text(
        'find-links = ["/opt/a"]\n[pip]\nextra-index-url = ["https://e/simple"]\n[[index]]\nurl = "https://i/simple"\ndefault = true\n'
    )
    found = named(tmp_path)
    assert ([str(path) for path in found.folders], found.indexes) == (["/opt/a"], ("https://e/simple", "https://i/simple"))
    assert named(tmp_path, UV_NO_CONFIG="1").indexes == (PYPI,)
    (tmp_path / "uv" / "uv.toml").write_text("= damaged")
    assert named(tmp_path).indexes == (PYPI,)


def test_a_build_of_pytorch_is_looked_for_in_the_index_of_its_accelerator(registry, tmp_path, monkeypatch):
    monkeypatch.setattr(places, "TORCH", f"{registry.url}/whl")
    with Registry() as empty:
        named(tmp_path, UV_DEFAULT_INDEX=f"{empty.url}/simple").get(FILE, registry.sha256, tmp_path)
    assert (tmp_path / FILE).read_bytes() == DATA


def test_a_package_that_no_index_has_is_told_with_all_that_were_asked(registry, tmp_path):
    with Registry() as gone:
        pass
    where = named(tmp_path, UV_INDEX=f"{registry.url}/simple", UV_DEFAULT_INDEX=f"{gone.url}/simple")
    with pytest.raises(PegbarError, match=r"other 2\.0 cannot be downloaded: 127\.0\.0\.1 does not have it, 127\.0\.0\.1 does not answer"):
        where.get("other-2.0-py3-none-any.whl", registry.sha256, tmp_path)


# --- locks


ALL = sorted(path.stem for path in locks.folder().glob("*.txt"))


@pytest.mark.parametrize("name", ALL)
def test_every_lock_names_each_wheel_once_with_its_hash_and_sizes(name):
    platform, backend = name.rsplit("-", 1)
    for python in locks.PYTHONS:
        lock = locks.read(platform, backend, python)
        names = [wheel.name for wheel in lock.wheels]
        assert len(set(names)) == len(names) and {"numpy", "skia-python", "av"} <= set(names)
        assert all(len(wheel.sha256) == 64 and wheel.bytes > 0 and wheel.unpacked > 0 for wheel in lock.wheels)
        assert ("torch" in names) != (lock.torch is not None) or backend == "core"
        assert lock.kind == ("core" if backend == "core" else "diffusion")
        assert backend != "core" or lock.bytes < 150e6, "what an artist waits for first stays small"


@pytest.mark.parametrize("name", ALL)
def test_the_locks_hold_what_the_tests_run_on(name):
    platform, backend = name.rsplit("-", 1)
    wanted = {}
    for file in ("engine", "diffusion") if backend != "core" else ("engine",):
        lines = (locks.folder().parent / f"{file}.txt").read_text().splitlines()
        pins = [line.split(";") for line in lines if "==" in line]
        wanted |= dict(pin[0].strip().split("==") for pin in pins if not (len(pin) > 1 and platform == "windows-arm64"))
    lock = locks.read(platform, backend, "3.11")
    found = {wheel.name: wheel.version.split("+")[0] for wheel in lock.wheels} | ({"torch": lock.torch.version} if lock.torch else {})
    assert {name.replace("_", "-"): version for name, version in wanted.items()}.items() <= found.items()


def test_every_platform_has_a_core_and_a_uv():
    assert {name.rsplit("-", 1)[0] for name in ALL if name.endswith("-core")} == set(uv.WHEELS)
    assert len({locks.read(platform, "core", python).id for platform in uv.WHEELS for python in locks.PYTHONS}) == 3 * len(uv.WHEELS)


def test_a_python_or_a_backend_without_a_lock_is_told():
    with pytest.raises(PegbarError, match=r"3\.11, 3\.12, 3\.13, not on 3\.14"):
        locks.read("linux-x86_64", "core", "3.14")
    with pytest.raises(PegbarError, match="no engine for macos-x86_64 with cuda: choose Processor"):
        locks.read("macos-x86_64", "cuda", "3.11")


# --- what this computer has


def tool(folder, name, text):
    """A program of the system that prints a text."""
    path = folder / name
    path.write_text(f"#!/bin/sh\ncat <<'END'\n{text}\nEND\n")
    path.chmod(0o755)


@pytest.mark.parametrize(("driver", "backend"), [("595.71.05", "cuda"), ("531.18", "cpu")])
def test_an_nvidia_card_is_found_with_its_memory_and_an_old_driver_is_told(tmp_path, monkeypatch, driver, backend):
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    (tmp_path / "nvidia-smi").write_text(
        f'#!/bin/sh\nif [ $# -gt 0 ]; then echo "NVIDIA RTX 4070, 12282, {driver}"; else echo "| CUDA Version: 12.8 |"; fi\n'
    )
    (tmp_path / "nvidia-smi").chmod(0o755)
    found = machine.accelerators()
    assert (found[0].backend, found[0].text) == ("cuda", "NVIDIA RTX 4070 12 GB, CUDA 12.8")
    assert machine.choose(found, "linux-x86_64") == backend
    if backend == "cpu":
        with pytest.raises(PegbarError, match=r"Driver 531\.18 is too old for this engine\. Version 580 or newer is needed"):
            machine.check("cuda", found)


def test_an_amd_card_is_found(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    tool(tmp_path, "rocminfo", "  Marketing Name:  AMD Ryzen 9\n  Marketing Name:          AMD Radeon RX 7900 XTX")
    found = machine.accelerators()
    assert found[0].text == "AMD Radeon RX 7900 XTX, ROCm" and machine.choose(found, "linux-x86_64") == "rocm"
    assert machine.choose(found, "macos-arm64") == "mps" and machine.choose(found, "macos-x86_64") == ""


# --- bundles


def bundled(folder, *names, **about):
    """A bundle of these files."""
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(DATA)
    bundle.write(folder, list(names), **({"platform": "p", "backend": "core", "python": "3.11"} | about))
    return folder


def test_a_bundle_gives_its_files_from_a_folder_or_a_zip(tmp_path):
    folder = bundled(tmp_path / "bundle", f"wheels/{FILE}")
    with zipfile.ZipFile(tmp_path / "bundle.zip", "w") as archive:
        for path in folder.rglob("*"):
            archive.write(path, path.relative_to(folder))
    for source in (folder, tmp_path / "bundle.zip"):
        found = bundle.opened(source)
        found.copy(f"wheels/{FILE}", tmp_path / "out")
        assert (tmp_path / "out").read_bytes() == DATA and found.python == "3.11"


@pytest.mark.parametrize("name", ["../evil", "wheels/../../evil", "/tmp/evil", "C:/evil", "..\\evil", ""])
def test_a_name_that_leads_out_of_a_bundle_is_refused(tmp_path, name):
    folder = bundled(tmp_path / "bundle", "wheels/a")
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["files"][0]["path"] = name
    (folder / "manifest.json").write_text(json.dumps(manifest))
    with zipfile.ZipFile(tmp_path / "bundle.zip", "w") as archive:
        archive.write(folder / "manifest.json", "manifest.json")
    for source in (folder, tmp_path / "bundle.zip"):
        with pytest.raises(PegbarError, match=r"leads outside.*nothing was installed"):
            bundle.opened(source)


def test_a_zip_with_members_outside_or_links_is_refused_and_nothing_is_written(tmp_path):
    folder = bundled(tmp_path / "bundle", "wheels/a")
    link = zipfile.ZipInfo("wheels/link")
    link.external_attr = 0o120777 << 16
    for member in ("../evil", "/evil", "wheels\\..\\..\\evil", link):
        with zipfile.ZipFile(tmp_path / "bundle.zip", "w") as archive:
            archive.write(folder / "manifest.json", "manifest.json")
            archive.writestr(member, b"/etc/passwd")
        with pytest.raises(PegbarError, match="nothing was installed"):
            bundle.opened(tmp_path / "bundle.zip")
    assert sorted(os.listdir(tmp_path)) == ["bundle", "bundle.zip"]


def test_a_link_out_of_a_bundle_is_refused(tmp_path):
    folder = bundled(tmp_path / "bundle", "wheels/a")
    (tmp_path / "secret").write_bytes(DATA)
    (folder / "wheels/a").unlink()
    (folder / "wheels/a").symlink_to(tmp_path / "secret")
    with pytest.raises(PegbarError, match="leads outside"):
        bundle.opened(folder)


def test_a_changed_file_never_comes_into_place(tmp_path):
    folder = bundled(tmp_path / "bundle", "wheels/a")
    (folder / "wheels/a").write_bytes(b"changed")
    with pytest.raises(PegbarError, match="another checksum"):
        bundle.opened(folder).copy("wheels/a", tmp_path / "out")
    assert os.listdir(tmp_path) == ["bundle"]


@pytest.mark.parametrize("text", ["", "{", "[]", '{"files": 1}', '{"files": [{}]}', '{"files": []}', "[" * 100_000])
def test_a_manifest_that_is_damaged_is_a_sentence(tmp_path, text):
    (tmp_path / "manifest.json").write_text(text)
    with pytest.raises(PegbarError, match="damaged or tampered with"):
        bundle.opened(tmp_path)
    (tmp_path / "x.zip").write_text(text)
    with pytest.raises(PegbarError, match=r"damaged|no bundle"):
        bundle.opened(tmp_path / "x.zip")
    with pytest.raises(PegbarError, match="is no bundle of the engine"):
        bundle.opened(tmp_path / "nowhere")
