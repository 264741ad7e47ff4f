"""The adversarial losses, as pure functions of logits, and `LOSSES`, the table that menus, lessons and tests read.

Every function returns a scalar to be minimised. A logit is D's raw output: large means "real" (for an energy-based
loss it is an energy: small means "real").
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

Term = Callable[[Tensor], Tensor]
Scalar = Callable[..., Tensor]

BEGAN_GAMMA = 0.5  # diversity ratio E[energy(fake)] / E[energy(real)] that BEGAN holds (its eq. 4)
BEGAN_LAMBDA = 0.001  # learning rate of k (its eq. 5)


@dataclass(frozen=True)
class Loss:
    """One row. `d(real, fake)` and `g(real, fake)` take logits [N, K]; each is a scalar to be minimised."""

    title: str
    formula_d: str  # LaTeX
    formula_g: str
    paper: str
    d: Scalar
    g: Scalar
    real_term: Term | None = None  # per logit, where D's loss is a sum over labels: what label tricks need
    fake_term: Term | None = None
    pairs: bool = False  # the generator's loss reads the real logits too
    energy: bool = False  # D is an autoencoder, its output an energy >= 0
    balanced: bool = False  # `d` takes BEGAN's k as a third argument
    to_unit: Term = torch.sigmoid  # scores (a logit, or minus an energy) to [0, 1], for pictures of D


def labelled(loss: Loss, real: Tensor, fake: Tensor, real_as_fake: Tensor, fake_as_real: Tensor) -> Tensor:
    """D's loss under soft or flipped labels: each logit pays both labels, weighted.

    real_as_fake, fake_as_real: share of the wrong label, broadcastable to the logits, in [0, 1]. With
    `real_as_fake = s` this is one-sided label smoothing (Salimans et al. 2016, sec. 3.4) for every loss that has
    labels: for cross-entropy it is exactly the target 1 - s, for least squares it equals it up to a constant.
    """
    assert loss.real_term and loss.fake_term
    on_real = torch.lerp(loss.real_term(real), loss.fake_term(real), real_as_fake)
    on_fake = torch.lerp(loss.fake_term(fake), loss.real_term(fake), fake_as_real)
    return on_real.mean() + on_fake.mean()


def began_balance(k: float, real_energy: float, fake_energy: float) -> float:
    """The next k_t of BEGAN (Berthelot et al. 2017, eq. 5), from the mean energies of this step."""
    return min(max(k + BEGAN_LAMBDA * (BEGAN_GAMMA * real_energy - fake_energy), 0.0), 1.0)


def began_measure(real_energy: float, fake_energy: float) -> float:
    """M_global of BEGAN (Berthelot et al. 2017, sec. 3.4.1): how well D reconstructs data, and how far off balance it
    is; it falls as training converges."""
    return real_energy + abs(BEGAN_GAMMA * real_energy - fake_energy)


def _softplus_neg(x: Tensor) -> Tensor:
    return F.softplus(-x)


def _half_square_to_one(x: Tensor) -> Tensor:
    return (x - 1).square() / 2


def _half_square(x: Tensor) -> Tensor:
    return x.square() / 2


def _hinge_real(x: Tensor) -> Tensor:
    return F.relu(1 - x)


def _hinge_fake(x: Tensor) -> Tensor:
    return F.relu(1 + x)


def _plus(x: Tensor) -> Tensor:
    return x


def _minus(x: Tensor) -> Tensor:
    return -x


def _minus_softplus(x: Tensor) -> Tensor:
    return -F.softplus(x)


def rpgan_d(real: Float[Tensor, "n k"], fake: Float[Tensor, "n k"]) -> Float[Tensor, ""]:
    """Relativistic pairing (Jolicoeur-Martineau 2018, RSGAN; Huang et al. 2024, eq. 2)."""
    return F.softplus(fake - real).mean()


def rpgan_g(real: Float[Tensor, "n k"], fake: Float[Tensor, "n k"]) -> Float[Tensor, ""]:
    """The generator's side of `rpgan_d`."""
    return F.softplus(real - fake).mean()


def ragan_d(real: Float[Tensor, "n k"], fake: Float[Tensor, "n k"]) -> Float[Tensor, ""]:
    """Relativistic average (Jolicoeur-Martineau 2018, RaSGAN, sec. 4.2): each logit against the other side's mean."""
    return F.softplus(fake.mean() - real).mean() + F.softplus(fake - real.mean()).mean()


def ragan_g(real: Float[Tensor, "n k"], fake: Float[Tensor, "n k"]) -> Float[Tensor, ""]:
    """The generator's side of `ragan_d`."""
    return F.softplus(real - fake.mean()).mean() + F.softplus(real.mean() - fake).mean()


def _began_d(real: Tensor, fake: Tensor, k: float = 0.0) -> Tensor:
    return real.mean() - k * fake.mean()


def _ebgan_d(real: Tensor, fake: Tensor) -> Tensor:
    return real.mean() + F.relu(1 - fake).mean()


def _mean_fake(real: Tensor, fake: Tensor) -> Tensor:
    return fake.mean()


def _clamped(x: Tensor) -> Tensor:
    return x.clamp(0, 1)


def _from_margins(x: Tensor) -> Tensor:
    return ((x + 1) / 2).clamp(0, 1)


