"""Work that is spread over cores: all of it is done, as the caller would have done it, and nothing else changes."""

import os
import threading
from collections.abc import Iterator

import pytest
import torch

from ganlab.nn.alias_free import FilteredLrelu, lowpass
from ganlab.nn.spread import slices, spread
from ganlab.nn.style import pointwise
from ganlab.synthesis.full import Full

CPU = torch.device("cpu")


@pytest.fixture(params=[1, 2, 3], ids=lambda count: f"{count} threads")
def threads(request: pytest.FixtureRequest) -> Iterator[int]:
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


def test_each_piece_is_worked_on_once(threads: int) -> None:
    counts = torch.zeros(40)
    spread(lambda k: counts[k].add_(1), range(40), CPU)
    assert counts.tolist() == [1.0] * 40


def test_pieces_are_worked_on_at_once(threads: int) -> None:
    """As many as there are threads wait for one another."""
    together = threading.Barrier(threads, timeout=20)
    spread(lambda _: together.wait(), range(2 * threads), CPU)


def test_what_a_piece_raises_arrives_when_the_others_are_done(threads: int) -> None:
    done = []

    def work(k: int) -> None:
        if k == 3:
            raise ValueError("the fourth")
        done.append(k)

    with pytest.raises(ValueError, match="the fourth"):
        spread(work, range(4), CPU)
    assert sorted(done) == [0, 1, 2]


def test_the_number_of_threads_stays_what_it_was(threads: int) -> None:
    seen: list[int] = []
    spread(lambda _: seen.append(torch.get_num_threads()), range(4), CPU)
    later = threading.Thread(target=lambda: seen.append(torch.get_num_threads()))
    later.start()
    later.join()
    assert seen == [1] * 4 + [threads] and torch.get_num_threads() == threads


def test_pieces_have_the_callers_mode(threads: int) -> None:
    modes: list[tuple[bool, bool]] = []

    def work(_: int) -> None:
        modes.append((torch.is_inference_mode_enabled(), torch.is_grad_enabled()))

    with torch.inference_mode():
        spread(work, range(2), CPU)
    with torch.no_grad():
        spread(work, range(2), CPU)
    assert modes == [(True, False)] * 2 + [(False, False)] * 2


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.filterwarnings("ignore:.*fork.*")
def test_a_forked_process_has_threads_of_its_own() -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        spread(lambda _: None, range(2), CPU)
        child = os.fork()
        if not child:
            done: list[int] = []
            spread(done.append, range(2), CPU)
            os._exit(0 if len(done) == 2 else 1)
        assert os.waitpid(child, 0)[1] == 0
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize(
    ("size", "most", "least", "wanted"), [(10, 4, 1, 4), (10, 4, 3, 3), (3, 4, 2, 1), (64, 64, 16, 2)]
)
def test_slices_are_a_number_for_each_thread(size: int, most: int, least: int, wanted: int) -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        parts = slices(size, most, CPU, least)
        assert len(slices(size, most, torch.device("cuda"), least)) == -(-size // most), "no threads of ours there"
    finally:
        torch.set_num_threads(before)
    assert len(parts) == wanted and max(part.stop - part.start for part in parts) <= most
    assert [k for part in parts for k in range(size)[part]] == list(range(size))


def test_layers_make_the_same_however_many_threads_there_are(threads: int) -> None:
    rng = torch.Generator().manual_seed(0)
    x = torch.randn(2, 40, 70, 70, generator=rng).contiguous(memory_format=torch.channels_last)
    bias, weight = torch.randn(40, generator=rng), torch.randn(24, 40, 3, 3, generator=rng)
    styles, taps = torch.rand(2, 40, generator=rng) + 0.5, torch.randn(2, 40, 8, generator=rng)
    down = lowpass(12, 8, 6, 64)
    with torch.no_grad():
        bent = FilteredLrelu(70, 64, lowpass(12, 8, 6, 64), down, 2, 2, 5)(x, bias, 0.2, 1.4, 256.0)
        made = Full(weight)(x, styles).clone()
        multiplied = pointwise(x, taps, passing=True).clone()
        narrow = pointwise(x[..., :20], taps, passing=True).clone()
    wanted = torch.nn.functional.conv2d(x * styles[:, :, None, None], weight, padding=2)
    assert torch.allclose(made, wanted, atol=1e-4)
    assert torch.allclose(multiplied, torch.einsum("nihw,nio->nohw", x, taps), atol=1e-4)
    assert torch.allclose(narrow, multiplied[..., :20], atol=1e-4)
    asked = FilteredLrelu(70, 64, lowpass(12, 8, 6, 64), down, 2, 2, 5)(
        x, bias.requires_grad_(True), 0.2, 1.4, 256.0
    )  # in the way for gradients
    assert torch.allclose(bent, asked, atol=1e-5)
