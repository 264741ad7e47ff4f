"""How good an edit of pictures is, from what a reader of attributes and a CLIP say of them before and after.

Pure functions of tensors; `ganlab.text.quality` puts them together.
"""

from collections.abc import Collection, Mapping

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

Read = Mapping[str, Float[Tensor, "n *options"]]  # logits [N, options] of choices, values [N] of numbers


def directional_similarity(
    before: Float[Tensor, "n d"], after: Float[Tensor, "n d"], change: Float[Tensor, " d"]
) -> Float[Tensor, " n"]:
    """The cosine of what an edit did to a picture's vector and of the text's change (Gal et al. 2021, eq. 2).

    `before` and `after` are unit vectors of the pictures. 0 where an edit did nothing.
    """
    return F.cosine_similarity(after - before, change[None].to(after), dim=1)


def along_and_beside(
    before: Float[Tensor, "n d"], after: Float[Tensor, "n d"], change: Float[Tensor, " d"]
) -> tuple[Float[Tensor, " n"], Float[Tensor, " n"]]:
    """How far an edit moved a picture's vector along the text's change, and how far at a right angle to it.

    `before` and `after` are unit vectors of the pictures, `change` one of the texts.
    """
    moved, change = after - before, change.to(after)
    along = moved @ change
    return along, torch.linalg.vector_norm(moved - along[:, None] * change, dim=1)


def attribute_dependency(
    before: Read, after: Read, spread: Mapping[str, float], target: Collection[str]
) -> Float[Tensor, " n"]:
    """Mean change of all attributes but the target, each in standard deviations (Wu et al. 2021, sec. 5, AD).

    Of a choice it is the mean over its options' logits. `spread`: the standard deviation of each attribute's logits or
    values over a model's pictures; attributes that are not in it are not counted.
    """
    changes = []
    for name, size in spread.items():
        if name not in target:
            difference = (after[name] - before[name]).abs()
            changes.append((difference if difference.ndim == 1 else difference.mean(1)) / max(size, 1e-6))
    return torch.stack(changes).mean(0)


def spreads(read: Read, names: Collection[str]) -> dict[str, float]:
    """The standard deviation of each attribute over pictures; of a choice, the mean over its options' logits."""
    return {name: float(read[name].std(0).mean()) for name in names}


def flipped(
    before: Read, after: Read, shown: Mapping[str, Bool[Tensor, " n"]], names: Collection[str]
) -> Float[Tensor, " n"]:
    """The part of the choices `names` whose likeliest option is another one after an edit, of those that are `shown`.

    `shown`: whose pictures show an attribute, before and after: nobody can tell the colour of eyes behind sunglasses.
    """
    changed, counted = torch.zeros(0), torch.zeros(0)
    rows = [((before[name].argmax(1) != after[name].argmax(1)) & shown[name], shown[name]) for name in names]
    changed, counted = (torch.stack(side).float().sum(0) for side in zip(*rows))
    return changed / counted.clamp(min=1)


def moved_beside(
    before: Float[Tensor, "n d"], after: Float[Tensor, "n d"], directions: Float[Tensor, "k d"]
) -> Float[Tensor, " n"]:
    """How far feature vectors moved, what lies along some directions left out."""
    step = (after - before).double()
    if len(directions):
        basis = torch.linalg.qr(directions.double().T)[0]  # [d, k]
        step = step - step @ basis @ basis.T
    return step.norm(dim=1).float()
