"""What is added to D's loss, or done to D's weights, to keep training stable; `REGULARIZERS` is the table.

A gradient penalty is two choices: *where* the gradient is taken (at the real points, the fakes, between them, around
the real ones) and *what* is asked of its norm. Both halves are pure functions, so that the fast engine can reuse them.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

NORM_EPS = 1e-12  # inside the square root: the norm's own gradient is infinite at 0

Points = Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class Regularizer:
    """One row; exactly one of `points` (a gradient penalty), `weights` (a term) and `clips` is set."""

    title: str
    formula: str  # LaTeX; the weight is \\lambda or \\gamma
    paper: str
    weight: float  # a usual weight
    points: Points | None = None  # (real, fake, mix, noise) -> where the gradient is taken
    of_norm: Callable[[Tensor], Tensor] | None = None  # gradient norm -> penalty of each sample
    weights: Callable[[nn.Module], Tensor] | None = None
    clips: bool = False  # clamps D's weights to +-weight after each of its updates


def gradient_norm(d: Callable[[Tensor], Tensor], x: Float[Tensor, "n *shape"]) -> Float[Tensor, " n"]:
    """|grad_x D(x)| of each sample, differentiable in D's weights."""
    x = x.detach().requires_grad_(True)
    (gradient,) = torch.autograd.grad(d(x).sum(), x, create_graph=True)
    return (gradient.flatten(1).square().sum(1) + NORM_EPS).sqrt()


def penalty(
    row: Regularizer,
    d: Callable[[Tensor], Tensor],
    real: Float[Tensor, "n *shape"],
    fake: Float[Tensor, "n *shape"],
    mix: Float[Tensor, "n *ones"],
    noise: Float[Tensor, "n *shape"],
) -> Float[Tensor, ""]:
    """The mean gradient penalty of `row`, without its weight. mix, noise: uniform in [0, 1)."""
    assert row.points and row.of_norm
    return row.of_norm(gradient_norm(d, row.points(real, fake, mix, noise))).mean()


def path_lengths(
    images: Float[Tensor, "n c h w"], ws: Float[Tensor, "n num_ws w_dim"], noise: Float[Tensor, "n c h w"]
) -> Float[Tensor, " n"]:
    """|J_w^T y| of each image for y = noise / sqrt(H W), differentiable (Karras et al. 2020, eq. 4).

    `images` must have been made from `ws`; the root mean square over layers is taken.
    """
    y = noise / (images.shape[2] * images.shape[3]) ** 0.5
    (gradient,) = torch.autograd.grad((images * y).sum(), ws, create_graph=True)
    return gradient.square().sum(2).mean(1).sqrt()


def clip_weights(parameters: Iterable[Tensor], bound: float) -> None:
    """Clamps every parameter to [-bound, bound], in place (Arjovsky et al. 2017, alg. 1)."""
    with torch.no_grad():
        for parameter in parameters:
            parameter.clamp_(-bound, bound)


def two_sided(norm: Tensor) -> Tensor:
    """(|g| - 1)^2: asks for slope one."""
    return (norm - 1).square()


def half_square(norm: Tensor) -> Tensor:
    """|g|^2 / 2: asks for slope zero."""
    return norm.square() / 2


def at_real(real: Tensor, fake: Tensor, mix: Tensor, noise: Tensor) -> Tensor:
    """The real points."""
    return real


def at_fake(real: Tensor, fake: Tensor, mix: Tensor, noise: Tensor) -> Tensor:
    """The generated points."""
    return fake


def between(real: Tensor, fake: Tensor, mix: Tensor, noise: Tensor) -> Tensor:
    """A random point on the line from each fake to a real."""
    return torch.lerp(fake, real, mix)


def around_real(real: Tensor, fake: Tensor, mix: Tensor, noise: Tensor) -> Tensor:
    """Real points moved by up to half a standard deviation (Kodali et al. 2017, alg. 1)."""
    return real + 0.5 * real.std() * noise


def l2_norm(d: nn.Module) -> Tensor:
    """Sum of squares of D's weight matrices."""
    return torch.stack([p.square().sum() for p in d.parameters() if p.ndim > 1]).sum()


def orthogonality(d: nn.Module) -> Tensor:
    """Sum over weight matrices of |W W^T o (1 - I)|^2 (Brock et al. 2019, eq. 3)."""
    terms = []
    for p in d.parameters():
        if p.ndim > 1:
            gram = p.flatten(1) @ p.flatten(1).T  # [out, out]
            terms.append((gram - gram.diagonal().diag()).square().sum())
    return torch.stack(terms).sum()


REGULARIZERS: dict[str, Regularizer] = {
    "wgan_gp": Regularizer(
        "Gradient penalty (WGAN-GP)",
        r"\lambda\,\mathbb{E}_{\hat x}[(\|\nabla D(\hat x)\|-1)^2],\ \hat x\text{ between }x\text{ and }G(z)",
        "Gulrajani et al. 2017, eq. 3",
        10.0,
        points=between,
        of_norm=two_sided,
    ),
    "r1": Regularizer(
        "R1",
        r"\tfrac{\gamma}{2}\,\mathbb{E}_{x}[\|\nabla D(x)\|^2]",
        "Mescheder et al. 2018, eq. 9",
        1.0,
        points=at_real,
        of_norm=half_square,
    ),
    "r2": Regularizer(
        "R2",
        r"\tfrac{\gamma}{2}\,\mathbb{E}_{z}[\|\nabla D(G(z))\|^2]",
        "Mescheder et al. 2018, eq. 10",
        1.0,
        points=at_fake,
        of_norm=half_square,
    ),
    "dragan": Regularizer(
        "DRAGAN",
        r"\lambda\,\mathbb{E}_{x,\delta}[(\|\nabla D(x+\delta)\|-1)^2]",
        "Kodali et al. 2017",
        10.0,
        points=around_real,
        of_norm=two_sided,
    ),
    "clip": Regularizer(
        "Weight clipping", r"w \leftarrow \mathrm{clip}(w, -c, c)", "Arjovsky et al. 2017, alg. 1", 0.1, clips=True
    ),
    "l2": Regularizer("L2", r"\lambda \sum_W \|W\|^2", "weight decay", 1e-3, weights=l2_norm),
    "orthogonal": Regularizer(
        "Orthogonal",
        r"\lambda \sum_W \|W W^\top \odot (1-I)\|^2",
        "Brock et al. 2019, eq. 3",
        1e-3,
        weights=orthogonality,
    ),
}
