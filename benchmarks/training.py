"""How fast StyleGAN2 trains: a plain loop as the papers describe it, and `ganlab train`, side by side in one run.

    python benchmarks/training.py [--turns 3] [--one-stage] [--sizes 32 64] [--width 64] [--batch 16] [--device cpu]

Both start from the same weights, see the same faces and have the same settings: non-saturating loss, R1 at every 16th
step, path length regularization at every 4th, style mixing, a moving average. The plain loop scales the weights of each
sample (a grouped convolution), resamples with a border of zeros and drops samples, scales features after their
activation, makes fakes anew for G, and steps four times in turn, in float32. Turns of 16 steps are timed one after the
other, so that a machine whose speed drifts treats both alike; medians are printed.
"""

import argparse
import copy
import os
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import Any
from unittest import mock

import torch
import torch.nn.functional as F
from torch import Tensor

from ganlab.data.images import open_images
from ganlab.networks import stylegan2
from ganlab.nn import resample, style
from ganlab.nn.precision import has_bf16
from ganlab.presets.images import image_preset
from ganlab.training.image_loop import ImageTraining

TURN = 16  # steps: every regularizer falls due equally often in each
KEPT = 2048  # faces, drawn beforehand


def modulated(
    x: Tensor,
    weight: Tensor,
    styles: Tensor,
    demodulate: bool = True,
    up: int = 1,
    resample_filter: Any = None,
    gain: float = 1.0,
    added: Tensor | None = None,
) -> Tensor:
    """Karras et al. 2020, sec. 2.2, to the letter: weights of each sample, one group a sample."""
    n, (out, inputs, k, _) = len(x), weight.shape
    w = weight[None] * styles[:, None, :, None, None]  # [N, O, I, k, k]
    if demodulate:
        w = w * (w.square().sum((2, 3, 4), keepdim=True) + 1e-8).rsqrt()
    w = w * gain
    x = x.reshape(1, n * inputs, *x.shape[2:])
    if up == 1:
        x = F.conv2d(x, w.flatten(0, 1), padding=k // 2, groups=n).unflatten(1, (n, out))[0]
        return x if added is None else x + added
    w = w.transpose(1, 2).flatten(0, 1)  # [N * I, O, k, k]
    x = F.conv_transpose2d(x, w, stride=2, groups=n)
    x = upfirdn2d(x.reshape(n, out, *x.shape[2:]), resample_filter, pads=(1, 1, 1, 1), gain=4)
    return x if added is None else x + added


def upfirdn2d(
    x: Tensor, f: Tensor, up: int = 1, down: int = 1, pads: resample.Pads = (0, 0, 0, 0), gain: float = 1.0
) -> Tensor:
    """Karras et al. 2020, appendix B: zeros inserted, a border added, all filtered, samples dropped."""
    n, c, h, w = x.shape
    x = F.pad(x.reshape(n, c, h, 1, w, 1), (0, up - 1, 0, 0, 0, up - 1)).reshape(n, c, h * up, w * up)
    x = F.conv2d(F.pad(x, pads), (f * gain).flip((0, 1)).expand(c, 1, -1, -1), groups=c)
    return x[:, :, ::down, ::down]


class Plain:
    """The loop as one writes it from the papers."""

    def __init__(self, training: ImageTraining) -> None:
        c = training.gan.config
        self.c, self.draws, self.step_number = c, training.draws, 0
        self.G, self.D, self.ema = (
            copy.deepcopy(net).to(memory_format=torch.contiguous_format)
            for net in (training.gan.G, training.gan.D, training.gan.ema)
        )
        self.opt_g = torch.optim.Adam(self.G.parameters(), lr=c.lr_g, betas=(c.beta1, c.beta2))
        self.opt_d = torch.optim.Adam(self.D.parameters(), lr=c.lr_d, betas=(c.beta1, c.beta2))
        self.path_mean = torch.zeros((), device=training.draws.device)
        self.losses: list[tuple[float, float]] = []

    def step(self) -> None:
        c, step = self.c, self.step_number
        real, _ = self.draws.real(step * c.batch, c.batch)
        real = real.contiguous()
        g_loss = F.softplus(-self.D(self.generate(step, "g")[0])).mean()
        self.update(self.opt_g, g_loss)
        if step % c.path_interval == 0:
            self.update(self.opt_g, self.path_length(step))
        with torch.no_grad():
            fake = self.generate(step, "d")[0]
        d_loss = F.softplus(self.D(fake)).mean() + F.softplus(-self.D(real)).mean()
        self.update(self.opt_d, d_loss)
        (r1,) = c.penalties
        if step % r1.interval == 0:
            seen = real.requires_grad_(True)
            (gradient,) = torch.autograd.grad(self.D(seen).sum(), seen, create_graph=True)
            self.update(self.opt_d, gradient.square().sum((1, 2, 3)).mean() * (r1.weight / 2 * r1.interval))
        with torch.no_grad():
            for a, p in zip(self.ema.parameters(), self.G.parameters()):
                a.lerp_(p, 0.001)
        self.losses.append((d_loss.item(), g_loss.item()))
        self.step_number += 1

    def update(self, opt: torch.optim.Optimizer, loss: Tensor) -> None:
        for group in (self.opt_g, self.opt_d):
            group.zero_grad()
        loss.backward()
        opt.step()

    def generate(self, step: int, who: str, count: int = 0) -> tuple[Tensor, Tensor]:
        n = count or self.c.batch
        ws = self.G.mapping(self.draws.latents(n, self.c.z_dim, who, step))
        self.G.mapping.w_avg.copy_(ws.detach()[:, 0].mean(0).lerp(self.G.mapping.w_avg, 0.998))
        other = self.G.mapping(self.draws.latents(n, self.c.z_dim, who, step, "mixed"))
        u = self.draws.uniform(1, 2, who, step)[0]
        if u[0] < self.c.style_mixing:
            cut = 1 + int(u[1] * (ws.shape[1] - 1))
            ws = torch.cat([ws[:, :cut], other[:, cut:]], 1)
        return self.G.synthesis(ws, generator=self.draws.rng(who, step)), ws

    def path_length(self, step: int) -> Tensor:
        images, ws = self.generate(step, "path", self.c.batch // 2)
        noise = torch.randn(images.shape, generator=self.draws.rng("y", step), device=images.device) / images.shape[2]
        (gradient,) = torch.autograd.grad((images * noise).sum(), ws, create_graph=True)
        lengths = gradient.square().sum(2).mean(1).sqrt()
        self.path_mean = self.path_mean.lerp(lengths.detach().mean(), 0.01)
        return (lengths - self.path_mean).square().mean() * self.c.path_length * self.c.path_interval


@contextmanager
def plainly() -> Iterator[None]:
    """The same modules, with resampling, modulation and activations step by step."""
    with ExitStack() as stack:
        stack.enter_context(mock.patch.object(stylegan2, "modulated_conv2d", modulated))
        stack.enter_context(mock.patch.object(resample, "upfirdn2d", upfirdn2d))
        for module in (stylegan2, style):
            stack.enter_context(mock.patch.object(module, "gain_before", lambda *_: 1.0))
        yield


def timed(step: Callable[[], object], device: str) -> float:
    """Seconds of a turn."""
    start = time.perf_counter()
    for _ in range(TURN):
        step()
    if device == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - start


def compare(size: int, args: argparse.Namespace) -> None:
    """One line for a size, and the losses of both."""
    run = image_preset(f"stylegan2-{size}")
    gan = replace(run.gan, batch=args.batch, channel_max=args.width, channel_base=args.width * size)
    run = replace(run, gan=replace(gan, one_stage=args.one_stage), data=replace(run.data, limit=KEPT))
    ours = ImageTraining(run, every=1, device=args.device, images=open_images(run.data))
    plain, curve = Plain(ours), []

    def step() -> None:
        snapshot = ours.step()
        assert snapshot is not None and snapshot.d_loss is not None and snapshot.g_loss is not None
        curve.append((snapshot.d_loss, snapshot.g_loss))

    times: dict[str, list[float]] = {"plain": [], "ours": []}
    for turn in range(args.turns + 1):
        with plainly():
            seconds = {"plain": timed(plain.step, args.device)}
        seconds["ours"] = timed(step, args.device)
        if turn:  # the first one warms up
            for name, value in seconds.items():
                times[name].append(value)
    images = TURN * args.batch
    rates = {name: images / statistics.median(values) for name, values in times.items()}
    ratios = [a / b for a, b in zip(times["plain"], times["ours"])]
    print(f"{size:4d} {rates['plain']:12.1f} {rates['ours']:12.1f} {statistics.median(ratios):8.2f}", end="   ")
    half = len(curve) // 2
    for k, name in enumerate(("D", "G")):
        a, b = ([losses[k] for losses in rows[half:]] for rows in (plain.losses, curve))
        noise = max(statistics.stdev(a), statistics.stdev(b)) / len(a) ** 0.5
        print(f"{name} {statistics.mean(a):.3f} / {statistics.mean(b):.3f} (+- {noise:.3f})", end="  ")
    print(flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--turns", type=int, default=3, help=f"of {TURN} steps each, after one that is not counted")
    parser.add_argument("--sizes", type=int, nargs="+", default=[32, 64])
    parser.add_argument("--width", type=int, default=64, help="channels of every layer")
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--one-stage", action="store_true", help="ours with G learning from D's own pass")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    precision = "bf16" if has_bf16(torch.device(args.device)) else "fp32"
    kind = f"{args.device}, {torch.get_num_threads()} threads, torch {torch.__version__}"
    print(f"StyleGAN2, {args.width} channels, batch {args.batch}, {kind}, ours in {precision}")
    print("  px  plain im/s    ours im/s    ratio   losses of the later half, plain / ours")
    for size in args.sizes:
        compare(size, args)


if __name__ == "__main__":
    main()
