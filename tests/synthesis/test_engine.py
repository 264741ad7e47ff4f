"""The fast path gives what the readable network gives, from any layer on, in bands, tiles and batches."""

from typing import Any

import pytest
import torch
import torch.nn.functional as F

from ganlab.networks.stylegan2 import Generator
from ganlab.nn.precision import has_bf16
from ganlab.synthesis import engine as engine_module
from ganlab.synthesis.engine import Engine
from ganlab.synthesis.store import Store
from ganlab.synthesis.winograd import AVAILABLE, Winograd


def generator(**options: Any) -> Generator:
    torch.manual_seed(0)
    given = {"channel_base": 1024, "channel_max": 32, "num_fp16_res": 0, **options}
    G = Generator(16, 0, 16, 64, given.pop("img_channels", 3), **given)
    for layer in G.synthesis.layers():
        if layer.use_noise:
            layer.noise_strength.data.fill_(0.2)
        layer.bias.data.normal_(0, 0.1)
    return G.eval().requires_grad_(False)


def inputs(G: Generator, n: int) -> tuple[torch.Tensor, list[torch.Tensor | None], torch.Tensor]:
    """(ws, noise inputs with their strength, what the network itself makes of them)."""
    ws = G.mapping(torch.randn(n, 16, generator=torch.Generator().manual_seed(n)))
    given = G.synthesis.noise_inputs("random", n, torch.Generator().manual_seed(1))
    strengths = [layer.noise_strength if layer.use_noise else 0 for layer in G.synthesis.layers()]
    noise = [m * s for m, s in zip(given, strengths)]  # type: ignore[operator]
    return ws, noise, G.synthesis(ws, noise=given)


OPTIONS: list[dict[str, Any]] = [
    {},
    {"architecture": "resnet"},
    {"architecture": "orig", "img_channels": 1},
    {"conv_clamp": None, "img_channels": 4},
    {"conv_clamp": 0.5},
    {"use_noise": False},
    {"activation": "linear"},
    {"resample_filter": [1, 2, 4, 1, 2, 1]},
    {"resample_filter": [1, 3, 1]},
    {"resample_filter": [1, 2, 3, 4, 4, 3, 2, 1]},
]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("band", [1 << 30, 40_000, 1])
@torch.inference_mode()
def test_same_image_as_the_network(options: dict[str, Any], band: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_module, "BAND", band)
    G = generator(**options)
    ws, noise, expected = inputs(G, 2)
    made = Engine(G.synthesis).run(ws, noise, Store())
    assert (made - expected).abs().max() < 1e-4 * max(1.0, float(expected.abs().max()))


@torch.inference_mode()
def test_tiles_are_used_where_they_pay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(engine_module.WINOGRAD, torch.float32, (1, 4, 64))
    G = generator()
    ws, noise, expected = inputs(G, 2)
    made = Engine(G.synthesis)
    assert any(isinstance(getattr(maker, "conv", None), Winograd) for maker in made._makers) == AVAILABLE
    assert (made.run(ws, noise, Store()) - expected).abs().max() < 1e-4


@pytest.mark.skipif(not AVAILABLE, reason="this torch has no packed linear layers")
@pytest.mark.parametrize(("n", "i", "o", "h", "w"), [(1, 16, 16, 4, 4), (2, 5, 7, 8, 12), (1, 64, 32, 64, 64)])
@torch.inference_mode()
def test_winograd_is_a_convolution(n: int, i: int, o: int, h: int, w: int) -> None:
    rng = torch.Generator().manual_seed(0)
    x = torch.randn(n, i, h + 2, w + 2, generator=rng).contiguous(memory_format=torch.channels_last)
    weight = torch.randn(o, i, 3, 3, generator=rng) / (9 * i) ** 0.5
    expected = F.conv2d(x.double(), weight.double())
    made = Winograd(weight)(x)
    assert made.shape == expected.shape
    assert (made - expected).abs().max() < 1e-4


@torch.inference_mode()
def test_half_precision_stays_close() -> None:
    G = generator()
    ws, noise, expected = inputs(G, 1)
    made = Engine(G.synthesis, "bf16").run(ws, noise, Store())
    error = (made - expected).square().mean() / expected.square().mean()
    assert error < 1e-4  # 40 dB below the signal
    exact = Engine(G.synthesis).run(ws, noise, Store())
    assert torch.equal(made, exact) != has_bf16(torch.device("cpu")), "in fp32 where the CPU has no bf16"


@pytest.mark.parametrize("architecture", ["skip", "resnet", "orig"])
@torch.inference_mode()
def test_it_can_be_entered_at_every_step(architecture: str) -> None:
    G = generator(architecture=architecture)
    ws, noise, _ = inputs(G, 1)
    other = torch.randn(ws.shape)
    engine, store, fresh = Engine(G.synthesis), Store(), Store()
    for start, step in enumerate(engine.steps):
        engine.run(ws, noise, store)
        rows = torch.arange(ws.shape[1]) >= step.row
        mixed = torch.where(rows[None, :, None], other, ws)
        assert engine.entry(start, store) == start
        if any(before.row == step.row for before in engine.steps[:start]):
            continue  # a step to colours shares its row with the next convolution
        made = engine.run(mixed, noise, store, start).clone()
        assert torch.equal(made, engine.run(mixed, noise, fresh))


@torch.inference_mode()
def test_a_bounded_store_starts_where_it_can() -> None:
    G = generator()
    ws, noise, expected = inputs(G, 1)
    engine, store = Engine(G.synthesis), Store(limit=300_000)
    engine.run(ws, noise, store)
    assert store.nbytes < 400_000
    entry = engine.entry(len(engine.steps) - 1, store)
    assert 0 < entry < len(engine.steps) - 1
    assert (engine.run(ws, noise, store, entry) - expected).abs().max() < 1e-4


@pytest.mark.parametrize("band", [1 << 30, 40_000])
@torch.inference_mode()
def test_half_precision_only_in_the_blocks_that_declare_it(band: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_module, "BAND", band)
    G = generator(num_fp16_res=2)
    ws, noise, expected = inputs(G, 1)
    made = Engine(G.synthesis, "fp16")
    dtypes = {step.resolution: maker.conv_dtype for step, maker in zip(made.steps, made._makers) if step.kind == "conv"}  # type: ignore[union-attr]
    assert dtypes == {4: torch.float32, 8: torch.float32, 16: torch.float32, 32: torch.float16, 64: torch.float16}
    error = (made.run(ws, noise, Store()) - expected).square().mean() / expected.square().mean()
    assert 0 < error < 1e-5


@pytest.mark.gpu
@pytest.mark.parametrize("architecture", ["skip", "resnet"])
@torch.inference_mode()
def test_a_gpu_gives_the_same_image(architecture: str) -> None:
    G = generator(num_fp16_res=2, architecture=architecture)
    ws, noise, expected = inputs(G, 3)
    G.cuda()
    on_gpu = [None if m is None else m.cuda() for m in noise]
    for precision, limit in (("fp32", 1e-6), ("fp16", 1e-4)):
        made = Engine(G.synthesis, precision, "cuda").run(ws, on_gpu, Store(device="cuda")).cpu()
        assert (made - expected).square().mean() / expected.square().mean() < limit
