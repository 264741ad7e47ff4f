"""How fast a StyleGAN2 renders: a plain reference against ours, same weights, in one run, on one thread of a CPU.

The reference is the papers' code written down plainly: grouped convolutions with modulated weights, the filter by zero
insertion, one pass a step. Times are the least of several turns taken in turn. Weights are random; the image is scaled
to a standard deviation of 0.5, as photographs have, so that PSNR (range 2) means what it does for them.

    python benchmarks/synthesis.py [--sizes 64 256 1024] [--batches 1 8] [--turns 5] [--threads 1]
"""

import argparse
import itertools
import math
import time
from collections.abc import Callable
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from ganlab import zoo
from ganlab.networks.stylegan2 import Generator, SynthesisLayer, SynthesisNetwork
from ganlab.recipe import Mix, Recipe, Source
from ganlab.synthesis import Memory, open_renderer
from ganlab.synthesis.engine import ConvStep, Engine
from ganlab.synthesis.steps import Inputs
from ganlab.synthesis.store import Store

BASES = {64: 16384, 256: 16384, 512: 32768, 1024: 32768}
PREVIEWS = (64, 128)


def filtered(x: Tensor, taps: Tensor, up: int, pads: tuple[int, int]) -> Tensor:
    """Zeros inserted, padded, and filtered with all taps at once."""
    n, c, h, w = x.shape
    x = F.pad(x.reshape(n, c, h, 1, w, 1), (0, up - 1, 0, 0, 0, up - 1)).reshape(n, c, h * up, w * up)
    return F.conv2d(F.pad(x, pads * 2), (taps * 4).flip((0, 1)).repeat(c, 1, 1, 1), groups=c)


