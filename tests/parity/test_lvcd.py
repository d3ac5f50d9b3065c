"""LVCD against the authors' code: every tensor of the set, image in to frames out, from its own settings, inputs and original-layout files."""

import json
import re
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from pegbar.engine.pipelines.lvcd import conditioning, networks
from pegbar.engine.pipelines.lvcd.conditioning import SCALE
from pegbar.engine.pipelines.lvcd.decoding import Chunks, decode, decode_chunk
from pegbar.engine.pipelines.lvcd.reference_attention import VIDEO_FRAMES, pattern
from pegbar.engine.pipelines.lvcd.sampling import (
    Settings,
    denoise,
    euler,
    first_carry,
    hint_frames,
    sample,
    sample_segment,
    scalings,
    sigmas,
)
from pegbar.tests.tiny.lvcd_mistakes import MISTAKES
from safetensors.torch import load_file

from .golden import REPORT, Golden

FORWARD, RUN, FINE = {"rel_l2": 2e-5}, {"rel_l2": 1e-4, "max_abs": 4e-3}, {"rel_l2": 5e-6}
"""ERRATA item 14, else the set's README."""
ZERO = {"max_abs": 1e-7}
VARIANTS = {
    "fwd_prevref_early": ("prevref", True, True),
    "fwd_prevref_late": ("prevref", False, True),
    "fwd_normal": ("normal", True, True),
    "fwd_normal1": ("normal1", True, True),
    "fwd_unhooked": ("first", True, True),
    "fwd_plainattn": ("own", True, True),
    "fwd_plainattn_nocontrol": ("own", True, False),
    "fwd_T14_plain_nocontrol": ("own", True, False),
}
"""Mode, whether prev-reference attention is on, whether the ControlNet is."""


@dataclass(frozen=True)
class Run:
    """What a run's entry in config.json says, completed."""

    frames: int
    settings: Settings
    seed: int
    drawn: bool
    """Whether its noise is drawn from the seed; else it is the set's own."""
    fps: int
    motion_bucket_id: int
    noise_aug_strength: float
    last: int


