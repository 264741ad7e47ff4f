"""One D-step and one G-step, for toy and image GANs alike; the fast toy engine is tested against it.

A batch may be made in several parts (gradient accumulation, processes): gradients of the parts are averaged before an
optimizer moves.
"""

from collections.abc import Callable, Iterable
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from ganlab.losses import LOSSES, began_balance, labelled
from ganlab.regularizers import REGULARIZERS, at_fake, clip_weights, penalty
from ganlab.training import one_stage
from ganlab.training.one_stage import Handed

REAL, FAKE, GENERATED = range(3)  # where D looks: at data, at fakes in its own step, at fakes in G's step


@runtime_checkable
class Player(Protocol):
    """What a step needs of a GAN in training: `training.gan.Gan` for points, `training.image_gan.ImageGan` for images.

    Everything that is random is a function of (step, j, part), j counting the D-steps of a step.
    """

    config: Any  # loss, penalties, update, d_steps, label_smoothing, label_flip
    D: Any
    G: Any
    opt_g: torch.optim.Optimizer
    opt_d: torch.optim.Optimizer
    balance: float  # BEGAN's k
    fake: Tensor | None  # G's output with its graph, shared by the D- and the G-step where a batch is one part
    handed: Handed | None  # what D's step hands on to G's, in a training of one stage
    measured: dict[str, Tensor]  # losses and gradient norms of the last step; not yet read, which would wait for a GPU

    @property
    def graph_serves_twice(self) -> bool:
        """Whether what D pays depends on the graph of G's output."""

    @property
    def one_stage(self) -> bool:
        """Whether G learns from D's own pass."""

    @property
    def reuses_fakes(self) -> bool:
        """Whether G's step may take the output of D's last step."""

    def parts(self) -> Iterable[int]:
        """The parts of the batch that are made here."""

    def real(self, step: int, j: int, part: int) -> Tensor:
        """Data."""

    def generate(self, step: int, j: int, part: int) -> Tensor:
        """G's output, with its graph."""

    def seen(self, x: Tensor, step: int, j: int, part: int, side: int) -> Tensor:
        """What D is shown of x: with noise, augmented, exchanged for old fakes."""

    def judge(self, x: Tensor, step: int, j: int, part: int, side: int) -> Tensor:
        """D's logits of what it is shown."""

    def penalised(self, x: Tensor, step: int, j: int, part: int, side: int) -> Tensor:
        """The logits whose slopes gradient penalties look at."""

    def ahead(self, real: Tensor, fake: Tensor) -> Callable[[Tensor], Tensor] | None:
        """D as it will be after some more steps, where G plays against that one."""

    def uniform(self, kind: str, step: int, j: int, part: int, rows: int, columns: int) -> Tensor:
        """Numbers in [0, 1), [rows, columns], for the purpose named by `kind`."""

    def observe(self, what: str, values: Tensor) -> None:
        """Hears of D's logits in its step ("real", "fake"), of penalties by their names, and of D's lead: its logits of
        the data, less those of fakes where the loss looks at nothing but the difference.
        """

    def extra_d(self, real: Tensor, fake: Tensor, step: int, j: int, part: int) -> Tensor | float:
        """What else D pays."""

    def extra_g(self, real: Tensor, fake: Tensor, step: int, j: int, part: int) -> Tensor | float:
        """What else G pays."""

    def gather(self, net: nn.Module) -> None:
        """Averages the gradients over parts and processes."""

    def mean(self, value: Tensor) -> Tensor:
        """The mean of a number over processes."""

    def finish(self, fake: Tensor, step: int) -> None:
        """After G's step: averages and memories."""

    def settle(self, step: int) -> None:
        """After a step, whoever has learned in it: figures and controllers."""


def train_step(gan: Player, step: int) -> None:
    """k D-steps and one G-step, as far as `config.update` lets each network learn."""
    d_phase(gan, step)
    g_phase(gan, step)


def d_phase(gan: Player, step: int) -> None:
    """The D-steps of a step."""
    if gan.config.update != "g":
        for j in range(gan.config.d_steps):
            d_step(gan, step, j)


