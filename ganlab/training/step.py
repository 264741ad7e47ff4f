"""One D-step and one G-step, written to be read: the reference that the fast engine is tested against."""

import torch
from torch import Tensor

from ganlab.losses import LOSSES, began_balance, labelled
from ganlab.regularizers import REGULARIZERS, clip_weights, penalty
from ganlab.training import tricks
from ganlab.training.gan import Gan


def train_step(gan: Gan, step: int) -> None:
    """k D-steps and one G-step, as far as `config.update` lets each network learn."""
    d_phase(gan, step)
    g_phase(gan, step)


def d_phase(gan: Gan, step: int) -> None:
    """The D-steps of a step."""
    if gan.config.update != "g":
        for j in range(gan.config.d_steps):
            d_step(gan, step, j)


def g_phase(gan: Gan, step: int) -> None:
    """The G-step of a step."""
    if gan.config.update != "d":
        g_step(gan, step)
    gan.fake = None


def d_step(gan: Gan, step: int, j: int = 0) -> None:
    """One update of D on the j-th batch of this step."""
    real = gan.draws.real(step, j, gan.config.batch)  # [B, dim]
    gan.fake = _generate(gan, step, j)
    fake = tricks.replay(gan, gan.fake.detach(), step, j)
    gan.D.power_iterate()
    seen_real, seen_fake = (tricks.instance_noise(gan, x, step, j, side) for side, x in enumerate((real, fake)))
    real_logits, fake_logits = gan.D(seen_real), gan.D(seen_fake)
    loss = _d_loss(gan, real_logits, fake_logits, step, j)
    total = loss + _penalties(gan, seen_real, seen_fake, step, j)
    total = total + tricks.historical_averaging(gan, gan.D, "D") + tricks.consensus(gan, real)
    gan.opt_d.zero_grad()
    total.backward(inputs=list(gan.D.parameters()), retain_graph=bool(gan.config.consensus))
    gan.measured |= {"d_loss": _true_labels(gan, real_logits, fake_logits), "d_grad": _grad_norm(gan.D)}
    gan.opt_d.step()
    for item in gan.config.penalties:
        if REGULARIZERS[item.name].clips:
            clip_weights(gan.D.parameters(), item.weight)
    if LOSSES[gan.config.loss].balanced:
        gan.balance = began_balance(gan.balance, real_logits.mean().item(), fake_logits.mean().item())


def g_step(gan: Gan, step: int) -> None:
    """One update of G, on the latents of the last D-step."""
    last = gan.config.d_steps - 1
    fake = gan.fake
    if fake is None or gan.config.latent_optimization:  # LOGAN's latents depend on D, which has moved
        fake = gan.fake = _generate(gan, step, last)
    real = gan.draws.real(step, last, gan.config.batch)
    gan.D.power_iterate()
    loss = _g_loss(gan, real, fake, step, last)
    total = loss + tricks.historical_averaging(gan, gan.G, "G") + tricks.feature_matching(gan, real, fake)
    total = total + tricks.consensus(gan, real)
    gan.opt_g.zero_grad()
    total.backward(inputs=list(gan.G.parameters()))
    gan.measured |= {"g_loss": loss.item(), "g_grad": _grad_norm(gan.G)}
    gan.opt_g.step()
    tricks.remember(gan, fake.detach(), step)


def _generate(gan: Gan, step: int, j: int) -> Tensor:
    c = gan.config
    z = gan.draws.latents(step, j, c.batch, c.z_dim, c.z_kind)
    return gan.G(tricks.latent_optimization(gan, z) if c.latent_optimization else z)


def _d_loss(gan: Gan, real_logits: Tensor, fake_logits: Tensor, step: int, j: int) -> Tensor:
    loss, c = LOSSES[gan.config.loss], gan.config
    if loss.balanced:
        return loss.d(real_logits, fake_logits, gan.balance)
    if not (c.label_smoothing or c.label_flip):
        return loss.d(real_logits, fake_logits)
    flips = gan.draws.uniform("flip", step, j, c.batch, 2)[: len(real_logits)] < c.label_flip  # [B, 2]
    smooth = torch.full_like(real_logits, c.label_smoothing)
    on_real = torch.where(flips[:, :1], 1 - smooth, smooth)
    return labelled(loss, real_logits, fake_logits, on_real, flips[:, 1:].to(smooth.dtype))


@torch.no_grad()
def _true_labels(gan: Gan, real_logits: Tensor, fake_logits: Tensor) -> float:
    """D's loss as charts show it: without the label tricks, so that runs can be compared."""
    loss = LOSSES[gan.config.loss]
    return float(loss.d(real_logits, fake_logits, *([gan.balance] if loss.balanced else [])))


def _g_loss(gan: Gan, real: Tensor, fake: Tensor, step: int, j: int) -> Tensor:
    loss = LOSSES[gan.config.loss]
    seen = tricks.instance_noise(gan, fake, step, j, 2)
    if gan.config.unroll:
        d = tricks.unrolled_d(gan, real, fake)
        return loss.g(d(real) if loss.pairs else real, d(seen))
    with torch.no_grad():
        real_logits = gan.D(tricks.instance_noise(gan, real, step, j, 0)) if loss.pairs else real
    return loss.g(real_logits, gan.D(seen))


def _penalties(gan: Gan, real: Tensor, fake: Tensor, step: int, j: int) -> Tensor:
    """The weighted sum of D's regularizers that are due at this step."""
    total = torch.zeros((), dtype=real.dtype)
    for item in gan.config.penalties:
        row = REGULARIZERS[item.name]
        if row.clips or step % item.interval:
            continue
        weight = item.weight * item.interval
        if row.points:
            u = gan.draws.uniform("penalty", step, j, gan.config.batch, 1 + gan.dim)
            total = total + weight * penalty(row, gan.D, real, fake, u[:, :1], u[:, 1:])
        elif row.weights:
            total = total + weight * row.weights(gan.D)
    return total


def _grad_norm(net: torch.nn.Module) -> float:
    return float(torch.stack([p.grad.square().sum() for p in net.parameters() if p.grad is not None]).sum().sqrt())