class Set:
    """One golden set: its settings, inputs and networks. Files are linked into a folder of its own: what is converted goes there."""

    def __init__(self, folder: Path, own: Path) -> None:
        self.config = json.loads((folder / "config.json").read_bytes())
        self.params = self.config["params"]
        linked(own, folder / "config.json")
        self.svd = linked(own, checkpoints(folder, "svd")[0])
        self.lvcd = [linked(own, path) for path in checkpoints(folder, "lvcd")]
        self.own = own
        self.golden = Golden(*(folder / f"{name}.safetensors" for name in ("stages", "runs", "decode")))
        self.inputs = load_file(folder / "inputs.safetensors")
        self.image = self.inputs["ref_image_u8"].float()[None] / 255 * 2 - 1
        self.hints = (self.inputs["sketch_u8"].float() / 255)[:, None].expand(-1, 3, -1, -1)
        self.networks = self.load()
        self._conditions: dict[tuple, conditioning.Condition] = {}
        self._latents: dict[str, torch.Tensor] = {}

    def load(self, lvcd: Path | None = None) -> networks.Networks:
        return networks.load({"svd": self.svd, "lvcd": lvcd or self.lvcd[0]}, "cpu")

    def run(self, name: str) -> Run:
        """A run's settings: its own, else the set's."""
        own = {**self.params, "last": 0, **self.config["runs"][name]}
        settings = Settings(
            overlap=own.get("overlap", own.get("num_frames", 19) - VIDEO_FRAMES - 1),
            num_inference_steps=own["steps"],
            mode=own.get("mode", "prevref"),
            prev_attn_steps=own.get("prev_attn_steps", own["prev"]),
            guidance_scale=tuple(own.get("scale", (1.0, 1.0))),
            combine=own.get("combine", True),
        )
        drawn, strength = own.get("noise") == "seed", own.get("cond_aug", own["aug"])
        return Run(own["N"], settings, own["seed"], drawn, own["fps"], own["mb"], strength, own["last"])

    def noise(self, seed: int, num_frames: int, drawn: bool = False) -> conditioning.Noise:
        """The set's own noise, as far as it has some of the sizes needed; else drawn from the seed."""
        noise = conditioning.draw(seed, num_frames, *self.image.shape[2:])
        if drawn or seed != self.params["seed"]:
            return noise
        names = {"latents": "noise_xT", "posterior": "noise_vae", "image": "noise_cond_aug"}
        own = {
            name: self.inputs[at] for name, at in names.items() if at in self.inputs and self.inputs[at].shape == vars(noise)[name].shape
        }
        return conditioning.Noise(**{**vars(noise), **own})

    def condition(self, run: Run) -> conditioning.Condition:
        given = run.fps, run.motion_bucket_id, run.noise_aug_strength
        asked = *given, run.seed, run.settings.num_frames, run.drawn
        if asked not in self._conditions:
            self._conditions[asked] = conditioning.condition(self.networks, self.image, self.noise(*asked[3:]), *given)
        return self._conditions[asked]

    def default(self) -> conditioning.Condition:
        """What the stages were made with."""
        params = self.params
        return self.condition(Run(0, Settings(), params["seed"], False, params["fps"], params["mb"], params["aug"], 0))

    def latents(self, name: str) -> torch.Tensor:
        """A run's whole output."""
        if name not in self._latents:
            run = self.run(name)
            noise = self.noise(run.seed, run.settings.num_frames, run.drawn).latents
            blocks = sample(self.networks, self.condition(run), self.hints[: run.frames], noise, run.settings, lambda *_: None)
            self._latents[name] = torch.cat(list(blocks))
        return self._latents[name]

    def has(self, *names: str) -> bool:
        """Whether these inputs are in the set; those that are not are named."""
        lacking = [name for name in names if name not in self.inputs]
        REPORT.extend(f"ABSENT  {name} is not among this set's inputs" for name in lacking)
        return not lacking

    def forward(self, name: str, made: networks.Networks | None = None) -> torch.Tensor:
        """A single prediction from the inputs `fwd_*`."""
        made = made or self.networks
        mode, look_back, controlled = VARIANTS[name]
        count = VIDEO_FRAMES if "T14" in name else len(self.inputs["fwd_x"])
        hint = made.controlnet.embed_hint(self.hints[self.inputs["fwd_frame_index"].long()])[:count] if controlled else None
        x, concat = self.inputs["fwd_x"][:count], self.inputs["fwd_concat"][None, :count]
        given = self.default().image_embeds, self.default().added_time_ids, hint
        seen = pattern(mode, count, max(count - VIDEO_FRAMES - 1, 0), look_back)
        return denoise(made, x, self.inputs["fwd_sigma"][0], concat, *given, seen)[0]


def checkpoints(folder: Path, name: str) -> list[Path]:
    """The set's files of that name, in whatever form."""
    return sorted(path for path in folder.rglob(f"{name}*") if path.suffix in (".safetensors", ".ckpt", ".bin", ".pt", ".pth"))


def linked(folder: Path, path: Path) -> Path:
    link = folder / path.name
    link.symlink_to(path.resolve())
    return link


@pytest.fixture(scope="module")
def made(golden, tmp_path_factory):
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield Set(golden / "lvcd", tmp_path_factory.mktemp("lvcd"))
    torch.set_num_threads(threads)


def test_every_form_of_the_files_gives_the_same_networks(made):
    for path in made.lvcd[1:]:
        other = made.load(path)
        for name in ("unet", "controlnet", "encoder", "conditioner", "decoder", "clip"):
            one, two = (getattr(found, name).state_dict() for found in (made.networks, other))
            assert all(torch.equal(tensor, two[key]) for key, tensor in one.items())
        REPORT.append(f"ok      {path.name} holds the same networks as {made.lvcd[0].name}")


def test_the_seed_gives_the_authors_noise(made):
    noise = made.noise(made.params["seed"], len(made.inputs.get("noise_xT", range(19))), drawn=True)
    for name, value in (("noise_xT", noise.latents), ("noise_vae", noise.posterior), ("noise_cond_aug", noise.image)):
        if made.has(name) and made.inputs[name].ndim > 1:  # without noise on the image the set has a dummy
            assert torch.equal(value, made.inputs[name]), name
            REPORT.append(f"ok      {name}: bit for bit")