def g_phase(gan: Player, step: int) -> None:
    """The G-step of a step."""
    if gan.config.update != "d":
        g_step(gan, step)
    gan.fake = gan.handed = None
    gan.settle(step)


def d_step(gan: Player, step: int, j: int = 0) -> None:
    """One update of D on the j-th batch of this step."""
    _power_iterate(gan.D)
    _power_iterate(gan.G)  # before its fakes, which G's own step may share
    gan.opt_d.zero_grad()
    parts = tuple(gan.parts())
    losses, logits = zip(*(_d_part(gan, step, j, part, keep=len(parts) == 1) for part in parts))
    gan.gather(gan.D)
    gan.measured |= {"d_loss": gan.mean(torch.stack(losses).mean()), "d_grad": grad_norm(gan.D)}
    gan.opt_d.step()
    if LOSSES[gan.config.loss].balanced:
        gan.balance = began_balance(gan.balance, *gan.mean(torch.stack(logits).mean(0)).tolist())
    for item in gan.config.penalties:
        if REGULARIZERS[item.name].clips:
            clip_weights(gan.D.parameters(), item.weight)


def g_step(gan: Player, step: int) -> None:
    """One update of G, on the latents of the last D-step."""
    last = gan.config.d_steps - 1
    _power_iterate(gan.D)
    if gan.config.update == "g":
        _power_iterate(gan.G)
    gan.opt_g.zero_grad()
    parts, losses = tuple(gan.parts()), []
    for part in parts:
        kept = gan.fake if gan.reuses_fakes else None
        fake = gan.generate(step, last, part) if kept is None else kept
        gan.fake = fake if len(parts) == 1 else None
        real = gan.real(step, last, part)
        losses.append(_g_part(gan, real, fake, step, last, part))
    gan.gather(gan.G)
    gan.measured |= {"g_loss": gan.mean(torch.stack(losses).mean()), "g_grad": grad_norm(gan.G)}
    gan.opt_g.step()
    gan.finish(fake.detach(), step)


def _g_part(gan: Player, real: Tensor, fake: Tensor, step: int, j: int, part: int) -> Tensor:
    """Adds the gradients of one part of a batch to G's; returns G's loss."""
    weights = [p for p in gan.G.parameters() if p.requires_grad]
    if gan.handed is None:
        loss = _g_loss(gan, real, fake, step, j, part)
        (loss + gan.extra_g(real, fake, step, j, part)).backward(inputs=weights)
        return loss.detach()
    extra = gan.extra_g(real, fake, step, j, part)
    torch.autograd.backward(fake, gan.handed.gradient, inputs=weights, retain_graph=True)  # which the extras may share
    if isinstance(extra, Tensor) and extra.requires_grad:
        extra.backward(inputs=weights)
    return gan.handed.loss


def _d_part(gan: Player, step: int, j: int, part: int, keep: bool) -> tuple[Tensor, Tensor]:
    """Adds the gradients of one part of a batch to D's; returns D's loss as charts show it, and its mean logits [2]."""
    real = gan.real(step, j, part)
    with torch.set_grad_enabled(keep):  # G's step makes those of parts again: their graphs would fill the memory
        fake = gan.generate(step, j, part)
    gan.fake = fake if keep else None
    shown_real = gan.seen(real, step, j, part, REAL)
    leaf = fake.detach().requires_grad_(gan.one_stage)
    shown_fake = gan.seen(leaf, step, j, part, FAKE)
    real_logits = gan.judge(shown_real, step, j, part, REAL)
    fake_logits = gan.judge(shown_fake, step, j, part, FAKE)
    loss = _d_loss(gan, real_logits, fake_logits, step, j, part)
    total = loss + _penalties(gan, shown_real, shown_fake.detach(), step, j, part)
    total = total + gan.extra_d(real, fake, step, j, part)
    if gan.one_stage:
        slopes, g_loss = one_stage.ratio(LOSSES[gan.config.loss], loss, fake_logits)
        total.backward(inputs=[*gan.D.parameters(), leaf], retain_graph=gan.graph_serves_twice)
        assert leaf.grad is not None
        gan.handed = one_stage.handed(leaf.grad, slopes, g_loss)
    else:
        total.backward(inputs=list(gan.D.parameters()), retain_graph=gan.graph_serves_twice)
    gan.observe("real", real_logits.detach())
    gan.observe("fake", fake_logits.detach())
    lead = real_logits - fake_logits if LOSSES[gan.config.loss].pairs else real_logits
    gan.observe("lead", lead.detach())
    energies = torch.stack([real_logits.detach().mean(), fake_logits.detach().mean()])
    return _true_labels(gan, real_logits, fake_logits), energies


