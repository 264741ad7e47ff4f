"""A style-based generator taught to draw: pairs of a latent and the face that it stands for, and no discriminator.

Adversarial training then starts from a generator that knows all that there is to be drawn. Three lessons, in order:
"synthesis" redraws people from their code, through a linear map to w; "mapping" learns from z to those w; "both" learn
together. Regression on pairs: Dosovitskiy et al. 2015 (chairs from their codes); the term for edges: Mathieu et al.
2016, sec. 3.3; that for a frozen network's features: Dosovitskiy and Brox 2016, sec. 3. Codes of three people meet as
in style mixing: coarse rows of ws draw coarse attributes, and so on.
"""

import copy
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from ganlab.config import Config, InvalidInput, knob
from ganlab.data.faces import ATTRIBUTES, render, sample
from ganlab.data.faces.draws import PHASES
from ganlab.data.faces.latents import CODE_DIM, IN_CODE, LABEL, LEVELS, Z_DIM, code, detail, mixed, people, truncated
from ganlab.features.faces import load_classifier
from ganlab.networks import stylegan2
from ganlab.nn.supervised import Supervised

LESSONS = ("synthesis", "mapping", "both")
LEVEL_ENDS = (0.25, 0.55)  # parts of the rows of ws that are coarse, and middle
LEAST_PSI = 0.5  # of truncated pairs
HAIRSTYLES = tuple(ATTRIBUTES[LABEL].options)
SHARES = torch.tensor([option.probability for option in ATTRIBUTES[LABEL].options.values()])  # of the hairstyles


