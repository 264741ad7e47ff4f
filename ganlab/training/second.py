"""The second discriminator of a vision-aided GAN: which frozen network it looks through, and from when on.

Kumari et al. 2022, sec. 3.3: of the networks at hand that one is taken on whose features a linear classifier tells
data from fakes best; it tells what D has yet to learn.
"""

from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from ganlab.features.frozen import Backbone, at_hand, frozen
from ganlab.networks.vision_aided import VisionAided
from ganlab.run_images import AUTO
from ganlab.training.draws import seed_of

if TYPE_CHECKING:
    from ganlab.training.image_gan import ImageGan
    from ganlab.training.image_state import State

PROBED = 256  # pictures of data, and as many fakes; half of them are for testing
AT_ONCE = 32
DECAY = 1e-2  # of the classifier's weights, on features with deviation 1
ITERATIONS = 50
KEY = "D.heads."


def aided(gan: "ImageGan", classes: int) -> VisionAided | None:
    """D with a second one: the network that the settings name has joined it, `auto` has yet to choose. None: none."""
    wanted = gan.config.second
    if wanted == "none":
        return None
    D = VisionAided(gan.D, classes)
    if wanted != AUTO:
        D.join(wanted, frozen(wanted))
    return D


def choose(gan: "ImageGan", step: int) -> None:
    """Lets the best network join D if the settings leave it to us, and it is time."""
    c = gan.config
    if c.second != AUTO or gan.D.second or gan.run.images_at(step) < 1000 * c.second_kimg:
        return
    found = {name: frozen(name) for name in at_hand()}
    if len(found) > 1:
        scores = probed(gan, found, step)
        best = [*found].index(max(scores, key=lambda name: scores[name]))
        first = torch.tensor(float(best if gan.processes.rank == 0 else 0), device=gan.draws.device)
        best = round(float(gan.mean(first)) * gan.processes.world)  # of the first process: batch norms may differ
        found = {name: found[name] for name in ([*found][best],)}
    ((name, backbone),) = found.items()
    _join(gan, name, backbone)


def resume(gan: "ImageGan", state: "State") -> None:
    """Lets D have the second one that a state has, before its weights are read."""
    if gan.config.second != AUTO:
        return
    name = next((key.split(".")[2] for key in state if key.startswith(KEY)), "")
    if gan.D.second not in ("", name):
        gan.D.part()
        gan.restart_d()
    if name and not gan.D.second:
        _join(gan, name, frozen(name))


def probed(gan: "ImageGan", networks: dict[str, Backbone], step: int) -> dict[str, tuple[float, float]]:
    """Of a linear classifier on the features of each: (how many unseen pictures it tells right, minus its loss)."""
    train = gan.draws.images.train
    count = PROBED if train.endless else min(PROBED, len(train) // 2 * 2)  # no picture twice: halves are to differ
    real, labels = gan.draws.real(0, count)
    z = gan.draws.latents(count, gan.config.z_dim, "probe", step)
    c = labels if gan.draws.classes else None
    parts = zip(z.split(AT_ONCE), [None] * len(z) if c is None else c.split(AT_ONCE))
    fake = torch.cat([gan.images(part, label, average=False) for part, label in parts])
    out = {}
    for name, network in networks.items():
        network.to(real.device)  # type: ignore[attr-defined]
        features = [torch.cat([_pooled(network, part) for part in x.split(AT_ONCE)]) for x in (real, fake)]
        out[name] = told_apart(*features)
    return out


@torch.no_grad()
def _pooled(network: Backbone, x: Tensor) -> Tensor:
    return torch.cat([part.float().mean((2, 3)) for part in network.maps(x)], 1)


def told_apart(real: Float[Tensor, "n d"], fake: Float[Tensor, "n d"]) -> tuple[float, float]:
    """Logistic regression on the first half of both: (accuracy, minus the loss) on the second half."""
    x = torch.stack([real, fake], 1).flatten(0, 1).double()  # pairs, so that halves hold as many of both
    y = torch.tensor([1.0, 0.0], dtype=x.dtype, device=x.device).repeat(len(real))
    half = len(x) // 4 * 2
    mean, std = x[:half].mean(0), x[:half].std(0)
    x = torch.cat([(x - mean) / (std + 1e-6 * std.max() + 1e-12), torch.ones_like(y)[:, None]], 1)
    w = x.new_zeros(x.shape[1], requires_grad=True)
    optimizer = torch.optim.LBFGS([w], max_iter=ITERATIONS, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimizer.zero_grad()
        value = F.binary_cross_entropy_with_logits(x[:half] @ w, y[:half]) + DECAY * w[:-1].square().sum() / 2
        value.backward()
        return value

    with torch.enable_grad():
        optimizer.step(loss)
    logits = x[half:] @ w.detach()
    right = ((logits > 0) == (y[half:] > 0.5)).double().mean()
    return float(right), -float(F.binary_cross_entropy_with_logits(logits, y[half:]))


def _join(gan: "ImageGan", name: str, backbone: Backbone) -> None:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed_of(gan.run.seed, "second"))
        heads = gan.D.join(name, backbone)
    gan.D.to(gan.draws.device).to(memory_format=torch.channels_last)
    c = gan.config
    group = {"params": list(heads.parameters()), "lr": c.lr_d, "betas": (c.beta1, c.beta2)}
    gan.opt_d.add_param_group(group)
