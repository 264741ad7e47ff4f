"""Mode coverage of toy samples, as VEEGAN (Srivastava et al. 2017) and PacGAN (Lin et al. 2018, section 4) count it."""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

HIGH_QUALITY = 3.0  # standard deviations from the nearest mode


@dataclass(frozen=True)
class ModeReport:
    """What `mode_reports` found for one generator."""

    covered: int  # modes that are the nearest of at least one high-quality sample
    total: int  # modes with a positive weight
    high_quality: float  # share of all samples that lie within 3 sigma of a mode; real 2D data: 1 - exp(-4.5) = .9889
    reverse_kl: float  # KL(histogram || weights) in nats; real data: about (K - 1) / (2 N)
    balance: float  # 1 - total variation between histogram and weights: 1 all in proportion, 1/K one mode of K only
    counts: Int[Tensor, " k"]  # high-quality samples of each mode


def mode_report(
    samples: Float[Tensor, "n dim"],
    centers: Float[Tensor, "k dim"],
    sigma: float,
    weights: Float[Tensor, " k"] | None = None,
) -> ModeReport:
    """How well `samples` cover the modes at `centers`; see `mode_reports`."""
    return mode_reports(samples[None], centers, sigma, weights)[0]


def mode_reports(
    samples: Float[Tensor, "g n dim"],
    centers: Float[Tensor, "k dim"],
    sigma: float,
    weights: Float[Tensor, " k"] | None = None,
) -> list[ModeReport]:
    """A report for each of `g` generators at once.

    A sample is of high quality if its Euclidean distance to the nearest mode is at most 3 `sigma`. The histogram over
    modes counts these samples only; reverse KL is sum_k h_k ln(h_k / w_k), which is ln K - H(h) where all `weights`
    are equal (None). Without any such sample it is that of the worst histogram (all on the least likely mode) and the
    balance is 0. Samples that are not finite are of low quality. A mode of weight 0 is no mode.
    """
    g, n, _ = samples.shape
    k = len(centers)
    share = torch.full((k,), 1 / k) if weights is None else weights.detach().cpu()
    share = share.double() / share.double().sum()
    square = _squares(samples.detach(), centers.to(samples))  # [G, N, K]
    if weights is not None:
        square = square.masked_fill((weights <= 0).to(square.device), math.inf)
    nearest, mode = square.min(-1)  # [G, N]; NaN fails the comparison below
    high = nearest <= (HIGH_QUALITY * sigma) ** 2
    slots = mode + k * torch.arange(g, device=mode.device)[:, None]
    counts = torch.bincount(slots[high], minlength=g * k).reshape(g, k).cpu()
    return [_report(row, n, share) for row in counts]


def _squares(samples: Tensor, centers: Tensor) -> Tensor:
    total = (samples[..., None, 0] - centers[:, 0]).square_()
    for i in range(1, samples.shape[-1]):
        total += (samples[..., None, i] - centers[:, i]).square_()
    return total


def _report(counts: Tensor, n: int, share: Tensor) -> ModeReport:
    found = int(counts.sum())
    if found:
        histogram = counts.double() / found
        reverse_kl = float((torch.xlogy(histogram, histogram) - torch.xlogy(histogram, share)).sum())
        balance = 1 - float((histogram - share).abs().sum()) / 2
    else:
        reverse_kl, balance = -math.log(float(share[share > 0].min())), 0.0
    return ModeReport(
        covered=int((counts > 0).sum()),
        total=int((share > 0).sum()),
        high_quality=found / max(n, 1),
        reverse_kl=max(reverse_kl, 0.0),  # rounding
        balance=balance,
        counts=counts,
    )