@dataclass(frozen=True)
class PairsRun(Config):
    """Everything that decides one lesson."""

    lesson: str = knob("synthesis", "What learns", choices=LESSONS)
    images: int = knob(150_000, "Pairs seen in all", lo=1, hi=1_000_000_000)
    batch: int = knob(16, "Pairs in a step", lo=2, hi=8192)
    lr: float = knob(0.01, "Learning rate of Adam at its top, falling along a cosine", lo=1e-6, hi=1, log=True)
    edges: float = knob(1.0, "Weight of the error of differences between neighbouring pixels", lo=0, hi=100)
    features: float = knob(0.3, "Weight of the error of the classifier's feature maps", lo=0, hi=100)
    mixing: float = knob(0.35, "Share of pairs whose levels come from three people", lo=0, hi=1)
    truncation: float = knob(0.35, "Share of pairs that are truncated", lo=0, hi=1)
    ema: float = knob(0.998, "How much the averaged weights keep in a step", lo=0, hi=0.99999)
    seed: int = knob(0, "Decides people and changes", lo=0, hi=1 << 31)

    @property
    def steps(self) -> int:
        """Steps of the whole lesson."""
        return -(-self.images // self.batch)


class Pupil(nn.Module):
    """A generator, and the linear map from codes of people to its w."""

    def __init__(self, generator: stylegan2.Generator) -> None:
        super().__init__()
        if generator.c_dim != len(HAIRSTYLES) or generator.z_dim < Z_DIM or generator.w_dim < CODE_DIM:
            needs = f"{len(HAIRSTYLES)} classes (hairstyles), z_dim of {Z_DIM} and w_dim of {CODE_DIM} or more"
            raise InvalidInput("generator", f"must have {needs}")
        self.generator = generator.to(memory_format=torch.channels_last)
        self.embed = nn.Linear(CODE_DIM, generator.w_dim)
        nn.init.orthogonal_(self.embed.weight)
        rows = torch.arange(generator.num_ws) / generator.num_ws
        self.levels = torch.bucketize(rows, torch.tensor(LEVEL_ENDS), right=True)  # of each row of ws

    def ws(self, codes: Float[Tensor, "n 3 code"]) -> Float[Tensor, "n num_ws w_dim"]:
        """The rows of ws for codes of the coarse, the middle and the fine level."""
        w: Tensor = self.embed(codes)
        return w[:, self.levels]

    def draw(self, ws: Tensor) -> Float[Tensor, "n 3 h w"]:
        """Pictures, without noise."""
        images: Tensor = self.generator.synthesis(ws, noise_mode="none")
        return images


class PairsTraining(Supervised):
    """One lesson; step k depends on the run and what was before it alone."""

    def __init__(self, run: PairsRun, pupil: Pupil) -> None:
        self.run, self.step, self.model = run, 0, pupil
        self.critic = load_classifier().requires_grad_(False)
        self.average = copy.deepcopy(pupil).eval().requires_grad_(False)
        mapping: Any = pupil.generator.mapping
        slow = [p for name, p in mapping.named_parameters() if name.startswith("fc")]
        drawn = [*pupil.generator.synthesis.parameters(), *pupil.embed.parameters()]
        # the mapping's own learning rate is a hundredth, for adversarial training
        groups: dict[str, list[dict[str, Any]]] = {
            "synthesis": [{"params": drawn}],
            "mapping": [{"params": slow, "scale": 100.0}, {"params": mapping.embed.parameters()}],
            "both": [{"params": drawn}, {"params": slow, "scale": 10.0}],
        }
        self.optimizer = torch.optim.Adam(groups[run.lesson], run.lr, betas=(0.9, 0.99))

    def advance(self) -> Tensor:
        """One step; its loss."""
        rng = torch.Generator().manual_seed((self.run.seed << 32) + self.step)
        loss = getattr(self, f"_{self.run.lesson}")(rng)
        self.learn(loss)
        self.follow()
        return loss.detach()

    def _synthesis(self, rng: torch.Generator) -> Tensor:
        return self._drawn(*coded_pairs(self.run, self.step, self.run.batch, self._side, rng))

    def _mapping(self, rng: torch.Generator) -> Tensor:
        z, c, codes, _ = self._latent_pairs(self.run.batch, rng)
        with torch.no_grad():
            goal = self.model.embed(codes)
        wrong = self.model.generator.mapping(z, c)[:, 0] - goal
        return wrong.square().sum(1).mean()

    def _both(self, rng: torch.Generator) -> Tensor:
        """Half the pairs by way of z, half by codes: what the first lesson taught is not forgotten."""
        n = self.run.batch // 2
        z, c, _, images = self._latent_pairs(n, rng, draw=True)
        made = self.model.draw(self.model.generator.mapping(z, c))
        others = coded_pairs(self.run, self.step, n, self._side, rng)
        return (self._wrong(made, images) + self._drawn(*others)) / 2

    def _drawn(self, codes: Tensor, images: Tensor) -> Tensor:
        return self._wrong(self.model.draw(self.model.ws(codes)), images)

    def _wrong(self, made: Tensor, images: Tensor) -> Tensor:
        """The error of pixels, of edges and of features."""
        error = _distance(made - images, self.run.edges)
        if not self.run.features:
            return error
        with torch.no_grad():
            wanted = self.critic.maps(images)
        parts = [(a - b).abs().mean() / b.abs().mean() for a, b in zip(self.critic.maps(made), wanted)]
        return error + self.run.features * torch.stack(parts).mean()

    @property
    def _side(self) -> int:
        return int(self.model.generator.img_resolution)

    def _latent_pairs(self, n: int, rng: torch.Generator, draw: bool = False) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """z, one-hot classes, codes and, where wished, pictures of people as z decides them."""
        z = torch.randn(n, self.model.generator.z_dim, generator=rng)
        hairstyle = torch.multinomial(SHARES, n, replacement=True, generator=rng)
        who, phases = people(z, hairstyle)
        images = render(who, detail(phases), self._side) * 2 - 1 if draw else torch.empty(0)
        return z, F.one_hot(hairstyle, len(HAIRSTYLES)).float(), code(who, phases), images


def coded_pairs(
    run: PairsRun, step: int, n: int, side: int, rng: torch.Generator
) -> tuple[Float[Tensor, "n 3 code"], Float[Tensor, "n 3 h w"]]:
    """Codes of a coarse, a middle and a fine source, and pictures of who they make together, in [-1, 1]."""
    k = len(LEVELS)
    everybody = sample(run.seed, range(step * run.batch * k, step * run.batch * k + n * k))
    phases = torch.rand(n * k, PHASES, generator=rng)
    u = torch.rand(n, 3, generator=rng)
    psi = torch.where(u[:, 0] < run.truncation, LEAST_PSI + (1 - LEAST_PSI) * u[:, 1], 1.0)
    apart = u[:, 2] < run.mixing
    rows = torch.arange(n)
    sources = [torch.where(apart, rows + level * n, rows) for level in range(k)]
    who = [truncated(everybody.rows(source), psi) for source in sources]
    codes = torch.stack([code(each, phases[source]) for each, source in zip(who, sources)], 1)
    choices = torch.ones(CODE_DIM, dtype=torch.bool)
    for name, row in ATTRIBUTES.items():
        choices[IN_CODE[name]] = not row.continuous  # numbers are nearer to the middle already
    codes = torch.where(choices, codes * psi[:, None, None], codes)
    together = mixed((who[0], who[1], who[2]))
    nearer = (phases[:n] - 0.5) * psi[:, None] + 0.5
    return codes, render(together, detail(nearer), side) * 2 - 1


def _distance(wrong: Float[Tensor, "n c h w"], edges: float) -> Tensor:
    """The mean error of pixels, and of the differences between neighbours, so that outlines are sharp."""
    across = (wrong[..., 1:] - wrong[..., :-1]).abs().mean()
    down = (wrong[..., 1:, :] - wrong[..., :-1, :]).abs().mean()
    return wrong.abs().mean() + edges * (across + down)


@torch.no_grad()
def finished(pupil: Pupil, seed: int, count: int = 10_000) -> stylegan2.Generator:
    """The generator as it is kept: with its mean w, and without noise, which no lesson has seen."""
    generator: Any = pupil.generator.eval()
    rng = torch.Generator().manual_seed(seed)
    z = torch.randn(count, generator.z_dim, generator=rng)
    c = F.one_hot(torch.multinomial(SHARES, count, replacement=True, generator=rng), len(HAIRSTYLES)).float()
    generator.mapping.w_avg.copy_(generator.mapping(z, c)[:, 0].mean(0))
    for layer in generator.synthesis.layers():
        layer.noise_strength.zero_()
    made: stylegan2.Generator = generator
    return made
