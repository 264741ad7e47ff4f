"""The mapping network of the style-based generators (Karras et al. 2019, sec. 2), and truncation."""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ganlab.nn.style import FullyConnectedLayer, normalize_2nd_moment


class MappingNetwork(nn.Module):
    """f: z and a class label to w; a discriminator uses it without z to embed the label."""

    w_avg: Tensor  # [w_dim], moving average of w

    def __init__(
        self,
        z_dim: int,
        c_dim: int,
        w_dim: int,
        num_ws: int | None,
        num_layers: int = 8,
        embed_features: int | None = None,
        layer_features: int | None = None,
        activation: str = "lrelu",
        lr_multiplier: float = 0.01,
        w_avg_beta: float | None = 0.998,
    ) -> None:
        super().__init__()
        self.z_dim, self.c_dim, self.w_dim, self.num_ws = z_dim, c_dim, w_dim, num_ws
        self.num_layers, self.w_avg_beta = num_layers, w_avg_beta
        embed = 0 if c_dim == 0 else (w_dim if embed_features is None else embed_features)
        features = [z_dim + embed] + [layer_features or w_dim] * (num_layers - 1) + [w_dim]
        if c_dim > 0:
            self.embed = FullyConnectedLayer(c_dim, embed)
        for i in range(num_layers):
            layer = FullyConnectedLayer(
                features[i], features[i + 1], activation=activation, lr_multiplier=lr_multiplier
            )
            setattr(self, f"fc{i}", layer)
        if num_ws is not None and w_avg_beta is not None:
            self.register_buffer("w_avg", torch.zeros(w_dim))

    def forward(
        self,
        z: Float[Tensor, "n z_dim"] | None,
        c: Float[Tensor, "n c_dim"] | None = None,
        truncation_psi: float = 1.0,
        truncation_cutoff: int | None = None,
        update_emas: bool = False,
    ) -> Tensor:
        """w [n, w_dim], or with `num_ws` ws [n, num_ws, w_dim], the first `truncation_cutoff` rows truncated."""
        parts = []
        if self.z_dim > 0:
            assert z is not None
            parts.append(normalize_2nd_moment(z.float()))
        if self.c_dim > 0:
            if c is None:
                raise ValueError(f"this model is conditional: c must be class labels [N, {self.c_dim}]")
            parts.append(normalize_2nd_moment(self.embed(c.float())))
        w = torch.cat(parts, 1)
        for i in range(self.num_layers):
            w = getattr(self, f"fc{i}")(w)
        if update_emas and self.w_avg_beta is not None:
            self.w_avg.copy_(w.detach().mean(0).lerp(self.w_avg, self.w_avg_beta))
        if self.num_ws is None:
            return w
        return truncate(w[:, None].repeat(1, self.num_ws, 1), self.w_avg, truncation_psi, truncation_cutoff)


def truncate(
    ws: Float[Tensor, "n num_ws w_dim"], center: Tensor, psi: float, cutoff: int | None = None
) -> Float[Tensor, "n num_ws w_dim"]:
    """Moves the first `cutoff` rows (None: all) towards `center` (Karras et al. 2019, appendix B)."""
    if psi == 1:
        return ws
    return torch.cat([center.lerp(ws[:, :cutoff], psi), ws[:, ws.shape[1] if cutoff is None else cutoff :]], 1)


class StyleGenerator(nn.Module):
    """G(z, c) of two networks, `mapping` and `synthesis`; each can be used alone."""

    mapping: nn.Module
    synthesis: nn.Module
    z_dim: int
    c_dim: int
    w_dim: int
    num_ws: int  # rows of ws
    img_resolution: int
    img_channels: int

    def __init__(self, z_dim: int, c_dim: int, synthesis: Any, mapping: nn.Module) -> None:
        """Sizes of ws and of pictures are those of `synthesis`."""
        super().__init__()
        self.z_dim, self.c_dim, self.w_dim, self.num_ws = z_dim, c_dim, synthesis.w_dim, synthesis.num_ws
        self.img_resolution, self.img_channels = synthesis.img_resolution, synthesis.img_channels
        self.synthesis, self.mapping = synthesis, mapping

    def forward(
        self,
        z: Float[Tensor, "n z_dim"],
        c: Float[Tensor, "n c_dim"] | None = None,
        truncation_psi: float = 1.0,
        truncation_cutoff: int | None = None,
        noise_mode: str = "random",
        generator: torch.Generator | None = None,
    ) -> Float[Tensor, "n channels h w"]:
        """Images of z, about in [-1, 1]."""
        ws = self.mapping(z, c, truncation_psi, truncation_cutoff)
        image: Tensor = self.synthesis(ws, noise_mode, generator=generator)
        return image


class PlainMapping(nn.Module):
    """What stands in the mapping network's place where a family has none: w is z with the label beside it.

    Truncation draws z towards 0, its mean; that trades variety for typical pictures in a plain GAN, too.
    """

    w_avg: Tensor  # [z_dim + c_dim]

    def __init__(self, z_dim: int, c_dim: int) -> None:
        super().__init__()
        self.z_dim, self.c_dim = z_dim, c_dim
        average = torch.cat([torch.zeros(z_dim), torch.full((c_dim,), 1 / max(c_dim, 1))])
        self.register_buffer("w_avg", average)

    def forward(
        self,
        z: Float[Tensor, "n z_dim"],
        c: Float[Tensor, "n c_dim"] | None = None,
        truncation_psi: float = 1.0,
        truncation_cutoff: int | None = None,
        update_emas: bool = False,
    ) -> Float[Tensor, "n 1 w_dim"]:
        """ws with one row; only its z is truncated."""
        if truncation_cutoff != 0:
            z = z * truncation_psi
        if self.c_dim and c is None:
            raise ValueError(f"this model is conditional: c must be class labels [N, {self.c_dim}]")
        return (torch.cat([z, c.to(z.dtype)], 1) if self.c_dim and c is not None else z)[:, None]


class StagedSynthesis(nn.Module):
    """A synthesis network of stages that double from 4 x 4, without styles: only the first stage sees w."""

    stages: nn.ModuleList
    torgb: nn.Module
    channels: list[int]  # that each stage makes

    def __init__(self, w_dim: int, img_resolution: int, img_channels: int) -> None:
        super().__init__()
        self.w_dim, self.img_resolution, self.img_channels, self.num_ws = w_dim, img_resolution, img_channels, 1
        self.resolutions = [2**i for i in range(2, img_resolution.bit_length())]

    def forward(
        self,
        ws: Float[Tensor, "n 1 w_dim"],
        noise_mode: str = "random",
        noise: object = None,
        generator: torch.Generator | None = None,
    ) -> Float[Tensor, "n c h w"]:
        """The image, about in [-1, 1]. There is no noise: the last three arguments change nothing."""
        x = ws[:, 0, :, None, None]
        for stage in self.stages:
            x = stage(x)
        return self.torgb(x)
