"""Stacked GAN (Huang et al. 2017): generators that invert a trained encoder, level by level, from the top down.

The encoder is the faces' classifier: picture -> features at 8 x 8 -> the vector before its last layer. G_2 makes such
a vector of z and the class, G_1 features of a vector, G_0 a picture of features. Each has a discriminator, must be
read as what it was made from (the conditional loss), and lets its part of z be read off it (the entropy loss).
"""

import copy

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from ganlab.features.faces import FacesClassifier, load_classifier
from ganlab.networks import dcgan
from ganlab.networks.biggan import Mapping
from ganlab.networks.several import Levels, SeveralGenerator, class_planes, joined, shared_out, taken_apart

MIDDLE_SIDE = 8  # pixels of the features between
SLOPE = 0.2


class SynthesisNetwork(Levels):
    """ws to an image; each level has a part of z, the first knows the class."""

    def __init__(
        self,
        z_dim: int,
        c_dim: int,
        img_resolution: int,
        img_channels: int,
        channel_base: int,
        channel_max: int,
        top: int,
        middle: int,
    ) -> None:
        sides, channels = [1, MIDDLE_SIDE, img_resolution], [top, middle, img_channels]
        super().__init__(z_dim + c_dim, img_resolution, img_channels, sides, channels)
        self.z_dim, self.parts = z_dim, shared_out(z_dim, 3)
        sizes = [part.stop - part.start for part in self.parts]
        width = 2 * channel_max
        self.levels = nn.ModuleList(
            [
                nn.Sequential(*_linear(sizes[0] + c_dim, width), *_linear(width, width), nn.Linear(width, top)),
                _Middle(top + sizes[1], middle, width),
                _Bottom(middle + sizes[2], img_resolution, img_channels, channel_base, channel_max),
            ]
        )

    def stage(self, k: int, x: Tensor | None, w: Float[Tensor, "n w_dim"]) -> Float[Tensor, "n c s s"]:
        """The vector as [n, top, 1, 1], features, the picture; features are those of ReLU layers, none below 0."""
        z = w[:, self.parts[k]]
        if k == 0 or x is None:
            vector: Tensor = self.levels[0](torch.cat([z, w[:, self.z_dim :]], 1))
            return F.relu(vector)[:, :, None, None]
        made: Tensor = self.levels[k](torch.cat([x, class_planes(z, x.shape[2])], 1))
        return made


class Generator(SeveralGenerator):
    """G(z, c). Each level learns on the encoder's features of data; from level 1 of `grow` on all learn together."""

    synthesis: SynthesisNetwork
    joint: Tensor
    continues = True

    def __init__(
        self,
        z_dim: int,
        c_dim: int,
        img_resolution: int,
        img_channels: int,
        channel_base: int = 4096,
        channel_max: int = 128,
        top: int = 192,
        middle: int = 96,
    ) -> None:
        """`top`, `middle`: channels of the encoder's features."""
        sizes = img_resolution, img_channels, channel_base, channel_max
        synthesis = SynthesisNetwork(z_dim, c_dim, *sizes, top, middle)
        super().__init__(z_dim, c_dim, synthesis, Mapping(z_dim, c_dim, 0, synthesis.num_ws))
        self.shapes = ((top, 1, 1), (middle, MIDDLE_SIDE, MIDDLE_SIDE), (img_channels, img_resolution, img_resolution))
        self.register_buffer("joint", torch.zeros(()))
        self._held: list[FacesClassifier] = []  # not a submodule: it comes with ganlab

    def grow(self, level: float) -> None:
        """All levels together from 1 on (sec. 3.2), which takes twice `grow_kimg`."""
        self.joint.fill_(float(level >= 1))

    def encoder_of(self, x: Tensor) -> FacesClassifier:
        """The frozen encoder, where x is."""
        if not self._held:
            self._held.append(copy.deepcopy(load_classifier()))
        return self._held[0].to(x.device)

    def of_data(self, real: Tensor, c: Tensor | None, rng: torch.Generator | None = None) -> Float[Tensor, "n p"]:
        """The vector, the features and the picture."""
        E = self.encoder_of(real)
        middle = E.maps(real)[1]
        return joined([E.above(middle), middle, real])

    def of_fakes(self, z: Tensor, c: Tensor | None, real: Tensor) -> Float[Tensor, "n p"]:
        """What each level makes of the encoder's features of the data, or of what the level above it has made."""
        ws, made = self.mapping(z, c), list[Tensor]()
        given = self._given(real, [])
        for k in range(3):
            above = made[-1] if k and bool(self.joint) else given[k]
            made.append(self.synthesis.stage(k, above, ws[:, k]))
        return joined(made)

    def owes(self, D: nn.Module, z: Tensor, c: Tensor | None, real: Tensor, fake: Tensor) -> dict[str, Tensor]:
        """The conditional loss, |E_i(G_i(h, z)) - h|^2 (eq. 3), and the entropy loss, -log Q(z | G_i) (eq. 6)."""
        made = taken_apart(fake, self.shapes)
        given, E = self._given(real, made), self.encoder_of(real)
        read = E.above(made[1])[:, :, None, None], E.maps(made[2])[1]
        conditional = torch.stack([F.mse_loss(a, b) for a, b in zip(read, given[1:])]).sum()  # type: ignore[arg-type]
        return {"conditional": conditional, "entropy": self._entropy(D, z, fake)}

    def owed_by_d(
        self, D: nn.Module, z: Tensor, c: tuple[Tensor | None, Tensor | None], real: Tensor, fake: Tensor
    ) -> dict[str, Tensor]:
        """Q, which shares D's layers, learns with it."""
        return {"entropy": self._entropy(D, z, fake)}

    def _given(self, real: Tensor, made: list[Tensor]) -> list[Tensor | None]:
        """What each level was given: nothing, a vector, features."""
        if made and bool(self.joint):
            return [None, made[0], made[1]]
        with torch.no_grad():
            vector, middle, _ = taken_apart(self.of_data(real, None), self.shapes)
        return [None, vector, middle]

    def _entropy(self, D: nn.Module, z: Tensor, fake: Tensor) -> Tensor:
        """Half the squared error of each level's part of z: -log Q of a normal distribution of deviation 1."""
        read: list[Tensor] = D.read(fake)  # type: ignore[operator]
        parts = self.synthesis.parts
        return torch.stack([(a - z[:, part]).square().sum(1).mean() / 2 for a, part in zip(read, parts)]).sum()


