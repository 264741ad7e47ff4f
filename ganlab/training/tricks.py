"""The tricks of the lectures: each one function, each doing nothing until its setting is turned up."""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.func import functional_call

from ganlab.losses import LOSSES
from ganlab.training.gan import REPLAY_SIZE, Gan

LOGAN_BETA = 5.0  # damping of the natural gradient (Wu et al. 2019, sec. 4.2)


def instance_noise_at(sigma: float, steps: int, step: int) -> float:
    """The noise's standard deviation: constant, or falling linearly to 0 in `steps` (Sonderby et al. 2017)."""
    return sigma if steps == 0 else sigma * max(0.0, 1 - step / steps)


def instance_noise(gan: Gan, x: Tensor, step: int, j: int, side: int) -> Tensor:
    """x with the noise of this step; `side` 0 for real, 1 for fake, 2 for G's step."""
    sigma = instance_noise_at(gan.config.instance_noise, gan.config.instance_noise_steps, step)
    if sigma == 0:
        return x
    return x + sigma * gan.draws.normal(f"instance{side}", step, j, gan.config.batch, gan.dim)


def replay(gan: Gan, fake: Tensor, step: int, j: int) -> Tensor:
    """The fakes with a share of them exchanged for remembered ones (Shrivastava et al. 2017, sec. 2.3)."""
    n = int(gan.config.replay * len(fake))
    if n == 0 or len(gan.past) == 0:
        return fake
    pick = gan.draws.uniform("replay", step, j, gan.config.batch, 1)[:n, 0]
    return torch.cat([gan.past[(pick * len(gan.past)).long()], fake[n:]])


def remember(gan: Gan, fake: Tensor, step: int) -> None:
    """After a G-step: feeds the replay, the historical averages and the moving average of G."""
    c = gan.config
    if c.replay:
        few = fake[: max(1, len(fake) // 8)]
        gan.past = torch.cat([gan.past, few])[-REPLAY_SIZE:]
    if c.historical_averaging:
        gan.averaged += 1
        for prefix, net in (("G", gan.G), ("D", gan.D)):
            for name, p in net.named_parameters():
                mean = gan.averages.setdefault(f"{prefix}.{name}", p.detach().clone())
                mean.lerp_(p.detach(), 1 / gan.averaged)
    if c.ema:
        with torch.no_grad():
            for a, p in zip(gan.ema.parameters(), gan.G.parameters(), strict=True):
                a.lerp_(p, 1 - c.ema)
            for copied, buffer in zip(gan.ema.buffers(), gan.G.buffers(), strict=True):
                copied.copy_(buffer)


def historical_averaging(gan: Gan, net: nn.Module, prefix: str) -> Tensor:
    """weight * |theta - mean of past theta|^2 (Salimans et al. 2016, sec. 3.3)."""
    total = torch.zeros((), dtype=gan.draws.dtype)
    if gan.config.historical_averaging and gan.averages:
        for name, p in net.named_parameters():
            total = total + (p - gan.averages[f"{prefix}.{name}"]).square().sum()
    return gan.config.historical_averaging * total


def feature_matching(gan: Gan, real: Tensor, fake: Tensor) -> Tensor:
    """weight * |mean features of real - of fake|^2 (Salimans et al. 2016, sec. 3.1)."""
    if not gan.config.feature_matching:
        return torch.zeros((), dtype=fake.dtype)
    wanted = gan.D.features(real).mean(0).detach()
    return gan.config.feature_matching * (gan.D.features(fake).mean(0) - wanted).square().sum()


def latent_optimization(gan: Gan, z: Tensor) -> Tensor:
    """z moved along D's (damped natural) gradient, z + alpha g / (beta + |g|^2) (Wu et al. 2019, LOGAN, eq. 11).

    The move stays in the graph, as the paper has it: G is trained through it.
    """
    start = z.detach().clone().requires_grad_(True)
    sign = -1.0 if LOSSES[gan.config.loss].energy else 1.0
    (g,) = torch.autograd.grad(sign * gan.D(gan.G(start)).sum(), start, create_graph=True)
    moved = start + gan.config.latent_optimization * g / (LOGAN_BETA + g.square().sum(1, keepdim=True))
    return moved.clamp(-1, 1) if gan.config.z_kind == "uniform" else moved


def consensus(gan: Gan, real: Tensor) -> Tensor:
    """weight * |v|^2 / 2, v the gradients of both players' losses (Mescheder et al. 2017, eq. 11)."""
    if not gan.config.consensus or gan.fake is None:
        return torch.zeros((), dtype=real.dtype)
    loss = LOSSES[gan.config.loss]
    real_logits, fake_logits = gan.D(real), gan.D(gan.fake)
    of_d = loss.d(real_logits, fake_logits, gan.balance) if loss.balanced else loss.d(real_logits, fake_logits)
    gradients = [
        *torch.autograd.grad(of_d, list(gan.D.parameters()), create_graph=True),
        *torch.autograd.grad(loss.g(real_logits, fake_logits), list(gan.G.parameters()), create_graph=True),
    ]
    return gan.config.consensus * torch.stack([g.square().sum() for g in gradients]).sum() / 2


def unrolled_d(gan: Gan, real: Tensor, fake: Tensor) -> Callable[[Tensor], Tensor]:
    """D as it would be after `unroll` more Adam steps on this batch, differentiable in the fakes (Metz et al. 2017).

    D itself is left as it is. The moments start from D's own.
    """
    c, loss, opt = gan.config, LOSSES[gan.config.loss], gan.opt_d
    named = dict(gan.D.named_parameters())
    weights: dict[str, Tensor] = dict(named)
    m = {n: opt.state[p]["exp_avg"] if p in opt.state else torch.zeros_like(p) for n, p in named.items()}
    v = {n: opt.state[p]["exp_avg_sq"] if p in opt.state else torch.zeros_like(p) for n, p in named.items()}
    t = int(max((float(s["step"]) for s in opt.state.values()), default=0))

    def d(x: Tensor) -> Tensor:
        return functional_call(gan.D, weights, (x,))

    for _ in range(c.unroll):
        t += 1
        real_logits, fake_logits = d(real), d(fake)
        value = loss.d(real_logits, fake_logits, gan.balance) if loss.balanced else loss.d(real_logits, fake_logits)
        gradients = torch.autograd.grad(value, list(weights.values()), create_graph=True)
        for (name, w), g in zip(list(weights.items()), gradients, strict=True):
            m[name] = c.beta1 * m[name] + (1 - c.beta1) * g
            v[name] = c.beta2 * v[name] + (1 - c.beta2) * g.square()
            # eps stays inside the root: the root's gradient is infinite at 0
            root = (v[name] / (1 - c.beta2**t) + 1e-16).sqrt()
            weights[name] = w - c.lr_d * m[name] / (1 - c.beta1**t) / root
    return d
