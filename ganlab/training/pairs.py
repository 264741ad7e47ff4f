"""A style-based generator taught to draw: pairs of a latent and the face that it stands for, and no discriminator.

Adversarial training can start from such a generator, which knows all that there is to be drawn. The synthesis network
redraws people from the code of their attributes, w is a fixed rotation of that code, the mapping network learns from z
to w; later half the pictures come from z by way of both. Regression on pairs: Dosovitskiy et al. 2015 (chairs from
their codes); the term for edges: Mathieu et al. 2016, sec. 3.3; that for a frozen network's features: Dosovitskiy and
Brox 2016, sec. 3. Codes of three people meet as in style mixing: coarse rows of ws draw coarse attributes, and so on.
"""

import copy
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from ganlab.config import Config, InvalidInput, knob
from ganlab.data.faces import ATTRIBUTES, Attributes, render
from ganlab.data.faces.attributes import settled
from ganlab.data.faces.latents import CODE_DIM, IN_CODE, LABEL, LEVELS, Z_DIM, code, detail, mixed, people, truncated
from ganlab.features.faces import SIDE, load_classifier
from ganlab.networks import stylegan2
from ganlab.nn.supervised import Supervised

LEVEL_ENDS = (3, 6)  # rows of ws up to 8 px are coarse, up to the first at 32 px middle
LEAST_PSI = 0.5  # of truncated pairs
AHEAD = 16  # steps whose pairs are drawn together: a GPU would wait for its orders otherwise
HAIRSTYLES = tuple(ATTRIBUTES[LABEL].options)
SHARES = tuple(option.probability for option in ATTRIBUTES[LABEL].options.values())  # of the hairstyles