class Discriminator(nn.Module):
    """D(examples, c): a logit for each level [N, 3]; `read` is Q, a layer on the features of each."""

    def __init__(
        self,
        c_dim: int,
        img_resolution: int,
        img_channels: int,
        channel_base: int = 4096,
        channel_max: int = 128,
        z_dim: int = 128,
        top: int = 192,
        middle: int = 96,
    ) -> None:
        super().__init__()
        self.c_dim = c_dim
        self.shapes = ((top, 1, 1), (middle, MIDDLE_SIDE, MIDDLE_SIDE), (img_channels, img_resolution, img_resolution))
        width, picture = (
            2 * channel_max,
            dcgan.Discriminator(0, img_resolution, img_channels, channel_base, channel_max),
        )
        self.trunks = nn.ModuleList(
            [
                nn.Sequential(nn.Flatten(), *_linear(top, width), *_linear(width, width)),
                nn.Sequential(
                    nn.Conv2d(middle, channel_max, 3, 2, 1), nn.LeakyReLU(SLOPE), nn.Flatten(),
                    *_linear(channel_max * (MIDDLE_SIDE // 2) ** 2, width),
                ),
                nn.Sequential(picture.layers, nn.Flatten(), *_linear(picture.out.in_channels * 16, width)),
            ]
        )  # fmt: skip
        self.last = nn.ModuleList(nn.Linear(width, 1) for _ in self.shapes)
        self.embed = nn.ModuleList(nn.Linear(c_dim, width, bias=False) for _ in self.shapes) if c_dim else None
        self.q = nn.ModuleList(nn.Linear(width, part.stop - part.start) for part in shared_out(z_dim, 3))

    def forward(
        self, examples: Float[Tensor, "n p"], c: Float[Tensor, "n c_dim"] | None = None
    ) -> Float[Tensor, "n 3"]:
        seen = self._features(examples)
        logits = [last(x) for last, x in zip(self.last, seen)]
        if self.embed is not None:
            if c is None:
                raise ValueError(f"this model is conditional: c must be class labels [N, {self.c_dim}]")
            known = [embed(c.to(x.dtype)) for embed, x in zip(self.embed, seen)]
            logits = [a + (b * x).sum(1, keepdim=True) for a, b, x in zip(logits, known, seen)]
        return torch.cat(logits, 1)

    def read(self, examples: Float[Tensor, "n p"]) -> list[Tensor]:
        """Each level's part of z."""
        return [q(x) for q, x in zip(self.q, self._features(examples))]

    def _features(self, examples: Tensor) -> list[Tensor]:
        return [trunk(x) for trunk, x in zip(self.trunks, taken_apart(examples, self.shapes))]


class _Middle(nn.Module):
    """G_1: a vector with its noise to features at 8 x 8."""

    def __init__(self, inputs: int, middle: int, width: int) -> None:
        super().__init__()
        self.whole = nn.Sequential(nn.Flatten(), nn.Linear(inputs, width * 16), nn.Unflatten(1, (width, 4, 4)))
        self.layers = nn.Sequential(
            nn.BatchNorm2d(width), nn.ReLU(), nn.ConvTranspose2d(width, width, 4, 2, 1), nn.BatchNorm2d(width),
            nn.ReLU(), nn.Conv2d(width, middle, 3, padding=1), nn.ReLU(),
        )  # fmt: skip

    def forward(self, x: Float[Tensor, "n i 1 1"]) -> Float[Tensor, "n o 8 8"]:
        return self.layers(self.whole(x))


class _Bottom(nn.Sequential):
    """G_0: features with their noise to a picture, doubling from 8 x 8."""

    def __init__(self, inputs: int, resolution: int, channels: int, channel_base: int, channel_max: int) -> None:
        width = min(channel_base // MIDDLE_SIDE, channel_max)
        layers: list[nn.Module] = [nn.Conv2d(inputs, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU()]
        for side in (2**k for k in range(4, resolution.bit_length())):
            out = min(channel_base // side, channel_max)
            layers += [nn.ConvTranspose2d(width, out, 4, 2, 1), nn.BatchNorm2d(out), nn.ReLU()]
            width = out
        super().__init__(*layers, nn.Conv2d(width, channels, 3, padding=1), nn.Tanh())


def _linear(inputs: int, outputs: int) -> list[nn.Module]:
    return [nn.Linear(inputs, outputs), nn.LeakyReLU(SLOPE)]
