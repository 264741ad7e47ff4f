"""Names for directions that come without one (PCA, SeFa): the captions that fit better after a walk along them."""

from collections.abc import Sequence
from dataclasses import replace
from functools import cache

import torch
from jaxtyping import Float
from torch import Tensor

from ganlab.data.faces import sample
from ganlab.latents.directions import Direction
from ganlab.recipe import unpack_channels, unpack_latent
from ganlab.synthesis import Cancelled, Renderer
from ganlab.synthesis.renderer import Tick
from ganlab.text.directions import Embedder, coloured
from ganlab.text.sayings import sayings

PICTURES = 12  # that a direction is tried on
USUAL = 96  # pictures that say how much a caption's score varies
STEP = 2.0  # how far, either way
PSI = 0.7
SEED = 3
LEAST = 1.0  # standard deviations by which a walk changes the score of the caption that names it
PEOPLE = 120  # whose descriptions are the captions of cartoon faces
PHOTOS = (  # of people, for CLIPs that know photographs
    "a smiling person", "a sad person", "an old person", "a young person", "a child", "a man", "a woman",
    "a person with glasses", "a person with a beard", "a bald person", "a person with long hair",
    "a person with short hair", "a person with curly hair", "a person with blond hair", "a person with black hair",
    "a person with red hair", "a person with a hat", "a person with makeup", "a person with an open mouth",
    "a person with closed eyes", "a person turned to the left", "a person turned to the right", "a bright picture",
    "a dark picture", "a picture with a blue background", "a picture with a green background",
)  # fmt: skip


@cache
def face_captions() -> tuple[str, ...]:
    """All that short descriptions of cartoon faces say, once each."""
    known = [saying for some in sayings(sample(SEED, range(PEOPLE))) for saying in some]
    return tuple(sorted({saying.claim for saying in known}))


@torch.inference_mode()
def name_directions(
    renderer: Renderer,
    clip: Embedder,
    directions: Sequence[Direction],
    captions: Sequence[str],
    tick: Tick | None = None,
) -> list[Direction]:
    """The directions, those that a caption fits named by it: "PCA 1: long hair, or backwards bald".

    Each is walked both ways from a few pictures. A caption fits whose score changes most, against how much it varies
    from picture to picture. `tick` returning False raises `Cancelled`.
    """
    texts = clip.embed_texts(list(captions)).cpu()
    w = renderer.latents.sample(1000, torch.Generator().manual_seed(SEED))
    ws = (w.mean(0) + PSI * (w - w.mean(0)))[:, None].expand(-1, renderer.engine.num_ws, -1)
    usual = torch.cat([clip.embed_images(coloured(renderer.images(part))).cpu() for part in ws[:USUAL].split(PICTURES)])
    changes = texts / (usual @ texts.T).std(0).clamp(min=1e-6)[:, None]
    ws = ws[:PICTURES]
    walks = []
    for done, direction in enumerate(directions):
        if tick is not None and not tick(done, len(directions)):
            raise Cancelled
        up, down = (_seen(renderer, clip, ws, direction, sign * STEP) for sign in (1.0, -1.0))
        walks.append((up - down).mean(0))
    ends = nearest_captions(torch.stack(walks), changes, captions) if walks else []
    return [_named(direction, *both) for direction, both in zip(directions, ends)]


def nearest_captions(
    walks: Float[Tensor, "n d"], changes: Float[Tensor, "k d"], captions: Sequence[str]
) -> list[tuple[str, str]]:
    """For each change of pictures (the caption that it leads to, the one that it leads away from); "": none is near.

    `changes`: of each caption its vector, over the standard deviation of its score from picture to picture. A caption
    names what one change leads to, the one that it fits best, and what one leads away from; others take what fits next.
    """
    scores = walks @ changes.T  # [n, k]
    found = [["", ""] for _ in walks]
    both = torch.stack([scores, -scores], 1)  # [n, 2, k]
    while float(both.max()) >= LEAST:
        n, end, k = (int(i) for i in torch.unravel_index(both.argmax(), both.shape))
        found[n][end] = captions[k]
        both[n, end] = -torch.inf  # this end has its name,
        both[:, end, k] = -torch.inf  # and this name its change
    return [(towards, away) for towards, away in found]


def _named(direction: Direction, towards: str, away: str) -> Direction:
    if not towards and not away:
        return direction
    told = f"{_short(towards)}, or backwards {_short(away)}" if towards and away else _short(towards)
    return replace(direction, name=f"{direction.name}: {told or f'less {_short(away)}'}"[:120])


def _short(caption: str) -> str:
    """Without what all captions say."""
    for start in ("a person with a ", "a person with an ", "a person with ", "a person ", "an ", "a "):
        if caption.startswith(start):
            return caption.removeprefix(start)
    return caption


def _seen(renderer: Renderer, clip: Embedder, ws: Tensor, direction: Direction, strength: float) -> Tensor:
    """The vectors of the pictures, moved."""
    if direction.space == "w":
        rows = torch.from_numpy(unpack_latent(direction.vector))
        moved = torch.zeros_like(ws) + strength * rows
        if direction.layers is not None:
            moved[:, [k for k in range(ws.shape[1]) if k not in direction.layers]] = 0
        return clip.embed_images(coloured(renderer.images(ws + moved))).cpu()
    channels, values = unpack_channels(direction.vector)
    offsets = torch.zeros(len(ws), renderer.space.channels)
    offsets[:, torch.from_numpy(channels)] = strength * torch.from_numpy(values)
    return clip.embed_images(coloured(renderer.images(ws, offsets=offsets))).cpu()
