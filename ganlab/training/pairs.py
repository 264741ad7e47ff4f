"""A style-based generator taught to draw: pairs of a latent and the face that it stands for.

w is a fixed rotation of the code of somebody's attributes. Three lessons, in order: "mapping" learns from z to w;
"drawing" redraws people, half of them from their codes and half from z; "rival" does so against a discriminator as
well, which sees what an error of pixels forgives. Regression on pairs: Dosovitskiy et al. 2015 (chairs from their
codes); the term for edges: Mathieu et al. 2016, sec. 3.3; that for a frozen network's features: Dosovitskiy and Brox
2016, sec. 3; with a discriminator: Isola et al. 2017, eq. 4. Codes of three people meet as in style mixing: coarse rows
of ws draw coarse attributes, and so on.
"""

import copy
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn
from torch.func import functional_call

from ganlab.config import Config, InvalidInput, knob
from ganlab.data.faces import ATTRIBUTES, Attributes, render
from ganlab.data.faces.attributes import settled
from ganlab.data.faces.latents import CODE_DIM, IN_CODE, LABEL, LEVELS, Z_DIM, code, detail, mixed, people, truncated
from ganlab.features.faces import SIDE, load_classifier
from ganlab.networks import stylegan2
from ganlab.nn.precision import PRECISIONS, convolving
from ganlab.nn.supervised import Supervised

LESSONS = ("mapping", "drawing", "rival")
LEVEL_ENDS = (3, 6)  # rows of ws up to 8 px are coarse, up to the first at 32 px middle
LEAST_PSI = 0.5  # of truncated pairs
R1_INTERVAL = 16
ROUGH_FROM, LOOKED_AT = 16, 64  # pixels from which layers get noise; pictures that its strength is measured on
AHEAD = 16  # steps whose pairs are drawn together: a GPU would wait for its orders otherwise
HAIRSTYLES = tuple(ATTRIBUTES[LABEL].options)
SHARES = tuple(option.probability for option in ATTRIBUTES[LABEL].options.values())  # of the hairstyles


