"""How many modes GANs cover: the ring of 8 and the grid of 25 of PacGAN, Table 1 (Lin et al. 2018, section 4.1).

    python benchmarks/modes.py [--runs N --steps N --quick]

The task and the measures are the paper's: ring radius 1 with sigma .01, grid {-4, -2, 0, 2, 4}^2 with sigma .05, z from
N(0, I_2), minibatches of 100, Adam with beta1 .8, softplus losses, 2,500 samples, of high quality within 3 sigma.

What differs, for all methods alike, so that a laptop needs minutes and not days: plain networks of two hidden layers
(64 units, no batch norm, no maxout), 12,000 steps in place of 400,000 with a learning rate of 2e-3 in place of 1e-4,
lowered twice on the way, uniform initial weights, and the mean of each run's last measurements in place of one.
So the order of the methods is to be compared, not the digits. The learning rate is the one of 5e-4, 1e-3 and 2e-3 at
which the plain GAN loses most modes. All methods share these settings; WGAN-GP alone has its own loss, three D-steps
and beta2 .9, as it cannot do without. Unrolling is meant for a slow D, and is compared with the plain GAN of the same
slow D (last two rows, a third of the steps); at the fast D of the other rows, with two steps, it loses more modes than
the plain GAN (7.2 and 12.2 of them in a run of 12,000 steps, 4 seeds).

What comes out: the plain GAN loses modes of the grid and fills those of the ring unevenly; packing, WGAN-GP, R1 and
R3GAN lose few and fill them evenly; and with a slow D unrolling keeps the ring that the plain GAN loses.
"""

import argparse
import math
import statistics
import time
from dataclasses import replace

import torch

from ganlab.run import MOST_GANS, Event, GanConfig, Penalty, Run
from ganlab.studies.published import GRID, RING
from ganlab.training.loop import train

LAST = 5  # measurements at the end of a run that its result is the mean of
DROPS = (0.6, 0.85)  # of the steps: there the learning rates fall to a third
DATA = {"ring": RING.data, "grid": GRID.data}
BASE = GanConfig(
    loss="logistic", activation="leaky_relu", g_width=64, d_width=64, batch=100, beta1=0.8, lr_g=2e-3, lr_d=2e-3
)
WASSERSTEIN = {"loss": "wgan", "penalties": (Penalty("wgan_gp", 0.1),), "d_steps": 3, "beta2": 0.9}
SLOW_D = {"lr_g": 1e-3, "lr_d": 2e-4, "beta1": 0.5}  # as the paper of unrolling has it (Metz et al. 2017, appendix A)
METHODS: dict[str, dict[str, object]] = {
    "GAN": {},
    "PacGAN2": {"pack": 2},
    "WGAN-GP": WASSERSTEIN,
    "R1": {"penalties": (Penalty("r1", 0.1),)},
    "R3GAN": {"loss": "rpgan", "penalties": (Penalty("r1", 0.1), Penalty("r2", 0.1))},
    "GAN, slow D": SLOW_D,
    "Unrolled (5), slow D": {**SLOW_D, "unroll": 5},
}
SHORTER = {"GAN, slow D": 3, "Unrolled (5), slow D": 3}  # a step of unrolling costs as much as twenty: a third of them
HEAD = """\
| | ring modes (of 8) | % HQ | rev. KL | grid modes (of 25) | % HQ | rev. KL | seconds |
|---|---|---|---|---|---|---|---|"""


def run_of(data: str, method: str, runs: int, steps: int) -> Run:
    """The same GAN from `runs` seeds at once; they share nothing but the density."""
    gan = replace(BASE, name=method, **METHODS[method])  # type: ignore[arg-type]
    events = [
        Event(int(share * steps), None, path, getattr(gan, path) / 3**i)
        for i, share in enumerate(DROPS, 1)
        for path in ("lr_g", "lr_d")
    ]
    return Run(DATA[data], tuple(replace(gan, seed=seed) for seed in range(runs)), events=tuple(events))


def score(run: Run, steps: int) -> tuple[list[float], list[float], list[float]]:
    """For each GAN: modes, % of high quality, reverse KL."""
    snapshots = list(train(run, steps, every=max(1, steps // 50)))[-LAST:]
    rows = [[s.gans[k] for s in snapshots] for k in range(len(run.gans))]
    modes = [statistics.mean(m.covered or 0 for m in row) for row in rows]
    quality = [100 * statistics.mean(m.high_quality or 0.0 for m in row) for row in rows]
    kl = [statistics.mean(m.reverse_kl or 0.0 for m in row) for row in rows]
    return modes, quality, kl


def cell(values: list[float], digits: int) -> str:
    """Mean ± standard error of the mean."""
    error = statistics.stdev(values) / math.sqrt(len(values)) if len(values) > 1 else 0.0
    return f"{statistics.mean(values):.{digits}f} ± {error:.{digits}f}"


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=4, help=f"seeds of each method, at most {MOST_GANS}")
    parser.add_argument("--steps", type=int, default=12_000)
    parser.add_argument("--quick", action="store_true", help="seconds only, too short for the order to show")
    parser.add_argument("--methods", nargs="*", default=list(METHODS), choices=list(METHODS))
    args = parser.parse_args()
    runs, steps = (2, 400) if args.quick else (min(args.runs, MOST_GANS), args.steps)
    torch.set_num_threads(1)
    print(f"ours: {runs} runs of {steps:,} steps, mean ± standard error\n\n{HEAD}", flush=True)
    for method in args.methods:
        start, cells = time.perf_counter(), []
        for data in DATA:
            length = steps // SHORTER.get(method, 1)
            modes, quality, kl = score(run_of(data, method, runs, length), length)
            cells += [cell(modes, 1), cell(quality, 1), cell(kl, 2)]
        print(f"| {method} | {' | '.join(cells)} | {time.perf_counter() - start:.0f} |", flush=True)
    for ring, grid in zip(RING.rows, GRID.rows):
        print(f"| {ring.source}: {ring.method} | {' | '.join((*ring[2:], *grid[2:]))} | |")


if __name__ == "__main__":
    main()
