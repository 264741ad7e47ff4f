"""StyleGAN3: milliseconds a picture, written plainly and ours, side by side.

    python benchmarks/alias_free.py [--resolution 256] [--turns 3] [--threads 1]

The plain way inserts zeros, convolves each channel with the filter and drops samples, as the paper describes it and as
the official code does without its CUDA kernels; each picture has convolutions of its own weights. It is written out
here, so that it stays what it is when the library gets faster. "layers" is our module, "labs" what the labs render
with, prepared once. Weights are random; all have the same.
"""

import argparse
import math
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from typing import Any
from unittest import mock

import torch
import torch.nn.functional as F
from torch import Tensor

from ganlab.networks.stylegan3 import Generator, SynthesisLayer
from ganlab.synthesis import Renderer

KINDS: dict[str, dict[str, Any]] = {
    "T": {"channel_base": 16384, "channel_max": 512},
    "R": {"channel_base": 32768, "channel_max": 1024, "conv_kernel": 1, "use_radial_filters": True},
}


def stepwise(x: Tensor, f: Tensor, up: int = 1, down: int = 1, pads: tuple[int, ...] = (), gain: float = 1) -> Tensor:
    """Zeros between the samples, borders, a convolution, one after the other; then most samples are dropped."""
    n, c, h, w = x.shape
    if up > 1:
        apart = x.new_zeros(n, c, h, up, w, up)
        apart[:, :, :, 0, :, 0] = x
        x = apart.view(n, c, h * up, w * up)
    x = F.pad(x, pads) if pads else x
    taps = (f * gain ** (f.ndim / 2)).flip(tuple(range(f.ndim)))
    for kernel in [taps] if f.ndim == 2 else [taps[None], taps[:, None]]:
        x = F.conv2d(x, kernel.expand(c, 1, -1, -1), groups=c)
    return x[:, :, ::down, ::down]


def plain(layer: SynthesisLayer) -> Callable[..., Tensor]:
    """The nonlinearity of a layer as a chain of resampling steps."""
    up_taps, down_taps = len(layer.up_filter), len(layer.down_filter)  # type: ignore[arg-type]
    side, before = layer.in_size + layer.kernel - 1, layer.zeros_before
    after = (layer.size - 1) * layer.down + 1 - side * layer.up + up_taps + down_taps - 2 - before

    def run(x: Tensor, bias: Tensor, slope: float, gain: float, clamp: float, *_: None) -> Tensor:
        pads = (before, after, before, after)
        x = stepwise(x + bias.view(-1, 1, 1), layer.up_filter, up=layer.up, pads=pads, gain=layer.up**2)  # type: ignore[arg-type]
        x = (F.leaky_relu(x, slope) * gain).clamp(-clamp, clamp)
        return stepwise(x, layer.down_filter, down=layer.down)  # type: ignore[arg-type]

    return run


def convolved(layer: SynthesisLayer, x: Tensor, styles: Tensor, _: object) -> tuple[Tensor, None]:
    """Weights of each picture, in as many groups (Karras et al. 2021, appendix C; 2020, sec. 2.2)."""
    w = layer.weight
    if layer.is_torgb:
        styles = styles / math.sqrt(w[0].numel())
    else:
        w = w * w.square().mean([1, 2, 3], keepdim=True).rsqrt()
        styles = styles * styles.square().mean(1, keepdim=True).rsqrt()
    taps = w[None] * styles[:, None, :, None, None]
    if not layer.is_torgb:
        taps = taps * (taps.square().sum((2, 3, 4), keepdim=True) + 1e-8).rsqrt()
    taps = (taps * layer.magnitude_ema.rsqrt()).flatten(0, 1)
    x = F.conv2d(x.reshape(1, -1, *x.shape[2:]), taps, padding=layer.kernel - 1, groups=len(styles))
    return x.unflatten(1, (len(styles), -1))[0], None


@contextmanager
def plainly(net: Generator) -> Iterator[None]:
    """The network as the paper has it."""
    layers = net.synthesis.layers()
    with ExitStack() as stack:
        stack.enter_context(mock.patch.object(SynthesisLayer, "_convolved", convolved))
        for layer in layers[:-1]:
            stack.enter_context(mock.patch.object(layer, "_filtered", plain(layer)))
        yield


@torch.inference_mode()
def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--resolution", type=int, default=256)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    print(f"milliseconds a picture of {options.resolution} px, {options.threads} thread(s), torch {torch.__version__}")
    print(f"{'':3} {'plain':>8} {'layers':>8} {'ratio':>6} {'labs':>8} {'ratio':>6} {'off by':>8} prepared in")
    for kind, settings in KINDS.items():
        torch.manual_seed(0)
        net = Generator(512, 0, 512, options.resolution, 3, **settings).eval()
        ws = net.mapping(torch.randn(1, 512))
        began = time.perf_counter()
        renderer = Renderer(net, kind)
        prepared = time.perf_counter() - began
        calls: dict[str, Callable[[], Tensor]] = {
            "plain": lambda: net.synthesis(ws),  # noqa: B023
            "layers": lambda: net.synthesis(ws),  # noqa: B023
            "labs": lambda: renderer.images(ws),  # noqa: B023
        }
        times: dict[str, list[float]] = {name: [] for name in calls}
        images = {}
        for turn in range(options.turns + 1):
            for name, call in calls.items():
                with plainly(net) if name == "plain" else nullcontext():
                    began = time.perf_counter()
                    images[name] = call()
                if turn:  # the first one warms up
                    times[name].append(time.perf_counter() - began)
        off = max(float((images[name] - images["plain"]).norm() / images["plain"].norm()) for name in calls)
        a, b, c = (1000 * statistics.median(times[name]) for name in calls)
        print(f"{kind:3} {a:8.0f} {b:8.0f} {a / b:6.2f} {c:8.0f} {a / c:6.2f} {off:8.1e} {prepared:9.1f} s", flush=True)


if __name__ == "__main__":
    main()
