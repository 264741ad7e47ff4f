"""How fast toy GANs train: plain PyTorch loops against ganlab's engine, side by side in one process, on one thread.

    python benchmarks/toy.py [--quick]

The plain loops are written as tutorials write them: `nn.Sequential`, `torch.optim.Adam` as it comes, autograd, fresh
noise for G's step. All contenders of a width take turns, and medians are reported, since a machine is never quiet.
The unit is GAN-iterations a second: one D-step and one G-step of one GAN.
"""

import argparse
import statistics
import time
from collections.abc import Callable, Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from ganlab.data.toy2d import DataConfig, density
from ganlab.run import GanConfig, Penalty, Run
from ganlab.training.arena import Arena
from ganlab.training.loop import train

BATCH, Z_DIM, LR, BETAS = 256, 2, 1e-3, (0.5, 0.999)
DATA = DataConfig("ring")
WIDTHS = (32, 64, 128)
Loop = Iterator[None]  # each `next` makes one iteration

EIGHT = (  # eight losses, as the lectures pair them with penalties
    GanConfig("NS-GAN"),
    GanConfig("Minimax", loss="minimax"),
    GanConfig("Logistic + R1", loss="logistic", penalties=(Penalty("r1", 1.0),)),
    GanConfig("LSGAN", loss="lsgan"),
    GanConfig("WGAN-GP", loss="wgan", penalties=(Penalty("wgan_gp", 10.0),)),
    GanConfig("Hinge + SN", loss="hinge", d_norm="spectral"),
    GanConfig("R3GAN", loss="rpgan", penalties=(Penalty("r1", 1.0), Penalty("r2", 1.0))),
    GanConfig("RaGAN", loss="ragan"),
)