def standardised(x: Tensor) -> Tensor:
    """Scores without a scale of their own, by their own spread: sigmoid((x - median) / std)."""
    return torch.sigmoid(1.5 * (x - x.median()) / x.std().clamp_min(1e-12))


def _by_label(
    title: str,
    formula_d: str,
    formula_g: str,
    paper: str,
    real_term: Term,
    fake_term: Term,
    g_term: Term,
    to_unit: Term = torch.sigmoid,
) -> Loss:
    """A row whose losses are sums of one term per logit."""

    def d(real: Tensor, fake: Tensor) -> Tensor:
        return real_term(real).mean() + fake_term(fake).mean()

    def g(real: Tensor, fake: Tensor) -> Tensor:
        return g_term(fake).mean()

    return Loss(title, formula_d, formula_g, paper, d, g, real_term, fake_term, to_unit=to_unit)


_CROSS_ENTROPY = r"-\mathbb{E}[\log\sigma(D(x))] - \mathbb{E}[\log(1-\sigma(D(G(z))))]"

LOSSES: dict[str, Loss] = {
    "non_saturating": _by_label(
        "Non-saturating",
        _CROSS_ENTROPY,
        r"-\mathbb{E}[\log\sigma(D(G(z)))]",
        "Goodfellow et al. 2014, sec. 3",
        _softplus_neg,
        F.softplus,
        _softplus_neg,
    ),
    "minimax": _by_label(
        "Minimax (saturating)",
        _CROSS_ENTROPY,
        r"\mathbb{E}[\log(1-\sigma(D(G(z))))]",
        "Goodfellow et al. 2014, eq. 1",
        _softplus_neg,
        F.softplus,
        _minus_softplus,
    ),
    "logistic": _by_label(
        "Softplus logistic",
        r"\mathbb{E}[\zeta(-D(x))] + \mathbb{E}[\zeta(D(G(z)))],\ \zeta(t)=\log(1+e^t)",
        r"\mathbb{E}[\zeta(-D(G(z)))]",
        "Karras et al. 2019 (StyleGAN): the non-saturating loss written with softplus",
        _softplus_neg,
        F.softplus,
        _softplus_neg,
    ),
    "lsgan": _by_label(
        "Least squares (LSGAN)",
        r"\tfrac12\mathbb{E}[(D(x)-1)^2] + \tfrac12\mathbb{E}[D(G(z))^2]",
        r"\tfrac12\mathbb{E}[(D(G(z))-1)^2]",
        "Mao et al. 2017, eq. 9",
        _half_square_to_one,
        _half_square,
        _half_square_to_one,
        _clamped,
    ),
    "wgan": _by_label(
        "Wasserstein",
        r"\mathbb{E}[D(G(z))] - \mathbb{E}[D(x)]",
        r"-\mathbb{E}[D(G(z))]",
        "Arjovsky et al. 2017, eq. 2; needs a Lipschitz D (clip, WGAN-GP or spectral norm)",
        _minus,
        _plus,
        _minus,
        standardised,
    ),
    "hinge": _by_label(
        "Hinge",
        r"\mathbb{E}[\max(0,1-D(x))] + \mathbb{E}[\max(0,1+D(G(z)))]",
        r"-\mathbb{E}[D(G(z))]",
        "Lim & Ye 2017; Miyato et al. 2018",
        _hinge_real,
        _hinge_fake,
        _minus,
        _from_margins,
    ),
    "rpgan": Loss(
        "Relativistic pairing (RpGAN)",
        r"\mathbb{E}[\zeta(D(G(z))-D(x))]",
        r"\mathbb{E}[\zeta(D(x)-D(G(z)))]",
        "Jolicoeur-Martineau 2018; Huang et al. 2024 (R3GAN)",
        rpgan_d,
        rpgan_g,
        pairs=True,
        to_unit=standardised,
    ),
    "ragan": Loss(
        "Relativistic average (RaGAN)",
        r"\mathbb{E}[\zeta(\overline{D(G(z))}-D(x))] + \mathbb{E}[\zeta(D(G(z))-\overline{D(x)})]",
        r"\mathbb{E}[\zeta(D(x)-\overline{D(G(z))})] + \mathbb{E}[\zeta(\overline{D(x)}-D(G(z)))]",
        "Jolicoeur-Martineau 2018, sec. 4.2",
        ragan_d,
        ragan_g,
        pairs=True,
        to_unit=standardised,
    ),
    "ebgan": Loss(
        "Energy-based with margin (EBGAN)",
        r"\mathbb{E}[E(x)] + \mathbb{E}[\max(0, 1-E(G(z)))],\ E(x)=\|x-\mathrm{AE}(x)\|",
        r"\mathbb{E}[E(G(z))]",
        "Zhao et al. 2017, eq. 1 and 2",
        _ebgan_d,
        _mean_fake,
        energy=True,
        to_unit=standardised,
    ),
    "began": Loss(
        "Boundary equilibrium (BEGAN)",
        r"\mathbb{E}[E(x)] - k_t\,\mathbb{E}[E(G(z))],\ "
        r"k_{t+1}=k_t+\lambda(\gamma\,\mathbb{E}[E(x)]-\mathbb{E}[E(G(z))])",
        r"\mathbb{E}[E(G(z))]",
        "Berthelot et al. 2017, eq. 5",
        _began_d,
        _mean_fake,
        energy=True,
        balanced=True,
        to_unit=standardised,
    ),
}
