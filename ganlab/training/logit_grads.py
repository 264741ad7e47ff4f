"""The derivatives of the losses by the logits, for the fast engine; tests hold each row against autograd.

Each function writes into its last arguments what a mean over the batch must still be divided by the batch size for.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

OneSided = Callable[[Tensor, Tensor], None]


@dataclass(frozen=True)
class LabelGrad:
    """Derivatives of a loss that is a sum over labels: each (logits, out)."""

    real: OneSided
    fake: OneSided
    g: OneSided


@dataclass(frozen=True)
class PairGrad:
    """Derivatives of a loss of pairs: d (real, fake, out_real, out_fake) and g (real, fake, out_fake)."""

    d: Callable[[Tensor, Tensor, Tensor, Tensor], None]
    g: Callable[[Tensor, Tensor, Tensor], None]


def _sigmoid(x: Tensor, out: Tensor) -> None:
    torch.sigmoid(x, out=out)


def _sigmoid_minus_one(x: Tensor, out: Tensor) -> None:
    torch.sigmoid(x, out=out)
    out.sub_(1)


def _minus_sigmoid(x: Tensor, out: Tensor) -> None:
    torch.sigmoid(x, out=out)
    out.neg_()


def _minus_one(x: Tensor, out: Tensor) -> None:
    out.fill_(-1)


def _one(x: Tensor, out: Tensor) -> None:
    out.fill_(1)


def _x(x: Tensor, out: Tensor) -> None:
    out.copy_(x)


def _x_minus_one(x: Tensor, out: Tensor) -> None:
    torch.sub(x, 1, out=out)


def _below_one(x: Tensor, out: Tensor) -> None:
    torch.lt(x, 1, out=out)
    out.neg_()


def _above_minus_one(x: Tensor, out: Tensor) -> None:
    torch.gt(x, -1, out=out)


def _rpgan_d(real: Tensor, fake: Tensor, out_real: Tensor, out_fake: Tensor) -> None:
    torch.sigmoid(fake - real, out=out_fake)
    torch.neg(out_fake, out=out_real)


def _rpgan_g(real: Tensor, fake: Tensor, out_fake: Tensor) -> None:
    torch.sigmoid(real - fake, out=out_fake)
    out_fake.neg_()


def _ragan_d(real: Tensor, fake: Tensor, out_real: Tensor, out_fake: Tensor) -> None:
    a = torch.sigmoid(fake.mean(1, keepdim=True) - real)
    b = torch.sigmoid(fake - real.mean(1, keepdim=True))
    out_real.copy_(-a - b.mean(1, keepdim=True))
    out_fake.copy_(b + a.mean(1, keepdim=True))


def _ragan_g(real: Tensor, fake: Tensor, out_fake: Tensor) -> None:
    a = torch.sigmoid(real - fake.mean(1, keepdim=True))
    out_fake.copy_(-a.mean(1, keepdim=True) - torch.sigmoid(real.mean(1, keepdim=True) - fake))


LOGIT_GRADS: dict[str, LabelGrad | PairGrad] = {
    "non_saturating": LabelGrad(_sigmoid_minus_one, _sigmoid, _sigmoid_minus_one),
    "logistic": LabelGrad(_sigmoid_minus_one, _sigmoid, _sigmoid_minus_one),  # the same function, written otherwise
    "minimax": LabelGrad(_sigmoid_minus_one, _sigmoid, _minus_sigmoid),
    "lsgan": LabelGrad(_x_minus_one, _x, _x_minus_one),
    "wgan": LabelGrad(_minus_one, _one, _minus_one),
    "hinge": LabelGrad(_below_one, _above_minus_one, _minus_one),
    "rpgan": PairGrad(_rpgan_d, _rpgan_g),
    "ragan": PairGrad(_ragan_d, _ragan_g),
}
