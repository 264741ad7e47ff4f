"""StackGAN (Zhang et al. 2017): stage I draws a small picture of a condition, stage II corrects and enlarges it.

The condition is a class here, embedded; conditioning augmentation draws each stage's condition from a normal
distribution about it, which a Kullback-Leibler term holds near N(0, I) (sec. 3.2). All that is drawn stands in z.
Stage I learns first, then stage II with stage I as it is (sec. 3.5): `phase` says who does.
"""

import itertools

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from ganlab.networks import dcgan
from ganlab.networks.biggan import Mapping, larger
from ganlab.networks.several import Levels, SeveralGenerator, class_planes, joined, taken_apart

SMALLER = 4  # times smaller than stage II's is stage I's picture, as 64 is than 256
RESIDUALS = 2  # blocks between stage II's halves
BOTH, FIRST, SECOND = range(3)  # phases


class Phased(nn.Module):
    """What has a `phase`, as a buffer: it travels with the weights."""

    phase: Tensor

    def begin(self) -> None:
        """Both stages at first."""
        self.register_buffer("phase", torch.tensor(float(BOTH)))

    def grow(self, level: float) -> None:
        """Stage I alone until level 1 is reached, which takes twice `grow_kimg`; then stage II."""
        self.phase.fill_(FIRST if level < 1 else SECOND)

    @property
    def learns(self) -> tuple[bool, bool]:
        """Whether stage I does, and stage II."""
        phase = int(self.phase)
        return phase != SECOND, phase != FIRST


class ConditioningAugmentation(nn.Module):
    """A label to a normal distribution, and a condition drawn from it (sec. 3.2)."""

    def __init__(self, c_dim: int, size: int) -> None:
        super().__init__()
        self.linear = nn.Linear(max(1, c_dim), 2 * size)  # without classes there is one condition, which is learned

    def spread(self, c: Float[Tensor, "n c_dim"]) -> tuple[Float[Tensor, "n size"], Float[Tensor, "n size"]]:
        """Mean and logarithm of the variance."""
        mean, log_variance = F.leaky_relu(self.linear(c if c.shape[1] else c.new_ones(len(c), 1)), 0.2).chunk(2, 1)
        return mean, log_variance

    def forward(self, c: Float[Tensor, "n c_dim"], noise: Float[Tensor, "n size"]) -> Float[Tensor, "n size"]:
        mean, log_variance = self.spread(c)
        return mean + (log_variance / 2).exp() * noise

    def divergence(self, c: Float[Tensor, "n c_dim"]) -> Float[Tensor, ""]:
        """KL(N(mu, Sigma) || N(0, I)), the mean over a batch (eq. 2)."""
        mean, log_variance = self.spread(c)
        return (mean.square() + log_variance.exp() - 1 - log_variance).sum(1).mean() / 2