def test_schedule_and_preconditioning(made):
    made.golden.check("sigmas", sigmas(made.params["steps"]), **FINE)
    made.golden.check("sigmas_25", sigmas(25), **FINE)
    if made.has("fwd_sigma"):
        made.golden.check("fwd_scalings", torch.stack(scalings(made.inputs["fwd_sigma"][0])), **FINE)


def test_what_clip_sees_and_says(made):
    y, x, c = torch.arange(320)[:, None], torch.arange(576)[None], torch.arange(3)[:, None, None]
    big = ((3 * x + 5 * y + ((x * y) >> (4 + c)) + 40 * c) % 256).float()[None] / 255 * 2 - 1
    for name, image in (("clip", made.image), ("clip_big", big)):
        pixels = conditioning.clip_pixels(image)
        made.golden.check(f"{name}_pre", pixels[:, :, ::7, ::7], **FINE)
        made.golden.check(f"{name}_embed", made.networks.clip(pixels).image_embeds, **FINE)


def test_conditioning(made):
    condition, check = made.default(), made.golden.check
    check("cond_crossattn", condition.image_embeds, **FINE)
    check("cond_concat", condition.image_latents, **FORWARD)
    check("first_cond", condition.first_latents, **FORWARD)
    check("vae_cond_mode", made.networks.conditioner(made.image)[:, :4], **FORWARD)
    check("vae_fs_moments", made.networks.encoder(made.image), **FORWARD)
    for name in ("cond_vector", "uncond_vector"):
        check(name, made.networks.unet.add_time_proj(condition.added_time_ids.flatten()).reshape(1, -1), **FINE)


def test_without_the_reference_the_first_segment_has_zeros(made):
    from pegbar.engine.pipelines.lvcd.sampling import _conditions

    settings = Settings(guidance_scale=(1.0, 2.0))
    concat, embeds = _conditions(made.default(), first_carry(made.noise(0, settings.num_frames).latents), settings)
    made.golden.check("uncond_concat", concat[0, :1], **ZERO)
    made.golden.check("uncond_crossattn", embeds[:1], **ZERO)


def test_controlnet(made):
    if not made.has("fwd_x", "fwd_sigma", "fwd_concat", "fwd_frame_index"):
        return
    hint = made.networks.controlnet.embed_hint(made.hints[made.inputs["fwd_frame_index"].long()])
    made.golden.check("hint_embed_f0_11", hint[[0, 11]], **FINE)
    _, _, scale, level = scalings(made.inputs["fwd_sigma"][0])
    sample = torch.cat([scale * made.inputs["fwd_x"], made.inputs["fwd_concat"]], dim=1)[None]
    seen, condition = pattern("prevref", len(hint), len(hint) - VIDEO_FRAMES - 1, True), made.default()
    residuals = made.networks.controlnet(sample, level, condition.image_embeds, condition.added_time_ids, seen, hint)
    for index, residual in enumerate(residuals):
        made.golden.check(f"ctl_{index:02}", residual[[6, 15]], rel_l2=4e-6 if index <= 8 else 2e-4)


@pytest.mark.parametrize("name", VARIANTS)
def test_one_prediction(made, name):
    if name in made.golden:
        made.golden.check(name, made.forward(name), **FORWARD)


def test_one_step(made):
    if "step_x_next" in made.golden:
        denoised, sigma = made.forward("fwd_prevref_early"), made.inputs["fwd_sigma"][0]
        shared = made.inputs["step_blend"][1:]
        denoised[len(shared) + 1 : 2 * len(shared) + 1] = shared
        made.golden.check("step_x_next", euler(made.inputs["fwd_x"], denoised, sigma, sigma / 2), **FINE)


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_does_not_pass(made, mistake):
    """Each moves one of the predictions, or one of the ControlNet's outputs, further than is allowed."""
    name = "fwd_prevref_early"
    if name in made.golden:
        wrong = made.load()
        mistake(wrong)
        off = (made.forward(name, wrong) - made.golden[name]).norm() / made.golden[name].norm()
        assert off > FORWARD["rel_l2"]
        REPORT.append(f"ok      {mistake.__name__}: {name} is off by {off:.1e}, {FORWARD['rel_l2']:.0e} is allowed")