@dataclass(frozen=True)
class PairsRun(Config):
    """Everything that decides what is taught."""

    images: int = knob(150_000, "Pairs drawn in all", lo=1, hi=1_000_000_000)
    batch: int = knob(16, "Pairs in a step", lo=2, hi=8192)
    latents: int = knob(16, "Latents for each pair that the mapping network learns from", lo=1, hi=1024)
    lr: float = knob(0.01, "Learning rate of Adam at its top, falling along a cosine", lo=1e-6, hi=1, log=True)
    mapping_lr: float = knob(0.03, "That of the mapping network", lo=1e-6, hi=1, log=True)
    alone: float = knob(0.5, "Part of the run without pictures from z; later half of them are", lo=0, hi=1)
    edges: float = knob(1.0, "Weight of the error of differences between neighbouring pixels", lo=0, hi=100)
    features: float = knob(0.3, "Weight of the error of the classifier's feature maps", lo=0, hi=100)
    mixing: float = knob(0.35, "Share of coded pairs whose levels come from three people", lo=0, hi=1)
    truncation: float = knob(0.35, "Share of coded pairs that are truncated", lo=0, hi=1)
    even: float = knob(
        0.5, "Share of coded pairs whose choices are all as likely: rare ones are learned too", lo=0, hi=1
    )
    ema: float = knob(0.998, "How much the averaged weights keep in a step", lo=0, hi=0.99999)
    seed: int = knob(0, "Decides people and changes", lo=0, hi=1 << 31)

    @property
    def steps(self) -> int:
        """Steps of the whole training."""
        return -(-self.images // self.batch)


class Pupil(nn.Module):
    """A generator, and the rotation of codes of people to its w."""

    embed: Tensor

    def __init__(self, generator: stylegan2.Generator, seed: int = 0) -> None:
        super().__init__()
        if generator.c_dim != len(HAIRSTYLES) or generator.z_dim < Z_DIM or generator.w_dim < CODE_DIM:
            needs = f"{len(HAIRSTYLES)} classes (hairstyles), z_dim of {Z_DIM} and w_dim of {CODE_DIM} or more"
            raise InvalidInput("generator", f"must have {needs}")
        self.generator = generator.to(memory_format=torch.channels_last)
        square = torch.randn(generator.w_dim, generator.w_dim, generator=torch.Generator().manual_seed(seed))
        self.register_buffer("embed", torch.linalg.qr(square)[0][:CODE_DIM].contiguous())
        ends = torch.tensor(LEVEL_ENDS)
        self.register_buffer("levels", torch.bucketize(torch.arange(generator.num_ws), ends, right=True), False)
        top = generator.img_resolution
        self.scales = tuple(side for side in generator.synthesis.block_resolutions if side >= min(SIDE, top))

    def w(self, codes: Float[Tensor, "*n code"]) -> Float[Tensor, "*n w_dim"]:
        """What codes are in W."""
        return codes @ self.embed

    def ws(self, codes: Float[Tensor, "n 3 code"]) -> Float[Tensor, "n num_ws w_dim"]:
        """The rows of ws for codes of the coarse, the middle and the fine level."""
        levels: Any = self.levels
        return self.w(codes)[:, levels]

    def draw(self, ws: Tensor) -> list[Float[Tensor, "n 3 h w"]]:
        """Pictures without noise, of each of `scales`: what a generator that stops there makes."""
        images: list[Tensor] = []
        blocks = [getattr(self.generator.synthesis, f"b{side}") for side in self.scales]
        hooks = [block.register_forward_hook(lambda _, __, made: images.append(made[1])) for block in blocks]
        try:
            self.generator.synthesis(ws, noise_mode="none")
        finally:
            for hook in hooks:
                hook.remove()
        return images


class Plan(NamedTuple):
    """The pairs of a few steps, and the first half of each step's latents where they are to be drawn from z."""

    codes: Float[Tensor, "steps n 3 code"]
    coded: list[Float[Tensor, "steps n 3 h w"]]  # of each scale
    z: Float[Tensor, "steps m z_dim"]
    c: Float[Tensor, "steps m classes"]
    seen: list[Float[Tensor, "steps m 3 h w"]]


class PairsTraining(Supervised):
    """Step k depends on the run and what was before it alone."""

    def __init__(self, run: PairsRun, pupil: Pupil, device: str | torch.device = "cpu") -> None:
        self.run, self.step, self.device = run, 0, torch.device(device)
        self.model = pupil.to(self.device)
        self.critic = load_classifier().to(self.device).requires_grad_(False)
        self.average = copy.deepcopy(pupil).eval().requires_grad_(False)
        self._plan: tuple[int, Plan] | None = None
        mapping: Any = pupil.generator.mapping
        slow = [p for name, p in mapping.named_parameters() if name.startswith("fc")]
        ratio = run.mapping_lr / run.lr
        # the mapping's own learning rate is a hundredth, for adversarial training
        groups: list[dict[str, Any]] = [
            {"params": list(pupil.generator.synthesis.parameters())},
            {"params": slow, "scale": 100 * ratio},
            {"params": list(mapping.embed.parameters()), "scale": ratio},
        ]
        self.optimizer = torch.optim.Adam(groups, run.lr, betas=(0.9, 0.99))

    def advance(self) -> Tensor:
        """One step; its loss: of pictures, with a hundredth of the squared distance of w's."""
        plan, at = self._planned(), self.step % AHEAD
        loss = self._wrong(self.model.draw(self.model.ws(plan.codes[at])), [images[at] for images in plan.coded])
        if plan.z.numel():
            ws = self.model.generator.mapping(plan.z[at], plan.c[at])
            loss = (loss + self._wrong(self.model.draw(ws), [images[at] for images in plan.seen])) / 2
        told = loss.detach()
        self.learn(loss + 0.01 * self._mapping_error())
        self.follow()
        return told

    def _mapping_error(self) -> Tensor:
        with torch.device(self.device):
            z, c, who, phases = _latents(self.run.batch * self.run.latents, self._z_dim, self._rng(self.step, 1))
            goal = self.model.w(code(who, phases))
        wrong: Tensor = self.model.generator.mapping(z, c)[:, 0] - goal
        return wrong.square().sum(1).mean()

    def _planned(self) -> Plan:
        number = self.step // AHEAD
        if self._plan is None or self._plan[0] != number:
            with torch.device(self.device), torch.no_grad():
                self._plan = number, self._drawn(number)
        return self._plan[1]

    def _drawn(self, number: int) -> Plan:
        later = number * AHEAD >= self.run.alone * self.run.steps
        m = self.run.batch // 2 if later else 0
        n, rng = self.run.batch - m, self._rng(number, 0)
        codes, coded = coded_pairs(self.run, n * AHEAD, self.model.scales, rng)
        z, c, who, phases = _latents(m * AHEAD, self._z_dim, rng)
        seen = _pictures(who, phases, self.model.scales) if m else []

        def split(part: Tensor) -> Tensor:
            return part.unflatten(0, (AHEAD, len(part) // AHEAD))

        return Plan(split(codes), [split(part) for part in coded], split(z), split(c), [split(part) for part in seen])

    def _wrong(self, made: list[Tensor], images: list[Tensor]) -> Tensor:
        """The error of pixels, of edges and of features; the mean over scales."""
        return torch.stack([self._wrong_at(one, other) for one, other in zip(made, images)]).mean()

    def _wrong_at(self, made: Tensor, images: Tensor) -> Tensor:
        error = _distance(made - images, self.run.edges)
        if not self.run.features:
            return error
        with torch.no_grad():
            wanted = self.critic.maps(images)
        parts = [(a - b).abs().mean() / b.abs().mean() for a, b in zip(self.critic.maps(made), wanted)]
        return error + self.run.features * torch.stack(parts).mean()

    def _rng(self, number: int, stream: int) -> torch.Generator:
        return torch.Generator(self.device).manual_seed((self.run.seed << 32) + 2 * number + stream)

    @property
    def _z_dim(self) -> int:
        return int(self.model.generator.z_dim)


def _latents(n: int, z_dim: int, rng: torch.Generator) -> tuple[Tensor, Tensor, Attributes, Tensor]:
    """z, one-hot classes, and who they are with the phases of their detail; on the default device."""
    z = torch.randn(n, z_dim, generator=rng, device=rng.device)
    u = torch.rand(n, generator=rng, device=rng.device)
    shares = torch.tensor(SHARES)
    hairstyle = torch.searchsorted(shares.cumsum(0) / shares.sum(), u).clamp(max=len(SHARES) - 1)
    who, phases = people(z, hairstyle)
    return z, F.one_hot(hairstyle, len(SHARES)).float(), who, phases


def _pictures(who: Attributes, phases: Tensor, scales: tuple[int, ...]) -> list[Tensor]:
    return [render(who, detail(phases), side) * 2 - 1 for side in scales]


def coded_pairs(
    run: PairsRun, n: int, scales: tuple[int, ...], rng: torch.Generator
) -> tuple[Float[Tensor, "n 3 code"], list[Float[Tensor, "n 3 h w"]]]:
    """Codes of a coarse, a middle and a fine source, and pictures of who they make together, in [-1, 1]."""
    k, device = len(LEVELS), rng.device
    _, _, everybody, phases = _latents(n * k, Z_DIM, rng)
    everybody = _some_evenly(everybody, run.even, rng)
    u = torch.rand(n, 3, generator=rng, device=device)
    psi = torch.where(u[:, 0] < run.truncation, LEAST_PSI + (1 - LEAST_PSI) * u[:, 1], 1.0)
    apart = u[:, 2] < run.mixing
    rows = torch.arange(n, device=device)
    sources = [torch.where(apart, rows + level * n, rows) for level in range(k)]
    who = [truncated(everybody.rows(source), psi) for source in sources]
    codes = torch.stack([code(each, phases[source]) for each, source in zip(who, sources)], 1)
    choices = torch.ones(CODE_DIM, dtype=torch.bool, device=device)
    for name, row in ATTRIBUTES.items():
        choices[IN_CODE[name]] = not row.continuous  # numbers are nearer to the middle already
    codes = torch.where(choices, codes * psi[:, None, None], codes)
    together = mixed((who[0], who[1], who[2]))
    nearer = (phases[:n] - 0.5) * psi[:, None] + 0.5
    return codes, _pictures(together, nearer, scales)


def _some_evenly(people: Attributes, share: float, rng: torch.Generator) -> Attributes:
    """A share of people makes every choice anew, no option likelier than another."""
    n, device = len(people), rng.device
    some = torch.rand(n, generator=rng, device=device) < share
    values = dict(people.values)
    for name, row in ATTRIBUTES.items():
        if not row.continuous:
            new = torch.randint(len(row.options), (n,), generator=rng, device=device)
            values[name] = torch.where(some, new, values[name])
    return Attributes(settled(values))


def _distance(wrong: Float[Tensor, "n c h w"], edges: float) -> Tensor:
    """The mean error of pixels, and of the differences between neighbours, so that outlines are sharp."""
    across = (wrong[..., 1:] - wrong[..., :-1]).abs().mean()
    down = (wrong[..., 1:, :] - wrong[..., :-1, :]).abs().mean()
    return wrong.abs().mean() + edges * (across + down)


@torch.no_grad()
def finished(pupil: Pupil, seed: int, count: int = 10_000) -> stylegan2.Generator:
    """The generator as it is kept, on the CPU: with its mean w, and without noise, which it has never seen."""
    generator: Any = pupil.generator.eval().cpu()
    z, c, _, _ = _latents(count, generator.z_dim, torch.Generator().manual_seed(seed))
    generator.mapping.w_avg.copy_(generator.mapping(z, c)[:, 0].mean(0))
    for layer in generator.synthesis.layers():
        layer.noise_strength.zero_()
    made: stylegan2.Generator = generator
    return made


@torch.no_grad()
def lower(generator: stylegan2.Generator, arguments: dict[str, Any]) -> stylegan2.Generator:
    """The first layers of a generator, as one of a lower resolution; `arguments` are its own."""
    with torch.device("meta"):
        made = stylegan2.Generator(**arguments)
    own, whole = made.state_dict(), generator.state_dict()
    made.load_state_dict({name: whole[name].clone() for name in own}, assign=True)
    return made.eval()
