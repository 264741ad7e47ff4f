"""StyleGAN-XL (Sauer et al. 2022): StyleGAN3's layers grown stage by stage, against projected discriminators.

A stage is a run: the first at 16 px; each further one, at twice the size, starts from it, cuts off its last layers,
goes on with new ones, and leaves those that it has taken as they are (sec. 3.2). Labels are embedded as means of a
frozen network's features over each class, which are learned on (sec. 3.1). Smaller than the paper's: layers are T's
and fewer, our classifier stands for both frozen networks unless `backbone` names them, and D's first pictures are not
blurred.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ganlab.features.frozen import OWN
from ganlab.networks import projected, stylegan3
from ganlab.networks.stylegan3 import Band
from ganlab.nn.mapping import MappingNetwork, StyleGenerator
from ganlab.nn.style import FullyConnectedLayer, normalize_2nd_moment

SMALLEST = 16  # pixels of the first stage
CRITICAL = 2  # last layers of a stage before colours, which the next one cuts off with them
FIRST_BAND = (2.0, 2**2.1)  # cutoff and stopband of the first layer
RELATIVE = 2**0.3  # the last stopband over its cutoff
MARGIN = 10


class ClassEmbedding(nn.Linear):
    """One-hot labels to embeddings, which begin as what is known of each class."""

    def __init__(self, c_dim: int, embedded: int) -> None:
        super().__init__(c_dim, embedded, bias=False)

    @torch.no_grad()
    def know_classes(self, means: Float[Tensor, "c_dim embedded"]) -> None:
        """The mean features of each class."""
        self.weight.copy_(means.T)


class EmbeddedMapping(MappingNetwork):
    """A mapping network that knows classes by embeddings, projected to as many numbers as z has (sec. 3.1)."""

    def __init__(self, z_dim: int, c_dim: int, w_dim: int, num_ws: int, num_layers: int, embedded: int) -> None:
        super().__init__(2 * z_dim if c_dim else z_dim, 0, w_dim, num_ws, num_layers)
        self.classes = ClassEmbedding(c_dim, embedded) if c_dim else None
        self.project = FullyConnectedLayer(embedded, z_dim, activation="lrelu") if c_dim else None

    def forward(
        self,
        z: Float[Tensor, "n z_dim"] | None,
        c: Float[Tensor, "n c_dim"] | None = None,
        truncation_psi: float = 1.0,
        truncation_cutoff: int | None = None,
        update_emas: bool = False,
    ) -> Tensor:
        """As `MappingNetwork`."""
        assert z is not None
        if self.classes is not None and self.project is not None:
            if c is None:
                raise ValueError(f"this model is conditional: c must be class labels [N, {self.classes.in_features}]")
            label = self.project(self.classes(c.float()))
            z = torch.cat([normalize_2nd_moment(z.float()), normalize_2nd_moment(label)], 1)
        return super().forward(z, None, truncation_psi, truncation_cutoff, update_emas)


class SynthesisNetwork(stylegan3.SynthesisNetwork):
    """g: ws to an image, through the layers of all stages but for those that a next stage has cut off."""

    def __init__(
        self,
        w_dim: int,
        img_resolution: int,
        img_channels: int,
        channel_base: int,
        channel_max: int,
        stem_layers: int,
        head_layers: int,
    ) -> None:
        nn.Module.__init__(self)
        self.w_dim, self.img_resolution, self.img_channels, self.output_scale = (
            w_dim,
            img_resolution,
            img_channels,
            0.25,
        )
        sizes = img_channels, channel_base, channel_max
        stages = _stages(img_resolution, sizes, stem_layers, head_layers)
        kept = [row for stage in stages for row in stage[: -CRITICAL - 1]]
        last = stages[-1][-CRITICAL - 1 :]
        names = [f"L{i}_{row.size}_{row.channels}" for i, row in enumerate(kept)]
        names += [f"H{img_resolution}_{i}" for i in range(len(last))]  # those of another stage are others
        self.num_ws = len(names) + 1
        self.taken = names[: sum(len(stage) - CRITICAL - 1 for stage in stages[:-1])]  # from the stages before
        self._build([*kept, *last], names, CRITICAL, {})


class Generator(StyleGenerator):
    """G(z, c)."""

    mapping: EmbeddedMapping
    synthesis: SynthesisNetwork

    def __init__(
        self,
        z_dim: int,
        c_dim: int,
        img_resolution: int,
        img_channels: int,
        channel_base: int = 4096,
        channel_max: int = 128,
        w_dim: int = 128,
        mapping_layers: int = 2,
        embedded: int = 192,
        stem_layers: int = 7,
        head_layers: int = 5,
    ) -> None:
        """`embedded`: numbers of a class; `stem_layers`, `head_layers`: of the first and of each further stage."""
        sizes = channel_base, channel_max, stem_layers, head_layers
        synthesis = SynthesisNetwork(w_dim, img_resolution, img_channels, *sizes)
        mapping = EmbeddedMapping(z_dim, c_dim, w_dim, synthesis.num_ws, mapping_layers, embedded)
        super().__init__(z_dim, c_dim, synthesis, mapping)

    def freeze_stem(self) -> None:
        """What the stages before have learned stays as it is, the mapping with it; there is none at 16 px."""
        if self.img_resolution <= SMALLEST:
            return
        taken = [getattr(self.synthesis, name) for name in self.synthesis.taken]
        for layer in taken:
            layer.beta = 1.0  # of the mean of squared features, which moves no more
        for part in (self.mapping, self.synthesis.input, *taken):
            part.requires_grad_(False)


class Discriminator(projected.Discriminator):
    """D(img, c): Projected GAN's, whose small discriminators are told the class by its embedding."""

    def __init__(
        self,
        c_dim: int,
        img_resolution: int,
        img_channels: int,
        channel_base: int = 4096,
        channel_max: int = 64,
        backbone: str = OWN,
        embedded: int = 192,
    ) -> None:
        sizes = img_resolution, img_channels, channel_base, channel_max
        super().__init__(embedded if c_dim else 0, *sizes, backbone)
        self.c_dim = c_dim
        self.classes = ClassEmbedding(c_dim, embedded) if c_dim else None

    def forward(self, img: Float[Tensor, "n 3 h w"], c: Float[Tensor, "n c_dim"] | None = None) -> Float[Tensor, "n k"]:
        if self.classes is None:
            return super().forward(img)
        if c is None:
            raise ValueError(f"this model is conditional: c must be class labels [N, {self.c_dim}]")
        return super().forward(img, self.classes(c.float()))


def _stages(resolution: int, sizes: tuple[int, int, int], stem_layers: int, head_layers: int) -> list[list[Band]]:
    """The layers of each stage, its last ones and colours included: cutoffs grow from where the one before is cut."""
    side, parts = SMALLEST, [min(i / (stem_layers - CRITICAL), 1) for i in range(stem_layers + 1)]
    band = (*FIRST_BAND, RELATIVE)
    stages = []
    while True:
        stages.append(stylegan3.bands(side, *sizes, parts, band, MARGIN))
        if side >= resolution:
            return stages
        cut = parts[-CRITICAL - 2]  # of the last layer that stays
        cutoff, stopband = (a * (b / a) ** cut for a, b in zip(band, (side / 2, side / 2 * RELATIVE)))
        band = (cutoff, stopband, RELATIVE)
        side *= 2
        parts = [min(i / (head_layers - CRITICAL + 1), 1) for i in range(1, head_layers + 1)] + [1.0]