class SynthesisNetwork(Levels, Phased):
    """ws to an image; z holds stage I's noise, and what both conditions are drawn with."""

    def __init__(
        self, z_dim: int, c_dim: int, img_resolution: int, img_channels: int, channel_base: int, channel_max: int
    ) -> None:
        small = max(4, img_resolution // SMALLER)
        super().__init__(z_dim + c_dim, img_resolution, img_channels, [small, img_resolution], [img_channels] * 2)
        self.z_dim, size = z_dim, max(1, z_dim // 4)
        self.parts = slice(0, z_dim - 2 * size), slice(z_dim - 2 * size, z_dim - size), slice(z_dim - size, z_dim)
        self.condition = nn.ModuleList(ConditioningAugmentation(c_dim, size) for _ in range(2))
        self.first = dcgan.SynthesisNetwork(z_dim - size, small, img_channels, channel_base, channel_max)
        self.second = _Second(size, small, img_resolution, img_channels, channel_base, channel_max)
        self.begin()

    def stage(self, k: int, x: Tensor | None, w: Float[Tensor, "n w_dim"]) -> Float[Tensor, "n c s s"]:
        """Level 0 is stage I; level 1 stage II, or stage I's picture enlarged while stage II has learned nothing."""
        noise, c = w[:, self.parts[k + 1]], w[:, self.z_dim :]
        if k == 0 or x is None:
            condition = self.condition[0](c, noise)
            made: Tensor = self.first(torch.cat([w[:, self.parts[0]], condition], 1)[:, None])
            return made
        if not self.learns[1]:
            return F.interpolate(x, scale_factor=self.sides[1] // self.sides[0], mode="nearest")
        refined: Tensor = self.second(x, self.condition[1](c, noise))
        return refined


class Generator(SeveralGenerator):
    """G(z, c), both stages."""

    synthesis: SynthesisNetwork

    def __init__(
        self,
        z_dim: int,
        c_dim: int,
        img_resolution: int,
        img_channels: int,
        channel_base: int = 4096,
        channel_max: int = 128,
    ) -> None:
        synthesis = SynthesisNetwork(z_dim, c_dim, img_resolution, img_channels, channel_base, channel_max)
        super().__init__(z_dim, c_dim, synthesis, Mapping(z_dim, c_dim, 0, synthesis.num_ws))

    def grow(self, level: float) -> None:
        """As `Phased.grow`."""
        self.synthesis.grow(level)

    def of_data(self, real: Tensor, c: Tensor | None, rng: torch.Generator | None = None) -> Float[Tensor, "n p"]:
        """Pictures in both sizes."""
        return joined([F.interpolate(real, self.synthesis.sides[0], mode="area"), real])

    def of_fakes(self, z: Tensor, c: Tensor | None, real: Tensor) -> Float[Tensor, "n p"]:
        """The pictures of both stages; a stage that does not learn gets no gradient, nor does stage I by stage II."""
        ws, (first, _) = self.mapping(z, c), self.synthesis.learns
        with torch.set_grad_enabled(first and torch.is_grad_enabled()):
            small = self.synthesis.stage(0, None, ws[:, 0])
        return joined([small, self.synthesis.stage(1, small.detach(), ws[:, 1])])

    def owes(self, D: nn.Module, z: Tensor, c: Tensor | None, real: Tensor, fake: Tensor) -> dict[str, Tensor]:
        """The divergence of the conditions of the stages that learn (eq. 2; lambda = 1, sec. 3.3)."""
        label = z.new_zeros(len(z), 0) if c is None else c
        learning = [part for part, learns in zip(self.synthesis.condition, self.synthesis.learns) if learns]
        return {"kl": torch.stack([part.divergence(label) for part in learning]).sum()}  # type: ignore[operator]

    def owed_by_d(
        self, D: nn.Module, z: Tensor, c: tuple[Tensor | None, Tensor | None], real: Tensor, fake: Tensor
    ) -> dict[str, Tensor]:
        """D is matching-aware: data with another's label are no better than fakes (Reed et al. 2016; sec. 3.5)."""
        of_data, other = c
        if of_data is None or other is None:
            return {}
        wrong = (of_data.argmax(1) != other.argmax(1)).float()[:, None]
        said = F.softplus(D(real, other)) * wrong
        return {"mismatched": said.mean()}


class Discriminator(Phased):
    """D(examples, c): a logit for each stage that learns, [N, 1] or [N, 2]; labels meet features at 4 x 4."""

    def __init__(
        self, c_dim: int, img_resolution: int, img_channels: int, channel_base: int = 4096, channel_max: int = 128
    ) -> None:
        super().__init__()
        self.c_dim = c_dim
        sides = max(4, img_resolution // SMALLER), img_resolution
        self.shapes = [(img_channels, side, side) for side in sides]
        self.stages = nn.ModuleList(
            dcgan.Discriminator(c_dim, side, img_channels, channel_base, channel_max, hidden=True) for side in sides
        )
        self.begin()

    def forward(self, examples: Float[Tensor, "n p"], c: Float[Tensor, "n c_dim"] | None = None) -> Tensor:
        pairs = zip(self.stages, taken_apart(examples, self.shapes), self.learns)
        return torch.cat([stage(img, c) for stage, img, learns in pairs if learns], 1)


class _Second(nn.Module):
    """Stage II: half the size of stage I's picture, the condition beside it, residual blocks, up to the full size."""

    def __init__(
        self, knows: int, small: int, img_resolution: int, img_channels: int, channel_base: int, channel_max: int
    ) -> None:
        super().__init__()
        inner, width = small // 2, min(channel_base // small, channel_max)
        self.down = nn.Sequential(
            nn.Conv2d(img_channels, width, 3, padding=1), nn.ReLU(), nn.Conv2d(width, width, 4, 2, 1, bias=False),
            nn.BatchNorm2d(width), nn.ReLU(),
        )  # fmt: skip
        self.meet = nn.Sequential(*_block(width + knows, width), nn.ReLU())
        self.blocks = nn.ModuleList(
            nn.Sequential(*_block(width, width), nn.ReLU(), *_block(width, width)) for _ in range(RESIDUALS)
        )
        sides = [2**k for k in range(inner.bit_length(), img_resolution.bit_length())]
        widths = [width, *(min(channel_base // side, channel_max) for side in sides)]
        self.up = nn.ModuleList(nn.Sequential(*_block(a, b), nn.ReLU()) for a, b in itertools.pairwise(widths))
        self.colours = nn.Sequential(nn.Conv2d(widths[-1], img_channels, 3, padding=1), nn.Tanh())

    def forward(self, small: Float[Tensor, "n c s s"], condition: Float[Tensor, "n k"]) -> Float[Tensor, "n c h w"]:
        x = self.down(small)
        x = self.meet(torch.cat([x, class_planes(condition, x.shape[2])], 1))
        for block in self.blocks:
            x = F.relu(x + block(x))
        for up in self.up:
            x = up(larger(x))
        return self.colours(x)


def _block(inputs: int, outputs: int) -> list[nn.Module]:
    return [nn.Conv2d(inputs, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs)]
