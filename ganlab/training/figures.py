"""Figures that tell of one system alone, `FIGURES`: of its own terms, and of what it says of held-out data."""

from typing import TYPE_CHECKING

import torch

from ganlab.losses import LOSSES, began_measure
from ganlab.training.extras import auxiliary

if TYPE_CHECKING:
    from ganlab.training.image_gan import ImageGan

FIGURES = {  # name -> what charts call it
    "class_accuracy": "classes that D reads off held-out images, share",
    "m_global": "M of BEGAN, lower is better",
    "balance": "k of BEGAN",
}
LOOKED_AT = 256  # images that are held out
AT_ONCE = 64


def figures(gan: "ImageGan", numbers: dict[str, float], held_out: bool) -> dict[str, float]:
    """Those that there are; `numbers` are those of the last step, `held_out` asks for those of other images."""
    out = {name: numbers[name] for name in FIGURES if name in numbers}
    if LOSSES[gan.config.loss].balanced and "real" in numbers and "fake" in numbers:
        out |= {"m_global": began_measure(numbers["real"], numbers["fake"]), "balance": gan.balance}
    if held_out:
        out |= _of_held_out(gan)
    return out


@torch.no_grad()
def _of_held_out(gan: "ImageGan") -> dict[str, float]:
    head = auxiliary(gan)
    data = gan.draws.held_out(LOOKED_AT) if head is not None and head.classes else None
    if head is None or data is None:
        return {}
    images, labels = data
    head.eval()
    read = torch.cat([head.read(part)[0].argmax(1) for part in images.split(AT_ONCE)])
    head.train()
    return {"class_accuracy": float((read == labels.argmax(1)).float().mean())}
