"""Memory that is kept for the next time: one's own in each thread, bounded, and never handed to a gradient."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from ganlab.networks import stylegan3
from ganlab.nn import scratch as module
from ganlab.nn.scratch import scratch
from ganlab.synthesis import Renderer

LIKE = torch.zeros(1)


def test_the_same_name_is_the_same_memory_and_others_are_not() -> None:
    first = scratch("a", (3, 4), LIKE)
    assert first.shape == (3, 4) and first.is_contiguous()
    assert scratch("a", (12,), LIKE).data_ptr() == first.data_ptr() != scratch("b", (12,), LIKE).data_ptr()
    assert scratch("a", (12,), LIKE.double()).dtype == torch.float64
    assert scratch("a", (50,), LIKE).shape == (50,), "it grows"


def test_what_is_large_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LARGEST", 40)
    kept, large = scratch("large", (10,), LIKE), scratch("large", (11,), LIKE)
    assert scratch("large", (10,), LIKE).data_ptr() == kept.data_ptr() != large.data_ptr()


def test_what_was_made_in_inference_mode_can_be_written_to_outside() -> None:
    with torch.inference_mode():
        scratch("mode", (5,), LIKE)
    assert float(scratch("mode", (5,), LIKE).fill_(2).sum()) == 10


def test_threads_do_not_disturb_each_other() -> None:
    """Two pictures are drawn at once, over and over, by the layers that work in such memory."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        G = stylegan3.Generator(8, 0, 8, 32, 3, channel_base=8192, channel_max=128, num_layers=6).eval()
    ws = G.mapping(torch.randn(2, 8, generator=torch.Generator().manual_seed(0)))
    renderers, start = [Renderer(G, "a"), Renderer(G, "b")], threading.Barrier(2)
    alone = [renderer.images(w[None]).clone() for renderer, w in zip(renderers, ws)]
    assert not torch.allclose(*alone)

    def drawn(k: int) -> list[torch.Tensor]:
        start.wait()
        return [renderers[k].images(ws[k : k + 1]).clone() for _ in range(6)]

    with ThreadPoolExecutor(2) as pool:
        for pictures, usual in zip(pool.map(drawn, range(2)), alone):
            assert all(torch.equal(picture, usual) for picture in pictures)