def networks(width: int, normalised: bool = False) -> tuple[nn.Module, nn.Module]:
    """G and D with two hidden layers."""
    wrap: Callable[[nn.Module], nn.Module] = spectral_norm if normalised else lambda layer: layer
    g = nn.Sequential(nn.Linear(Z_DIM, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU(), nn.Linear(width, 2))
    d = nn.Sequential(
        wrap(nn.Linear(2, width)), nn.ReLU(), wrap(nn.Linear(width, width)), nn.ReLU(), wrap(nn.Linear(width, 1))
    )
    return g, d


def tutorial_loop(width: int) -> Loop:
    """The non-saturating GAN with label tensors and binary cross-entropy."""
    g, d = networks(width)
    opt_g = torch.optim.Adam(g.parameters(), lr=LR, betas=BETAS)
    opt_d = torch.optim.Adam(d.parameters(), lr=LR, betas=BETAS)
    criterion = nn.BCEWithLogitsLoss()
    data, rng = density(DATA), torch.Generator().manual_seed(0)
    while True:
        real_labels, fake_labels = torch.ones(BATCH, 1), torch.zeros(BATCH, 1)
        fake = g(torch.randn(BATCH, Z_DIM))
        opt_d.zero_grad()
        d_loss = criterion(d(data.sample(BATCH, rng)), real_labels) + criterion(d(fake.detach()), fake_labels)
        d_loss.backward()
        opt_d.step()

        opt_g.zero_grad()
        g_loss = criterion(d(g(torch.randn(BATCH, Z_DIM))), real_labels)
        g_loss.backward()
        opt_g.step()
        yield


def plain_loop(config: GanConfig, width: int) -> Loop:
    """One of the eight, with autograd: its loss and penalties written out."""
    g, d = networks(width, config.d_norm == "spectral")
    opt_g = torch.optim.Adam(g.parameters(), lr=LR, betas=BETAS)
    opt_d = torch.optim.Adam(d.parameters(), lr=LR, betas=BETAS)
    data, rng = density(DATA), torch.Generator().manual_seed(0)
    d_loss, g_loss = PLAIN_LOSSES[config.loss]
    while True:
        real, fake = data.sample(BATCH, rng), g(torch.randn(BATCH, Z_DIM)).detach()
        opt_d.zero_grad()
        loss = d_loss(d(real), d(fake))
        for item in config.penalties:
            loss = loss + item.weight * PLAIN_PENALTIES[item.name](d, real, fake)
        loss.backward()
        opt_d.step()

        opt_g.zero_grad()
        fake = g(torch.randn(BATCH, Z_DIM))
        with torch.no_grad():
            real_logits = d(real) if config.loss in ("rpgan", "ragan") else real
        g_loss(real_logits, d(fake)).backward()
        opt_g.step()
        yield


def slope(d: nn.Module, x: Tensor) -> Tensor:
    """Squared gradient norms of D at x, [N]."""
    x = x.requires_grad_(True)
    (gradient,) = torch.autograd.grad(d(x).sum(), x, create_graph=True)
    return gradient.square().sum(1)


def wgan_gp(d: nn.Module, real: Tensor, fake: Tensor) -> Tensor:
    """(|grad D| - 1)^2 between real and fake."""
    return ((slope(d, torch.lerp(fake, real, torch.rand(len(real), 1))) + 1e-12).sqrt() - 1).square().mean()


PLAIN_PENALTIES: dict[str, Callable[[nn.Module, Tensor, Tensor], Tensor]] = {
    "wgan_gp": wgan_gp,
    "r1": lambda d, real, fake: slope(d, real.clone()).mean() / 2,
    "r2": lambda d, real, fake: slope(d, fake.clone()).mean() / 2,
}
PairOfLosses = tuple[Callable[[Tensor, Tensor], Tensor], Callable[[Tensor, Tensor], Tensor]]


def cross_entropy(r: Tensor, f: Tensor) -> Tensor:
    """D's binary cross-entropy."""
    ones, zeros = torch.ones_like(r), torch.zeros_like(f)
    return F.binary_cross_entropy_with_logits(r, ones) + F.binary_cross_entropy_with_logits(f, zeros)


PLAIN_LOSSES: dict[str, PairOfLosses] = {
    "non_saturating": (cross_entropy, lambda r, f: F.binary_cross_entropy_with_logits(f, torch.ones_like(f))),
    "minimax": (cross_entropy, lambda r, f: -F.binary_cross_entropy_with_logits(f, torch.zeros_like(f))),
    "logistic": (lambda r, f: F.softplus(-r).mean() + F.softplus(f).mean(), lambda r, f: F.softplus(-f).mean()),
    "lsgan": (lambda r, f: ((r - 1) ** 2).mean() / 2 + (f**2).mean() / 2, lambda r, f: ((f - 1) ** 2).mean() / 2),
    "wgan": (lambda r, f: f.mean() - r.mean(), lambda r, f: -f.mean()),
    "hinge": (lambda r, f: F.relu(1 - r).mean() + F.relu(1 + f).mean(), lambda r, f: -f.mean()),
    "rpgan": (lambda r, f: F.softplus(f - r).mean(), lambda r, f: F.softplus(r - f).mean()),
    "ragan": (
        lambda r, f: F.softplus(f.mean() - r).mean() + F.softplus(f - r.mean()).mean(),
        lambda r, f: F.softplus(r - f.mean()).mean() + F.softplus(r.mean() - f).mean(),
    ),
}


def plain_eight(width: int) -> Loop:
    """The eight plain loops in turn; one `next` makes one iteration of each."""
    loops = [plain_loop(config, width) for config in EIGHT]
    while True:
        for loop in loops:
            next(loop)
        yield


def ours(gans: tuple[GanConfig, ...], width: int) -> Loop:
    """ganlab's arena."""
    sized = tuple(GanConfig.from_dict({**c.to_dict(), "g_width": width, "d_width": width}) for c in gans)
    arena = Arena(Run(DATA, sized))
    while True:
        arena.advance()
        yield


def rates(loops: dict[str, tuple[Loop, int]], seconds: float, repeats: int) -> dict[str, float]:
    """GAN-iterations a second of each loop (with its number of GANs): the median over turns."""
    found: dict[str, list[float]] = {name: [] for name in loops}
    for loop, _ in loops.values():
        for _ in range(20):
            next(loop)
    for _ in range(repeats):
        for name, (loop, gans) in loops.items():
            start, done = time.perf_counter(), 0
            while time.perf_counter() - start < seconds:
                next(loop)
                done += 1
            found[name].append(gans * done / (time.perf_counter() - start))
    return {name: statistics.median(values) for name, values in found.items()}


def speed(width: int, seconds: float, repeats: int) -> None:
    """Prints one width's rates and ratios."""
    loops = {
        "plain loop, one NS-GAN": (tutorial_loop(width), 1),
        "plain loops, the eight": (plain_eight(width), 8),
        "ganlab, one NS-GAN": (ours(EIGHT[:1], width), 1),
        "ganlab, the eight": (ours(EIGHT, width), 8),
    }
    found = rates(loops, seconds, repeats)
    one, eight = found["plain loop, one NS-GAN"], found["plain loops, the eight"]
    print(f"width {width:>3}                GAN-iterations/s   x plain NS loop   x plain loops of the eight")
    for name, rate in found.items():
        against = f"{rate / eight:>10.2f}" if "eight" in name else ""
        print(f"  {name:<24}{rate:>14,.0f}{rate / one:>18.2f}{against}")


def covered(seeds: int, steps: int) -> None:
    """Prints how long the eight need until each first holds all 8 modes of the ring."""
    times: dict[str, list[float]] = {config.name: [] for config in EIGHT}
    for seed in range(seeds):
        start = time.perf_counter()
        seen: set[int] = set()
        for snapshot in train(Run(DATA, EIGHT, seed=seed), steps, every=50):
            for k, m in enumerate(snapshot.gans):
                if k not in seen and m.covered == m.modes:
                    seen.add(k)
                    times[EIGHT[k].name].append(time.perf_counter() - start)
    print(f"\nseconds until the ring of 8 is covered, all eight at once: width 64, {seeds} seeds, {steps} steps")
    for name, values in times.items():
        median = f"{statistics.median(values):>6.1f} s" if values else "       -"
        print(f"  {name:<24}{median}   on {len(values)} of {seeds} seeds")


def main() -> None:
    """Runs all of it: about two minutes, or twenty seconds with --quick."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer and shorter turns")
    quick = parser.parse_args().quick
    torch.set_num_threads(1)
    torch.manual_seed(0)
    for width in WIDTHS:
        speed(width, seconds=0.25 if quick else 0.8, repeats=3 if quick else 9)
    covered(seeds=1 if quick else 4, steps=2000 if quick else 4000)


# With and without a live viewer: see benchmarks/live.py.

if __name__ == "__main__":
    main()