@dataclass(frozen=True)
class PairsRun(Config):
    """Everything that decides one lesson."""

    lesson: str = knob("drawing", "What learns", choices=LESSONS)
    images: int = knob(150_000, "Pairs in all; of latents and w's where the mapping network learns", lo=1, hi=10**12)
    batch: int = knob(16, "Pairs in a step", lo=2, hi=1 << 20)
    lr: float = knob(0.01, "Learning rate of Adam at its top, falling along a cosine", lo=1e-6, hi=1, log=True)
    edges: float = knob(1.0, "Weight of the error of differences between neighbouring pixels", lo=0, hi=100)
    squares: float = knob(1.0, "Weight of the squares of both errors", lo=0, hi=100)
    features: float = knob(0.3, "Weight of the error of the classifier's feature maps", lo=0, hi=100)
    pairs: float = knob(10.0, "Weight of all that beside a discriminator", lo=0, hi=1000)
    r1: float = knob(0.05, "Weight of R1 against a discriminator's gradient on real faces", lo=0, hi=1000)
    mixing: float = knob(0.35, "Share of coded pairs whose levels come from three people", lo=0, hi=1)
    truncation: float = knob(0.35, "Share of coded pairs that are truncated", lo=0, hi=1)
    even: float = knob(
        0.5, "Share of coded pairs whose choices are all as likely: rare ones are learned too", lo=0, hi=1
    )
    ema: float = knob(0.998, "How much the averaged weights keep in a step", lo=0, hi=0.99999)
    precision: str = knob("auto", "Of convolutions; auto: bf16 where the device is made for it", choices=PRECISIONS)
    seed: int = knob(0, "Decides people and changes", lo=0, hi=1 << 31)

    @property
    def steps(self) -> int:
        """Steps of the whole lesson."""
        return -(-self.images // self.batch)


class Pupil(nn.Module):
    """A generator, the rotation of codes of people to its w, and the discriminator of the last lesson."""

    embed: Tensor

    def __init__(
        self, generator: stylegan2.Generator, rival: stylegan2.Discriminator | None = None, seed: int = 0
    ) -> None:
        super().__init__()
        if generator.c_dim != len(HAIRSTYLES) or generator.z_dim < Z_DIM or generator.w_dim < CODE_DIM:
            needs = f"{len(HAIRSTYLES)} classes (hairstyles), z_dim of {Z_DIM} and w_dim of {CODE_DIM} or more"
            raise InvalidInput("generator", f"must have {needs}")
        self.generator = generator.to(memory_format=torch.channels_last)
        self.rival = None if rival is None else rival.to(memory_format=torch.channels_last)
        square = torch.randn(generator.w_dim, generator.w_dim, generator=torch.Generator().manual_seed(seed))
        self.register_buffer("embed", torch.linalg.qr(square)[0][:CODE_DIM].contiguous())
        ends = torch.tensor(LEVEL_ENDS)
        self.register_buffer("levels", torch.bucketize(torch.arange(generator.num_ws), ends, right=True), False)
        top = generator.img_resolution
        sides: Any = generator.synthesis.block_resolutions
        self.scales: tuple[int, ...] = tuple(side for side in sides if side >= min(SIDE, top))

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
    """The pairs of a few steps: those of codes first, then those of z."""

    codes: Float[Tensor, "steps n 3 code"]
    z: Float[Tensor, "steps m z_dim"]
    c: Float[Tensor, "steps m classes"]
    images: list[Float[Tensor, "steps n_and_m 3 h w"]]  # of each scale


class PairsTraining(Supervised):
    """One lesson; step k depends on the run and what was before it alone."""

    def __init__(self, run: PairsRun, pupil: Pupil, device: str | torch.device = "cpu") -> None:
        self.run, self.step, self.device = run, 0, torch.device(device)
        if run.lesson == "rival" and pupil.rival is None:
            raise InvalidInput("lesson", "the last lesson needs a pupil with a discriminator")
        self.model = pupil.to(self.device)
        self.critic = load_classifier().to(self.device).requires_grad_(False)
        self.average = copy.deepcopy(pupil).eval().requires_grad_(False)
        self._plan: tuple[int, Plan] | None = None
        mapping: Any = pupil.generator.mapping
        drawn = list(pupil.generator.synthesis.parameters())
        slow = [p for name, p in mapping.named_parameters() if name.startswith("fc")]
        label = list(mapping.embed.parameters())
        # the mapping's own learning rate is a hundredth, for adversarial training
        groups: dict[str, list[dict[str, Any]]] = {
            "mapping": [{"params": slow, "scale": 100.0}, {"params": label}],
            "drawing": [{"params": drawn}, {"params": slow, "scale": 30.0}, {"params": label, "scale": 0.1}],
            "rival": [{"params": drawn}, {"params": slow, "scale": 10.0}, {"params": label, "scale": 0.1}],
        }
        chosen = groups[run.lesson]
        if run.lesson == "rival" and pupil.rival is not None:
            chosen.append({"params": list(pupil.rival.parameters()), "betas": (0.0, 0.99)})
        self.optimizer = torch.optim.Adam(chosen, run.lr, betas=(0.0 if run.lesson == "rival" else 0.9, 0.99))

    def advance(self) -> Tensor:
        """One step; the error of its pictures, or of its w's."""
        told, loss = self._mapping() if self.run.lesson == "mapping" else self._drawing()
        self.learn(loss)
        self.follow()
        return told.detach()

    def _mapping(self) -> tuple[Tensor, Tensor]:
        with torch.device(self.device):
            z, c, who, phases = _latents(self.run.batch, self._z_dim, self._rng(self.step))
            goal = self.model.w(code(who, phases))
        loss = (self.model.generator.mapping(z, c)[:, 0] - goal).square().sum(1).mean()
        return loss, loss

    def _drawing(self) -> tuple[Tensor, Tensor]:
        plan, at = self._planned(), self.step % AHEAD
        real = [images[at] for images in plan.images]
        mapped = self.model.generator.mapping(plan.z[at], plan.c[at])
        ws = torch.cat([self.model.ws(plan.codes[at]), mapped])
        with convolving(self.device, self.run.precision):
            made = self.model.draw(ws)
            error = self._wrong(made, real)
            if self.run.lesson == "drawing":
                return error, error
            return error, self.run.pairs * error + self._contest(made[-1], real[-1])

    def _contest(self, made: Tensor, real: Tensor) -> Tensor:
        """The non-saturating losses of both, each with gradients for its own alone, and lazy R1."""
        rival = self.model.rival
        judged = functional_call(rival, {name: p.detach() for name, p in rival.named_parameters()}, made)
        losses = F.softplus(-judged).mean() + F.softplus(rival(made.detach())).mean() + F.softplus(-rival(real)).mean()
        if self.step % R1_INTERVAL or not self.run.r1:
            return losses
        seen = real.detach().requires_grad_(True)
        (slope,) = torch.autograd.grad(rival(seen).sum(), seen, create_graph=True)
        return losses + R1_INTERVAL * self.run.r1 * slope.square().sum((1, 2, 3)).mean()

    def _planned(self) -> Plan:
        number = self.step // AHEAD
        if self._plan is None or self._plan[0] != number:
            with torch.device(self.device), torch.no_grad():
                self._plan = number, self._drawn(number)
        return self._plan[1]

    def _drawn(self, number: int) -> Plan:
        m = self.run.batch // 2
        n, rng = self.run.batch - m, self._rng(number)
        codes, coded = coded_pairs(self.run, n * AHEAD, self.model.scales, rng)
        z, c, who, phases = _latents(m * AHEAD, self._z_dim, rng)

        def split(part: Tensor) -> Tensor:
            return part.unflatten(0, (AHEAD, len(part) // AHEAD))

        seen = _pictures(who, phases, self.model.scales)
        images = [torch.cat([split(one), split(other)], 1) for one, other in zip(coded, seen)]
        return Plan(split(codes), split(z), split(c), images)

    def _wrong(self, made: list[Tensor], images: list[Tensor]) -> Tensor:
        """The error of pixels, of edges and of features; the mean over scales."""
        return torch.stack([self._wrong_at(one, other) for one, other in zip(made, images)]).mean()

    def _wrong_at(self, made: Tensor, images: Tensor) -> Tensor:
        error = _distance(made - images, self.run.edges, self.run.squares)
        if not self.run.features:
            return error
        with torch.no_grad():
            wanted = self.critic.maps(images)
        pairs = [(a.float(), b.float()) for a, b in zip(self.critic.maps(made), wanted)]
        parts = [(a - b).abs().mean() / b.abs().mean() for a, b in pairs]
        return error + self.run.features * torch.stack(parts).mean()

    def _rng(self, number: int) -> torch.Generator:
        return torch.Generator(self.device).manual_seed((self.run.seed << 32) + number)

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


def _distance(wrong: Float[Tensor, "n c h w"], edges: float, squares: float) -> Tensor:
    """The mean error of pixels, and of the differences between neighbours, so that outlines are sharp."""
    across, down = wrong[..., 1:] - wrong[..., :-1], wrong[..., 1:, :] - wrong[..., :-1, :]
    parts = [(wrong, 1.0), (across, edges), (down, edges)]
    return torch.stack([weight * (e.abs().mean() + squares * e.square().mean()) for e, weight in parts]).sum()


@torch.no_grad()
def finished(pupil: Pupil, seed: int, noise: float = 0.0, count: int = 10_000) -> stylegan2.Generator:
    """The generator as it is kept, on the CPU, with its mean w.

    It has never seen noise. From 16 px on its inputs get `noise` of the deviation of what a layer makes: a little
    roughens hair and paper, and can be studied.
    """
    generator: Any = pupil.generator.eval().cpu()
    z, c, _, _ = _latents(count, generator.z_dim, torch.Generator().manual_seed(seed))
    ws = generator.mapping(z, c)
    generator.mapping.w_avg.copy_(ws[:, 0].mean(0))
    for layer, deviation in zip(generator.synthesis.layers(), _deviations(generator, ws[:LOOKED_AT])):
        layer.noise_strength.fill_(noise * deviation if layer.resolution >= ROUGH_FROM else 0.0)
    made: stylegan2.Generator = generator
    return made


def _deviations(generator: Any, ws: Tensor) -> list[float]:
    """Of what each layer makes without noise."""
    layers, seen = generator.synthesis.layers(), list[float]()
    hooks = [layer.register_forward_hook(lambda _, __, made: seen.append(float(made.std()))) for layer in layers]
    try:
        generator.synthesis(ws, noise_mode="none")
    finally:
        for hook in hooks:
            hook.remove()
    return seen


@torch.no_grad()
def lower(generator: stylegan2.Generator, arguments: dict[str, Any]) -> stylegan2.Generator:
    """The first layers of a generator, as one of a lower resolution; `arguments` are its own."""
    with torch.device("meta"):
        made = stylegan2.Generator(**arguments)
    own, whole = made.state_dict(), generator.state_dict()
    made.load_state_dict({name: whole[name].clone() for name in own}, assign=True)
    return made.eval()
