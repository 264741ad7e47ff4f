"""StyleGAN3's filtered leaky ReLU: milliseconds a picture, written plainly and ours, side by side.

    python benchmarks/alias_free.py [--resolution 256] [--turns 3] [--threads 1]

The plain way inserts zeros, convolves each channel with the filter and drops samples, as the paper describes it and as
the official code does without its CUDA kernels. Weights are random; both ways have the same.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from ganlab.networks.stylegan3 import Generator, SynthesisLayer
from ganlab.nn.resample import upfirdn2d

KINDS: dict[str, dict[str, Any]] = {
    "T": {"channel_base": 16384, "channel_max": 512},
    "R": {"channel_base": 32768, "channel_max": 1024, "conv_kernel": 1, "use_radial_filters": True},
}


def plain(layer: SynthesisLayer) -> Callable[..., Tensor]:
    """The nonlinearity of a layer as a chain of resampling steps."""
    up_taps, down_taps = len(layer.up_filter), len(layer.down_filter)  # type: ignore[arg-type]
    side, before = layer.in_size + layer.kernel - 1, layer.zeros_before
    after = (layer.size - 1) * layer.down + 1 - side * layer.up + up_taps + down_taps - 2 - before

    def run(x: Tensor, bias: Tensor, slope: float, gain: float, clamp: float) -> Tensor:
        pads = (before, after, before, after)
        x = upfirdn2d(x + bias.view(-1, 1, 1), layer.up_filter, up=layer.up, pads=pads, gain=layer.up**2)  # type: ignore[arg-type]
        x = (F.leaky_relu(x, slope) * gain).clamp(-clamp, clamp)
        return upfirdn2d(x, layer.down_filter, down=layer.down)  # type: ignore[arg-type]

    return run


def seconds(run: Callable[[], Tensor]) -> tuple[float, Tensor]:
    """How long it takes, and what comes out."""
    began = time.perf_counter()
    out = run()
    return time.perf_counter() - began, out


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
    print(f"{'':6} {'plain':>9} {'ours':>9} {'ratio':>6} {'difference':>11}")
    for kind, settings in KINDS.items():
        torch.manual_seed(0)
        net = Generator(512, 0, 512, options.resolution, 3, **settings).eval()
        ws = net.mapping(torch.randn(1, 512))
        layers = [layer for layer in net.synthesis.layers() if not layer.is_torgb]
        ours = [layer.filtered() for layer in layers]
        times: dict[str, list[float]] = {"plain": [], "ours": []}
        for turn in range(options.turns + 1):
            for name, made in (("plain", [plain(layer) for layer in layers]), ("ours", ours)):
                for layer, run in zip(layers, made):
                    layer._filtered = run  # type: ignore[assignment]
                taken, image = seconds(lambda: net.synthesis(ws))  # noqa: B023
                if turn:  # the first one warms up
                    times[name].append(taken)
                if name == "plain":
                    expected = image
        off = float((image - expected).norm() / expected.norm())
        a, b = (1000 * statistics.median(times[name]) for name in ("plain", "ours"))
        print(f"{kind:6} {a:9.0f} {b:9.0f} {a / b:6.2f} {off:11.1e}", flush=True)


if __name__ == "__main__":
    main()
