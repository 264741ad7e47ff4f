"""Global directions from all channels at once: how CLIP's view of pictures varies with their latents.

Channels of a small or entangled model do little alone: moved one after the other (`directions.channel_effects`) they
show a CLIP pictures that it cannot read. Here ordinary pictures are looked at, and linear regression tells, "together",
what each axis of W adds to the embedding while the others are held; or the other way round, what is "expected" of the w
of a picture that a CLIP sees so. The second finds what one axis cannot make, and brings along what often comes with it.
Styles are affine in w, so that says how to move channels.
"""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from ganlab.config import InvalidInput
from ganlab.latents.directions import painted, style_weights
from ganlab.synthesis import Renderer
from ganlab.text import HOWS
from ganlab.text.directions import (
    SEED,
    ChannelEffects,
    Embedder,
    Tick,
    channel_effects,
    check_styles,
    coloured,
    named,
    style_deviations,
)

PICTURES = (
    2000  # measured on faces64: directions are 85 % as clean with 500, 93 % with 1000, and hardly cleaner with 4000
)
LARGE, FEWER = 256 * 256, 1000  # pixels beyond which that many do: painting them takes minutes
DECAY = 0.01  # of the regression, as a part of W's mean variance; any from 0.001 to 0.3 gives the same directions
BACK = 1.0  # the same of the embedding's: most of its axes hardly vary; 0.1 is worse by 5 % of the edits, 10 by 1 %


def joint_effects(
    renderer: Renderer, clip: Embedder, pictures: int | None = None, tick: Tick | None = None
) -> list[ChannelEffects]:
    """Looks at pictures of a model, and finds how its channels move where the embedding moves: together, expected.

    `tick` returning False raises `Cancelled`; `InvalidInput` where the model has no styles.
    """
    check_styles(renderer)
    pictures = pictures or (FEWER if renderer.G.img_resolution**2 > LARGE else PICTURES)
    w = renderer.latents.sample(pictures, torch.Generator().manual_seed(SEED))
    seen = _embedded(renderer, clip, w, tick)
    deviations, weights = style_deviations(renderer), style_weights(renderer)
    found = {"together": regression(w, seen), "expected": regression(seen, w, BACK).T}
    effects = {how: _in_deviations(weights @ slopes.float(), deviations) for how, slopes in found.items()}
    return [ChannelEffects(renderer.sha256, named(clip), deviations, one, how) for how, one in effects.items()]


def _in_deviations(moved: Float[Tensor, "channels d"], deviations: Float[Tensor, " channels"]) -> Tensor:
    """How far each channel moves in its own deviations, the most 1."""
    effects = torch.where(deviations[:, None] > 0, moved / deviations[:, None].clamp_min(1e-12), 0.0)
    return effects / effects.norm(dim=1).max().clamp_min(1e-12)


def find_effects(
    renderer: Renderer, clip: Embedder, how: str = HOWS[0], tick: Tick | None = None
) -> list[ChannelEffects]:
    """Effects found in one of the ways of `ganlab.text.HOWS`, which comes first, and in those that are found with it.

    `InvalidInput` for another word.
    """
    if how not in HOWS:
        raise InvalidInput("how", f"must be one of {', '.join(HOWS)}")
    found = [channel_effects(renderer, clip, tick=tick)] if how == "apart" else joint_effects(renderer, clip, tick=tick)
    return sorted(found, key=lambda one: one.how != how)


def regression(x: Float[Tensor, "n k"], y: Float[Tensor, "n d"], decay: float = DECAY) -> Float[Tensor, "k d"]:
    """What one unit of each x adds to y while the other x are held: least squares with a little decay (ridge)."""
    x, y = (part.double() - part.double().mean(0) for part in (x, y))
    moments = x.T @ x / len(x)
    ridge = decay * moments.diagonal().mean().clamp_min(1e-12)
    return torch.linalg.solve(moments + ridge * torch.eye(len(moments), dtype=x.dtype), x.T @ y / len(x))


@torch.inference_mode()
def _embedded(renderer: Renderer, clip: Embedder, w: Tensor, tick: Tick | None) -> Float[Tensor, "n d"]:
    each = (clip.embed_images(coloured(images)).cpu() for images in painted(renderer, w, tick))
    return torch.cat([F.normalize(vectors, dim=1) for vectors in each])
