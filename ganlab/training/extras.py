"""What D and G of an image GAN pay beside the adversarial loss and gradient penalties.

Consistency of D under small changes of pictures and of z; a head of D that reads classes or a part of z; G's orthogonal
and path length regularization. A weight of 0 costs nothing.
"""

from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from ganlab.augment.diffaugment import diff_augment
from ganlab.networks.auxiliary import AuxiliaryD, SemiSupervisedD, last_features
from ganlab.networks.vision_aided import VisionAided
from ganlab.regularizers import orthogonality, path_lengths
from ganlab.training import classes
from ganlab.training.step import FAKE, GENERATED, REAL
from ganlab.training.tricks import LOGAN_BETA

if TYPE_CHECKING:
    from ganlab.training.image_gan import ImageGan

PATH_DECAY = 0.01  # of the mean path length (Karras et al. 2020, "Analyzing", appendix B)


def for_d(gan: "ImageGan", real: Tensor, fake: Tensor, step: int, j: int, part: int) -> Tensor:
    """The sum of D's extra terms; `real` and `fake` [n, c, h, w] as they are, not augmented."""
    c, fake = gan.config, fake.detach()
    total = torch.zeros((), device=real.device)
    if c.drift:  # Karras et al. 2018, appendix A.1
        total = total + c.drift * gan.judge(real, step, j, part, REAL).square().mean()
    for name, weight, x, side in (("cr_real", c.cr_real, real, REAL), ("cr_fake", c.cr_fake, fake, FAKE)):
        if weight:
            total = total + weight * _consistency(gan, name, x, step, j, part, side)
    if c.zcr_d:
        with torch.no_grad():
            near = gan.generate(step, j, part, moved=c.zcr_noise)
        logits = (gan.judge(x, step, j, part, FAKE) for x in (fake, near))
        total = total + c.zcr_d * _squared_distance(*logits)
    head = auxiliary(gan)
    if isinstance(head, SemiSupervisedD):
        total = total + _supervised(gan, head, real, step, j, part)
    elif head is not None and head.classes:
        total = total + c.classifier_d * (
            _class_loss(gan, head, real, step, j, part, REAL) + _class_loss(gan, head, fake, step, j, part, FAKE)
        )
    return total + _information(gan, head, fake, step, j, part)


def for_g(gan: "ImageGan", fake: Tensor, step: int, j: int, part: int) -> Tensor:
    """The sum of G's extra terms; `fake` [n, c, h, w] with its graph."""
    c = gan.config
    total = torch.zeros((), device=fake.device)
    if c.g_orthogonal:
        total = total + c.g_orthogonal * orthogonality(gan.G)
    if c.zcr_g:  # the farther apart, the better (Zhao et al. 2021, eq. 6); of pixels the mean, whatever their number
        total = total - c.zcr_g * F.mse_loss(gan.generate(step, j, part, moved=c.zcr_noise), fake)
    head = auxiliary(gan)
    if c.feature_matching:
        total = total + c.feature_matching * _feature_matching(gan, gan.real(step, j, part), fake)
    if c.classifier_g and head is not None and head.classes:
        total = total + c.classifier_g * _class_loss(gan, head, fake, step, j, part, GENERATED)
    total = total + _information(gan, head, fake, step, j, part)
    if c.guidance and classes.readable(gan.draws.images):
        total = total + c.guidance * _guidance(gan, fake, step, j, part)
    if c.path_length and step % c.path_interval == 0:
        total = total + _path_length(gan, step, part)
    return total


def optimised_latents(gan: "ImageGan", z: Tensor, step: int, j: int, part: int) -> Float[Tensor, "n z_dim"]:
    """z moved along D's damped natural gradient, z + alpha g / (beta + |g|^2) (Wu et al. 2019, LOGAN, eq. 11).

    The move stays in the graph, as the paper has it: G is trained through it.
    """
    with torch.enable_grad():
        start = z.detach().clone().requires_grad_(True)
        fake = gan.drawn_from(start, step, j, part)
        liked = gan.penalised(fake, step, j, part, FAKE).sum() * (-1 if gan.family.energy else 1)
        (g,) = torch.autograd.grad(liked, start, create_graph=True)
        return start + gan.config.latent_optimization * g / (LOGAN_BETA + g.square().sum(1, keepdim=True))


def auxiliary(gan: "ImageGan") -> AuxiliaryD | None:
    """D's own part, where it has a second head."""
    own = gan.D.own if isinstance(gan.D, VisionAided) else gan.D
    return own if isinstance(own, AuxiliaryD) else None