def modulated(x: Tensor, weight: Tensor, styles: Tensor, demodulate: bool, layer: SynthesisLayer | None) -> Tensor:
    """One convolution with as many groups as pictures, each with weights of its own."""
    n, (o, i, k, _) = len(x), weight.shape
    weights = weight[None] * styles[:, None, :, None, None]
    if demodulate:
        weights = weights * (weights.square().sum((2, 3, 4), keepdim=True) + 1e-8).rsqrt()
    x = x.reshape(1, -1, *x.shape[2:])
    if layer is not None and layer.up > 1:
        x = F.conv_transpose2d(x, weights.transpose(1, 2).reshape(n * i, o, k, k), stride=2, groups=n)
        x = filtered(x, layer.resample_filter, 1, (1, 1))
    else:
        x = F.conv2d(x, weights.reshape(n * o, i, k, k), padding=k // 2, groups=n)
    return x.reshape(n, o, *x.shape[2:])


def reference(network: SynthesisNetwork, ws: Tensor, noise: list[Tensor]) -> Tensor:
    """The images of ws [N, num_ws, w_dim], the plain way."""
    image, row = None, 0
    x = network.b4.const[None].repeat(len(ws), 1, 1, 1)
    for block in network.blocks():
        for name in ["conv0", "conv1"][2 - block.num_conv :]:
            layer = getattr(block, name)
            x = modulated(x, layer.weight, layer.affine(ws[:, row]), True, layer)
            x = x + noise[row] + layer.bias.view(-1, 1, 1)
            x = (F.leaky_relu(x, 0.2) * math.sqrt(2)).clamp(-256, 256)
            row += 1
        rgb = block.torgb
        colours = modulated(x, rgb.weight, rgb.affine(ws[:, row]) * rgb.weight_gain, False, None)
        colours = (colours + rgb.bias.view(-1, 1, 1)).clamp(-256, 256)
        image = colours if image is None else colours + filtered(image, block.resample_filter, 2, (2, 1))
    assert image is not None
    return image


def model(size: int) -> Generator:
    """Random weights, with noise, and pictures of standard deviation 0.5."""
    torch.manual_seed(0)
    G = Generator(512, 0, 512, size, 3, channel_base=BASES[size]).eval().requires_grad_(False)
    for layer in G.synthesis.layers():
        layer.noise_strength.fill_(0.1)
    scale = 0.5 / G.synthesis(G.mapping(torch.randn(1, 512)), noise_mode="const").std()
    for block in G.synthesis.blocks():
        block.torgb.weight.mul_(scale)
    return G


def least(turns: int, *calls: Callable[[], object]) -> list[float]:
    """Milliseconds of each call, the least of some turns; they take turns so that a busy moment hits all."""
    for call in calls:
        call()
    times = [math.inf] * len(calls)
    for _ in range(turns):
        for k, call in enumerate(calls):
            began = time.perf_counter()
            call()
            times[k] = min(times[k], 1000 * (time.perf_counter() - began))
    return times


def against_reference(size: int, batch: int, turns: int) -> None:
    """One line each for fp32 and bf16."""
    G = model(size)
    ws = G.mapping(torch.randn(batch, 512))
    noise: list[Tensor] = [layer.noise_const * layer.noise_strength for layer in G.synthesis.layers()]
    engines = [Engine(G.synthesis, precision) for precision in ("fp32", "bf16")]
    stores = [Store(1 << 40), Store(1 << 40)]
    expected = reference(G.synthesis, ws, noise)
    results = [engine.run(ws, noise, store).clone() for engine, store in zip(engines, stores)]
    plain, *ours = least(
        turns,
        lambda: reference(G.synthesis, ws, noise),
        lambda: engines[0].run(ws, noise, stores[0]),
        lambda: engines[1].run(ws, noise, stores[1]),
    )
    for precision, ms, made in zip(("fp32", "bf16"), ours, results):
        error = made - expected
        psnr = 10 * math.log10(4 / float(error.square().mean()))
        print(
            f"{size:5} {batch:5}  {precision}  {plain / batch:9.1f}  {ms / batch:9.1f}  {plain / ms:6.2f}  "
            f"{float(error.abs().max()):10.1e}  {psnr:6.1f}",
            flush=True,
        )


def macs(engine: Engine) -> list[float]:
    """Multiplications of each step, as the convolutions of the plain way have them."""
    out = []
    for step, maker in zip(engine.steps, engine._makers):
        if isinstance(maker, ConvStep):
            out.append(maker.in_channels * step.channels * 9 * (step.resolution // maker.up) ** 2)
        else:
            out.append(maker.block.torgb.weight.shape[1] * step.channels * step.resolution**2)
    return [float(n) for n in out]


def restarts(size: int, turns: int) -> None:
    """The cost of starting at each layer, beside the share of the time and of the multiplications from there on."""
    G = model(size)
    ws = G.mapping(torch.randn(1, 512))
    noise: list[Tensor | None] = [layer.noise_const * layer.noise_strength for layer in G.synthesis.layers()]
    engine, store = Engine(G.synthesis), Store(1 << 40)
    steps = range(len(engine.steps))
    calls = [lambda k=k: engine.run(ws, noise, store, k) for k in steps]
    times = least(turns, *calls)
    each = least(turns, *(lambda k=k: engine.run_one(Inputs(ws, noise), store, k) for k in steps))
    work = macs(engine)
    print(f"\n{size} px, fp32: full pass {times[0]:.1f} ms")
    print("started at            ms   share of time   of the steps   of MACs")
    for k, step in enumerate(engine.steps):
        if step.kind == "conv":
            shares = times[k] / times[0], sum(each[k:]) / sum(each), sum(work[k:]) / sum(work)
            print(f"{step.name:16} {times[k]:7.1f} {shares[0]:12.2f} {shares[1]:14.2f} {shares[2]:12.2f}")
    for side in PREVIEWS:
        stop = max(k for k, s in enumerate(engine.steps) if s.kind == "rgb" and s.resolution <= side)
        if stop < len(engine.steps) - 1:
            early = least(turns, lambda stop=stop: engine.run(ws, noise, store, 0, stop))[0]  # type: ignore[misc]
            print(f"preview of {side:4} px {early:7.1f} {early / times[0]:12.2f}")


def slider(name: str, path: Path, turns: int) -> None:
    """A slider over the fine layers of a model that ships: recipe in, pixels out."""
    renderer, memory = open_renderer(path, device=torch.device("cpu")), Memory()
    rows = [row["row"] for row in renderer.facts()["rows"]]
    fine = tuple(rows[2 * len(rows) // 3 :])
    recipes = [Recipe(mixes=(Mix(Source(seed=9), fine, strength / 100),)) for strength in range(100)]
    draw = itertools.cycle(recipes)
    whole, moved = least(
        10 * turns,
        lambda: renderer.pictures([recipes[0]]),
        lambda: renderer.pictures([next(draw)], [memory]),
    )
    print(f"{name}: whole picture {whole:.1f} ms, a moved slider of layers {fine[0]} to {fine[-1]} {moved:.1f} ms")


@torch.inference_mode()
def main() -> None:
    """Prints the tables."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--sizes", type=int, nargs="+", default=[64, 256, 1024])
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 8])
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    print(f"milliseconds a picture, {args.threads} thread(s), torch {torch.__version__}")
    print(" size batch  type  reference       ours   ratio  max |diff|    PSNR")
    for size in args.sizes:
        for batch in args.batches:
            against_reference(size, batch, args.turns if batch == 1 else 2)
    for size in args.sizes:
        restarts(size, args.turns)
    print()
    for name, path in zoo.shipped().items():
        slider(name, path, args.turns)


if __name__ == "__main__":
    main()
