"""FlipSketch's sampling as its authors' calls are described (SPEC §4 to §7), nothing saved: what the engine's own is compared with.

Two calls a step of the inversion, every pass by itself, attention as full matrices, ten alignment steps with gradients of all weights.
Knows diffusers' UNet and no module of the engine.
"""

from dataclasses import dataclass, field

import torch


@dataclass
class Plainly:
    """A UNet with its schedule's `alphas_cumprod` (1000,) and the settings of a run. `taus`: steps of alignment, last step of composition."""

    unet: torch.nn.Module
    alphas: torch.Tensor
    steps: int
    guidance: float
    fidelity: float
    taus: tuple[int, int]
    align: bool = True
    compose: bool = True
    calls: list[tuple[str, int, int]] = field(default_factory=list)
    """(what, rows, frames) of each call of the network."""
    mode: str = "off"
    kept: dict = field(default_factory=dict)

    def __post_init__(self):
        processors = {}
        for name in self.unet.attn_processors:
            place = "temporal" if "temp_attentions" in name or name.startswith("transformer_in") else "spatial"
            processors[name] = Eager(self, name, place if "attn1" in name else "")
        self.unet.set_attn_processor(processors)
        stride = 1000 // self.steps
        self.timesteps = [1 + stride * step for step in reversed(range(self.steps))]

    def call(self, what, latents, timestep, text):
        self.calls.append((what, len(latents), latents.shape[2]))
        self.frames, self.rows = latents.shape[2], len(latents)
        return self.unet(latents, timestep, encoder_hidden_states=text.expand(len(latents), -1, -1), return_dict=False)[0]

    def move(self, latents, eps, at, to):
        """Latents at one noise level moved to another; a level below 0 is the schedule's last."""
        a, b = (self.alphas[level] if level >= 0 else self.alphas[0] for level in (at, to))
        return b.sqrt() * (latents - (1 - a).sqrt() * eps) / a.sqrt() + (1 - b).sqrt() * eps

    def invert(self, latents, null):
        with torch.no_grad():
            for t in reversed(self.timesteps):
                cond, uncond = self.call("inversion", latents, t, null), self.call("inversion", latents, t, null)
                latents = self.move(latents, uncond + self.guidance * (uncond - cond), t - 1000 // self.steps, t)
        return latents.mean(2, keepdim=True)

    def sample(self, noise, reference, prompt, negative, null):
        frames = noise.shape[2]
        reference = reference.expand(len(noise), -1, frames, -1, -1)
        latents = torch.cat([reference[:, :, :1], noise[:, :, 1:]], 2)
        for index, t in enumerate(self.timesteps):
            reference = reference[:, :, : max(1, frames - index)]
            if self.align and index < self.taus[0]:
                latents = self.aligned(latents, reference, t, prompt, null)
            with torch.no_grad():
                latents, reference = self.step(index, t, latents, reference, prompt, negative, null)
        return latents

    def step(self, index, t, latents, reference, prompt, negative, null):
        def guided(uncond, cond):
            return uncond + self.guidance * (cond - uncond) if self.guidance > 1 else cond

        uncond = self.call("A", latents, t, negative)
        away = self.call("B", reference, t, negative)
        if index <= self.taus[1]:
            self.mode = "record"
            still = self.call("C", reference, t, null)
            reference = self.move(reference, guided(away, still), t, t - 1000 // self.steps)
        self.mode = "compose" if self.compose and index <= self.taus[1] else "off"
        cond = self.call("D", latents, t, prompt)
        self.mode = "off"
        return self.move(latents, guided(uncond, cond), t, t - 1000 // self.steps), reference

    def aligned(self, latents, reference, t, prompt, null):
        with torch.no_grad():
            target = self.call("target", reference[:, :, :1], t, null)[:, :, 0]
        others = latents[:, :, 1:].clone().requires_grad_()
        adam = torch.optim.Adam([others], lr=1e-3)
        for _ in range(10):
            given = torch.cat([reference[:, :, :1], others], 2)
            eps = self.call("align", given, t, prompt)
            adam.zero_grad()
            torch.nn.functional.mse_loss(eps[:, :, 0], target).backward()
            adam.step()
        return given.detach()


class Eager:
    """Attention as matrices that are written out; `place` is where it is composed: spatial, temporal, or nowhere."""

    def __init__(self, run, name, place):
        self.run, self.name, self.place = run, name, place

    def __call__(self, attn, hidden_states, encoder_hidden_states=None, attention_mask=None, **_):
        context = hidden_states if encoder_hidden_states is None else encoder_hidden_states
        query, key, value = (attn.head_to_batch_dim(t) for t in (attn.to_q(hidden_states), attn.to_k(context), attn.to_v(context)))
        if self.run.mode == "record" and self.place:
            self.run.kept[self.name] = (query, key)
        composes = self.run.mode == "compose" and self.place
        if composes and self.place == "spatial":
            query = self.with_reference(query)
        scores = torch.baddbmm(
            query.new_zeros(len(query), query.shape[1], key.shape[1]), query, key.transpose(1, 2), beta=0, alpha=attn.scale
        )
        if composes and self.place == "temporal":
            logits = (query @ self.run.kept[self.name][1][:, :1].transpose(1, 2))[..., 0] * attn.scale
            ramp = 1 + self.run.fidelity * torch.arange(query.shape[1]) / 50
            scores = torch.cat([(logits * ramp)[..., None], scores[..., 1:]], -1)
        return attn.to_out[0](attn.batch_to_head_dim(scores.softmax(-1) @ value))

    def with_reference(self, query):
        """The queries of the clip's first frames replaced by the reference's: rows are (b, frame, head)."""
        own, reference = (rows.unflatten(0, (self.run.rows, -1)) for rows in (query, self.run.kept[self.name][0]))
        return torch.cat([reference, own[:, reference.shape[1] :]], 1).flatten(0, 1)