def moved_a_little(x: Float[Tensor, "n c h w"], rng: torch.Generator) -> Float[Tensor, "n c h w"]:
    """Half mirrored, all moved by up to an eighth of the side (Zhang et al. 2020, "Consistency", sec. 3.1)."""
    mirrored = torch.rand(len(x), 1, 1, 1, generator=rng, device=rng.device).to(x.device) < 0.5
    return diff_augment(torch.where(mirrored, x.flip(3), x), ("translation",), rng)


def _consistency(gan: "ImageGan", name: str, x: Tensor, step: int, j: int, part: int, side: int) -> Tensor:
    """|D(x) - D(T(x))|^2: Zhang et al. 2020, eq. 4, of real pictures; of fakes too: Zhao et al. 2021, eq. 4."""
    moved = moved_a_little(x, gan.draws.rng(name, step, j, part))
    value = _squared_distance(*(gan.judge(each, step, j, part, side) for each in (x, moved)))
    gan.observe(name, value.detach()[None])
    return value


def _squared_distance(a: Tensor, b: Tensor) -> Tensor:
    """The mean over a batch of |a - b|^2."""
    return (a - b).flatten(1).square().sum(1).mean()


def _class_loss(gan: "ImageGan", head: AuxiliaryD, x: Tensor, step: int, j: int, part: int, side: int) -> Tensor:
    """-log P(class | x) (Odena et al. 2017, eq. 3)."""
    labels = gan.labels_of(step, j, part, side)
    assert labels is not None  # the head has classes
    return F.cross_entropy(head.read(x)[0], labels)


def _supervised(gan: "ImageGan", head: SemiSupervisedD, real: Tensor, step: int, j: int, part: int) -> Tensor | float:
    """-log P(class | x, x is no fake) of the pictures whose label is known (Salimans et al. 2016, sec. 5)."""
    known, labels = gan.known(step, j, part), gan.labels_of(step, j, part, REAL)
    assert labels is not None  # the head has classes
    if not bool(known.any()):
        return 0.0
    value = F.cross_entropy(head.read(real)[0][known], labels[known])
    gan.observe("supervised", value.detach()[None])
    return value


def _feature_matching(gan: "ImageGan", real: Tensor, fake: Tensor) -> Tensor:
    """|mean features of data - of fakes|^2, those that D's last layer sees (Salimans et al. 2016, sec. 3.1)."""
    head = auxiliary(gan)
    net = head.own if head is not None else gan.D.own if isinstance(gan.D, VisionAided) else gan.D
    with torch.no_grad():
        wanted = last_features(net, real).mean(0)
    return (last_features(net, fake).mean(0) - wanted).square().sum()


def _guidance(gan: "ImageGan", fake: Tensor, step: int, j: int, part: int) -> Tensor:
    """-log P(class | G(z, c)) of a frozen classifier (Sauer et al. 2022, sec. 3.3)."""
    labels = gan.labels_of(step, j, part, GENERATED)
    assert labels is not None  # the classifier knows them
    value = F.cross_entropy(gan.reader(fake, gan.draws.images.config.labels), labels)
    gan.observe("guidance", value.detach()[None])
    return value


def _information(
    gan: "ImageGan", head: AuxiliaryD | None, fake: Tensor, step: int, j: int, part: int
) -> Tensor | float:
    """-log Q of a code as read off a fake, the bound of Chen et al. 2016, eq. 5, but for a constant.

    Of numbers, those that z begins with: a normal distribution of deviation 1. Of kinds: which of the numbers behind
    them is the largest, so that z stays normal and each kind is as likely.
    """
    if head is None or not (head.info or head.kinds):
        return 0.0
    read, z = head.read(fake), gan.latents(step, j, part)
    total = torch.zeros((), device=fake.device)
    if head.info:
        error = (read.info - z[:, : head.info]).square().sum(1).mean() / 2
        gan.observe("info", error.detach()[None])
        total = total + error
    if head.kinds:
        kind = z[:, head.info : head.info + head.kinds].argmax(1)
        surprise = F.cross_entropy(read.kinds, kind)
        gan.observe("kinds", surprise.detach()[None])
        total = total + surprise
    return gan.config.info_weight * total


def _path_length(gan: "ImageGan", step: int, part: int) -> Tensor:
    """On half as many images. Karras et al. 2020, "Analyzing and Improving the Image Quality of StyleGAN", sec. 3.2."""
    c = gan.config
    images, ws = gan.generate_for_path(step, part)
    noise = torch.randn(images.shape, generator=gan.draws.rng("path", step, part), device=images.device)
    lengths = path_lengths(images, ws, noise)
    gan.observe("path", lengths.detach())
    mean = gan.path_mean.lerp(lengths.detach().mean(), PATH_DECAY)
    return c.path_length * c.path_interval * (lengths - mean).square().mean()