def test_the_decoder(made):
    counts = {name: int(found[1]) for name in made.golden.tensors if (found := re.fullmatch(r"dec_T(\d+)", name))}
    for name, count in ({"dec_T1": 1, "dec_T3": 3} | counts).items():
        if name in made.golden:
            made.golden.check(name, decode_chunk(made.networks, made.inputs["dec_z"][:count]), **FORWARD)


def test_every_run(made):
    for name in made.config["runs"]:
        if name in made.golden:
            wanted = made.golden[name]
            made.golden.check(name, made.latents(name)[-made.run(name).last :][-len(wanted) :], **RUN)


def test_inside_later_segments(made):
    """What is predicted before blending, where the second step starts, and the segment's end."""
    found = {match.group(1, 2) for name in made.golden.tensors if (match := re.match(r"(.+)_seg(\d+)_", name))}
    for name, number in sorted(found):
        run, last = made.run(name), int(number)
        hints = [made.hints[list(hint_frames(segment, run.settings))] for segment in range(last + 1)]
        carry = first_carry(made.noise(run.seed, run.settings.num_frames, run.drawn).latents)
        for hint in hints[:-1]:
            _, carry = sample_segment(made.networks, made.condition(run), hint, carry, run.settings)
        compare_segment(made, f"{name}_seg{last}", hints[-1], carry, run)


def compare_segment(made, name, hint, carry, run):
    predictions: list[torch.Tensor] = []

    def on_step(step, of, denoised):
        predictions.append(denoised.clone())

    x0, after = sample_segment(made.networks, made.condition(run), hint, carry, run.settings, on_step)
    made.golden.check(f"{name}_x0", x0, **RUN)
    made.golden.check(f"{name}_denoised_step0_blendsrc", torch.cat([predictions[0][:1], after.denoised[0]]), **RUN)
    schedule, overlap = sigmas(run.settings.num_inference_steps), run.settings.overlap
    second = euler(carry.noise * (1 + schedule[0] ** 2) ** 0.5, predictions[0], schedule[0], schedule[1])
    made.golden.check(f"{name}_xt_step1", second[[0, 1, overlap + 1, 2 * overlap + 1, -1]], rel_l2=RUN["rel_l2"])


def test_frames(made):
    """From the image to the frames, and from the authors' latents to the frames."""
    chunks = Chunks(*made.params["dec"])
    found = [match for name in made.golden.tensors if (match := re.fullmatch(r"decode_(.+)_s(\d+)", name))]
    for name, run, step in (match.group(0, 1, 2) for match in found):
        wanted = made.golden[name]
        sources = (
            (made.golden.tensors.get(run), FORWARD["rel_l2"]),
            (made.latents(run) if run in made.config["runs"] else None, RUN["rel_l2"]),
        )
        for latents, limit in sources:
            if latents is None or len(latents) != len(wanted):
                REPORT.append(f"ABSENT  {name}: whole latents of {run} to decode, of {'the set' if limit < 5e-5 else 'a run'}")
                continue
            frames, pending = decode(made.networks, latents, last=True, chunks=chunks)
            assert len(pending.latents) <= chunks.overlap
            made.golden.check(name, frames[:, :, :: int(step), :: int(step)], rel_l2=limit)
            if {f"decode_{run}_full", f"decode_{run}_full_idx"} <= made.golden.tensors.keys():
                index = int(made.golden[f"decode_{run}_full_idx"])
                made.golden.check(f"decode_{run}_full", frames[index : index + 1], rel_l2=limit)


def test_the_first_frame_is_the_references_own(made):
    for name in made.config["runs"]:
        if not made.run(name).last and name in made.golden.tensors:
            assert torch.equal(made.latents(name)[:1], made.condition(made.run(name)).first_latents * SCALE)


def test_nothing_of_the_set_is_passed_over_in_silence(made):
    told = {line.split()[1].rstrip(":") for line in REPORT if line[:7].strip() in ("ok", "OFF")}
    for name in sorted(made.golden.tensors.keys() - told):
        if not name.endswith("_full_idx"):
            REPORT.append(f"UNKNOWN {name} is in this set and was compared with nothing")
