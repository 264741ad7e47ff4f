"""G learns from the pass that D learns from: training in one stage (Shen et al., CVPR 2021, "Training Generative
Adversarial Networks in One Stage").

D's gradient at a fake is the slope of its loss in the fake's logit times the slope of the logit in the picture; G's is
the same with its own loss. So D's pass gives G's gradient too, each picture's times the ratio of the two, and G's
own pass through D is saved. Where D compares the pictures of a batch (minibatch standard deviation, batch
normalisation) that is an approximation; and G answers D as it was before its step, not after.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from ganlab.losses import Loss


class Handed(NamedTuple):
    """What D's pass hands on to G."""

    gradient: Tensor  # of G's loss by the fakes, [n, c, h, w]
    loss: Tensor  # G's loss, a number


def ratio(loss: Loss, d_loss: Tensor, fake_logits: Tensor) -> tuple[Tensor, Tensor]:
    """(the slope of G's loss in each logit [n, 1] over that of D's loss, G's loss)."""
    (of_d,) = torch.autograd.grad(d_loss, fake_logits, retain_graph=True)
    logits = fake_logits.detach().requires_grad_(True)
    g_loss = loss.g(logits, logits)
    (of_g,) = torch.autograd.grad(g_loss, logits)
    return torch.where(of_d != 0, of_g / of_d, 0.0), g_loss.detach()


def handed(of_d: Tensor, by: Tensor, g_loss: Tensor) -> Handed:
    """G's gradient from D's: at the fakes [n, c, h, w], with the ratio of slopes [n, 1]."""
    return Handed(of_d * by.view(-1, *[1] * (of_d.ndim - 1)), g_loss)
