"""Figures that tell of one system alone, `FIGURES`: of its own terms, and of what it says of held-out data."""

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ganlab.losses import LOSSES, began_measure
from ganlab.networks.auxiliary import AuxiliaryD
from ganlab.nn.norms import Spectral
from ganlab.training.extras import auxiliary

if TYPE_CHECKING:
    from ganlab.training.image_gan import ImageGan

FIGURES = {  # name -> what charts call it
    "class_accuracy": "Classes that D reads off held-out images, share",
    "reconstruction": "Mean error of reconstructed held-out images",
    "info": "Numbers of InfoGAN's code, half their squared error when read off fakes",
    "kinds": "Kinds of InfoGAN's code read off fakes, cross-entropy",
    "guidance": "Class that a classifier sees in fakes, cross-entropy",
    "kl": "Divergence of StackGAN's conditions",
    "conditional": "Conditional loss of Stacked GAN",
    "entropy": "Entropy loss of Stacked GAN",
    "m_global": "M of BEGAN, lower is better",
    "balance": "k of BEGAN",
    "sigma_g": "Largest singular value of G's layers, before it is divided by",
    "sigma_d": "The same of D's layers",
}
LOOKED_AT = 256  # images that are held out
AT_ONCE = 64


def figures(gan: "ImageGan", numbers: dict[str, float], held_out: bool) -> dict[str, float]:
    """Those that there are; `numbers` are those of the last step, `held_out` asks for those of other images."""
    out = {name: numbers[name] for name in FIGURES if name in numbers}
    if LOSSES[gan.config.loss].balanced and "real" in numbers and "fake" in numbers:
        out |= {"m_global": began_measure(numbers["real"], numbers["fake"]), "balance": gan.balance}
    if held_out:
        out |= _of_held_out(gan) | _singular_values(gan)
    return out


@torch.no_grad()
def _singular_values(gan: "ImageGan") -> dict[str, float]:
    """Of networks with spectral normalisation: before a collapse they grow (Brock et al. 2019, sec. 4)."""
    nets = {"sigma_g": gan.G, "sigma_d": gan.D}
    layers = {name: [part for part in net.modules() if isinstance(part, Spectral)] for name, net in nets.items()}
    return {name: max(float(part.largest()) for part in parts) for name, parts in layers.items() if parts}


@torch.no_grad()
def _of_held_out(gan: "ImageGan") -> dict[str, float]:
    head, out = auxiliary(gan), dict[str, float]()
    reads = head is not None and head.classes > 0
    data = gan.draws.held_out(LOOKED_AT) if reads or gan.reconstructs else None
    if data is None:
        return out
    images, labels = data
    if gan.reconstructs:
        errors = [(part - gan.reconstructed(part)).abs().mean((1, 2, 3)) for part in images.split(AT_ONCE)]
        out["reconstruction"] = float(torch.cat(errors).mean())
    if head is not None and reads:
        out["class_accuracy"] = _accuracy(head, images, labels)
    return out


def _accuracy(head: AuxiliaryD, images: Tensor, labels: Tensor) -> float:
    """The share of pictures whose class the head reads off them."""
    head.eval()
    read = torch.cat([head.read(part)[0].argmax(1) for part in images.split(AT_ONCE)])
    head.train()
    return float((read == labels.argmax(1)).float().mean())
