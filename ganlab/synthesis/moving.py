"""A style-based generator whose input is moved and turned: StyleGAN3's waves, or StyleGAN2's constant as well as it
can be (Karras et al. 2021, section 2)."""

from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from ganlab.config import InvalidInput
from ganlab.networks import stylegan2, stylegan3
from ganlab.networks.arguments import Shape
from ganlab.networks.table import TRAINABLE

FINER = {"first_cutoff": 6.0, "first_stopband": 9.0}  # of a StyleGAN3's waves: random layers add little detail
CONTRAST = 0.5  # standard deviation of the pixels of an untrained network, as pictures have about


def can_move(G: Any) -> bool:
    """Whether this generator's input can be moved."""
    return stylegan3.takes_places(G) or isinstance(G, stylegan2.Generator)


@torch.inference_mode()
def drawn(
    G: Any, ws: Float[Tensor, "n rows w_dim"], right: float, down: float, turn: float
) -> Float[Tensor, "n c h w"]:
    """Pictures whose input is moved by parts of the width, after a turn clockwise in radians; noise stays as it is.

    Raises: `InvalidInput` for a generator without such an input.
    """
    if stylegan3.takes_places(G):
        images: Tensor = G.synthesis(ws, transform=stylegan3.placed(right, down, turn)[None].to(ws.device))
        return images
    if not isinstance(G, stylegan2.Generator):
        raise InvalidInput("model", "is neither a StyleGAN3 nor a StyleGAN2; choose one that is")
    synthesis: Any = G.synthesis
    found: Tensor = synthesis(ws, noise_mode="const", const=moved_constant(synthesis.b4.const, right, down, turn))
    return found


def moved_constant(const: Float[Tensor, "c s s"], right: float, down: float, turn: float) -> Float[Tensor, "c s s"]:
    """A learned constant moved and turned by bilinear interpolation, mirrored at its border: it has nothing beyond."""
    place = stylegan3.placed(right, down, turn)[:2].clone()
    place[:, 2] *= 2  # from parts of the width to coordinates from -1 to 1
    grid = F.affine_grid(place[None].to(const), [1, *const.shape], align_corners=False)
    return F.grid_sample(const[None], grid, padding_mode="reflection", align_corners=False)[0]


def untrained(family: str, seed: int = 0, resolution: int = 64) -> Any:
    """A small generator of a family with random weights, scaled to the contrast of pictures: its layers alone.

    Equivariance is what layers do, so that it can be seen, and measured, before any training.
    """
    shape = Shape(resolution, 3, 0, 64, 64, 2, 1024, 24)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        arguments = TRAINABLE[family].g_arguments(shape) | (FINER if family.startswith("stylegan3") else {})
        G = TRAINABLE[family].g(**arguments).eval().requires_grad_(False)
    z = torch.randn(8, 64, generator=torch.Generator().manual_seed(seed))
    synthesis: Any = G.synthesis
    scale = CONTRAST / float(drawn(G, G.mapping(z), 0.0, 0.0, 0.0).std())  # type: ignore[operator]
    if stylegan3.takes_places(G):
        synthesis.output_scale *= scale
    else:
        for block in synthesis.blocks():  # colours are a sum over blocks
            block.torgb.weight.mul_(scale)
            block.torgb.bias.mul_(scale)
    return G
