"""Work spread over a CPU's cores a piece at a time: what a core makes of its piece stays in its own cache.

PyTorch splits each operation over the cores instead. Then one takes up what another has made, and waits for it: in a
chain of short operations a second core gained nothing by that.
"""

import functools
import os
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor, wait
from typing import TypeVar

import torch

MOST = 16  # threads; Python has one lock for all of them

Piece = TypeVar("Piece")


def spread(work: Callable[[Piece], object], pieces: Iterable[Piece], device: torch.device) -> None:
    """`work` on each of the pieces, without gradients; on a CPU several at once.

    It comes back when all are done, or raises what the first of them that failed has raised. Between two of these,
    large operations of PyTorch's own are to be avoided: its idle threads keep their cores busy for a few milliseconds.
    """
    pieces, threads = list(pieces), _threads(device)
    if threads == 1 or len(pieces) == 1:
        for piece in pieces:
            work(piece)
        return
    inference = torch.is_inference_mode_enabled()  # each thread has a mode of its own

    def done(piece: Piece) -> None:
        with torch.inference_mode(inference), torch.no_grad():
            work(piece)

    results = [_workers(threads).submit(done, piece) for piece in pieces]
    wait(results)  # all: what they share is the caller's again afterwards
    for result in results:
        result.result()


def slices(size: int, most: int, device: torch.device, least: int = 1) -> list[slice]:
    """All of it in pieces of at most so many, about alike: the same number for each thread, unless below `least`."""
    count, threads = -(-size // most), _threads(device)
    return evenly(size, max(count, min(-(-count // threads) * threads, size // least)))


def evenly(size: int, count: int) -> list[slice]:
    """All of it in so many pieces, about alike."""
    return [slice(size * k // count, size * (k + 1) // count) for k in range(count)]


def _threads(device: torch.device) -> int:
    return min(torch.get_num_threads(), MOST) if device.type == "cpu" else 1


@functools.lru_cache(2)
def _workers(threads: int) -> ThreadPoolExecutor:
    """So many threads, each of which computes alone."""
    usual, all_there = torch.get_num_threads(), threading.Barrier(threads + 1)

    def alone() -> None:
        torch.get_num_threads()  # gives this thread the usual number, which would come later otherwise
        torch.set_num_threads(1)
        all_there.wait()

    pool = ThreadPoolExecutor(threads, "spread", alone)
    for _ in range(threads):
        pool.submit(int)
    all_there.wait()
    torch.set_num_threads(usual)  # for threads that are still to come
    return pool


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_workers.cache_clear)  # its threads are not there