def _d_loss(gan: Player, real_logits: Tensor, fake_logits: Tensor, step: int, j: int, part: int) -> Tensor:
    """Summed over the logits of a picture, where D has several: each is a discriminator of its own."""
    loss, c = LOSSES[gan.config.loss], gan.config
    if loss.balanced:
        return loss.d(real_logits, fake_logits, gan.balance)
    if not (c.label_smoothing or c.label_flip):
        return heads(real_logits) * loss.d(real_logits, fake_logits)
    flips = gan.uniform("flip", step, j, part, len(real_logits), 2) < c.label_flip  # [B, 2]
    smooth = torch.full_like(real_logits, c.label_smoothing)
    on_real = torch.where(flips[:, :1], 1 - smooth, smooth)
    return heads(real_logits) * labelled(loss, real_logits, fake_logits, on_real, flips[:, 1:].to(smooth.dtype))


def heads(logits: Tensor) -> int:
    """How many logits D has for a picture; losses are means over them."""
    return logits.shape[1] if logits.ndim > 1 else 1


@torch.no_grad()
def _true_labels(gan: Player, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """D's loss without the label tricks, so that runs can be compared."""
    loss = LOSSES[gan.config.loss]
    return loss.d(real_logits, fake_logits, *([gan.balance] if loss.balanced else []))


def _g_loss(gan: Player, real: Tensor, fake: Tensor, step: int, j: int, part: int) -> Tensor:
    loss = LOSSES[gan.config.loss]
    shown = gan.seen(fake, step, j, part, GENERATED)
    ahead = gan.ahead(real, fake)
    if ahead is not None:
        return loss.g(ahead(real) if loss.pairs else real, ahead(shown))
    real_logits = real
    if loss.pairs:
        with torch.no_grad():
            real_logits = gan.judge(gan.seen(real, step, j, part, REAL), step, j, part, REAL)
    fake_logits = gan.judge(shown, step, j, part, GENERATED)
    return heads(fake_logits) * loss.g(real_logits, fake_logits)


def _penalties(gan: Player, real: Tensor, fake: Tensor, step: int, j: int, part: int) -> Tensor:
    """The weighted sum of D's regularizers that are due at this step."""
    total = torch.zeros((), dtype=real.dtype, device=real.device)
    for item in gan.config.penalties:
        row = REGULARIZERS[item.name]
        if row.clips or step % item.interval:
            continue
        weight = item.weight * item.interval
        if row.points:
            u = gan.uniform("penalty", step, j, part, len(real), 1 + real[0].numel())
            mix, noise = u[:, :1].reshape(-1, *(1,) * (real.ndim - 1)), u[:, 1:].reshape(real.shape)
            side = FAKE if row.points is at_fake else REAL
            value = penalty(row, lambda x: gan.penalised(x, step, j, part, side), real, fake, mix, noise)  # noqa: B023
            gan.observe(item.name, value.detach())
            total = total + weight * value
        elif row.weights is not None:
            total = total + weight * row.weights(gan.D)
    return total


def _power_iterate(net: Any) -> None:
    """Moves the power iterations of spectral normalisation, where there are any."""
    if hasattr(net, "power_iterate"):
        net.power_iterate()


def grad_norm(net: nn.Module) -> Tensor:
    """The norm of a network's gradient."""
    return nn.utils.get_total_norm([p.grad for p in net.parameters() if p.grad is not None])
