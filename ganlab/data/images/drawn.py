"""The sets that are drawn, faces and polygons: endless, or the first so many in memory, drawn by all processors."""

import contextlib
import itertools
import multiprocessing
import os
from collections import deque
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ganlab.data.faces import ATTRIBUTES, faces
from ganlab.data.images.config import ImageData
from ganlab.data.images.room import Room, Tick, heard
from ganlab.data.images.split import Batch, Split
from ganlab.data.polygons import polygons

MANY = 4000  # pictures; fewer are drawn before other processes have started
MOST_PROCESSES = 32
AT_ONCE = 2 << 20  # bytes that a process draws between two reports
VALID_SEEDS = 2**32  # above all seeds that a user can ask for

Arrays = tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]


def classes_of(config: ImageData) -> tuple[str, ...]:
    """The options of the attribute that is the label."""
    return tuple(ATTRIBUTES[config.labels].options) if config.labels else ()


def drawn_splits(config: ImageData, tick: Tick) -> tuple[Split, Split | None]:
    """Pictures for training and for validation: endless ones of two seeds, or the first `limit` of one, divided."""
    if config.limit:
        return _held(config, tick)
    train = Split(draw=partial(_batch, config, config.seed))
    return train, Split(draw=partial(_batch, config, config.seed + VALID_SEEDS)) if config.valid else None


def _batch(config: ImageData, seed: int, indices: Sequence[int]) -> Batch:
    if config.name == "polygons":
        images = polygons(seed, indices, config.vertices, config.resolution)
        return (images if config.grey else images.expand(-1, 3, -1, -1)), torch.zeros(len(images), dtype=torch.int64)
    with _one_thread():
        images, people = faces(seed, indices, config.resolution)
    targets = people[config.labels] if config.labels else torch.zeros(len(images), dtype=torch.int64)
    return (_grey(images) if config.grey else images), targets


@contextlib.contextmanager
def _one_thread() -> Generator[None, None, None]:
    """Drawing works on small tensors: where another process wants a core too, two threads are 10 times slower."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _grey(images: Tensor) -> Tensor:
    """[N, 3, H, W] to [N, 1, H, W], by the weights of ITU-R BT.601 as Pillow has them."""
    red, green, blue = images.int().unbind(1)
    return (red * 19595 + green * 38470 + blue * 7471 + 32768 >> 16).to(torch.uint8)[:, None]


def _held(config: ImageData, tick: Tick) -> tuple[Split, Split | None]:
    """The first `limit` pictures and their classes, in memory."""
    room = Room(config.limit, config)
    size = max(1, AT_ONCE // (3 * config.resolution**2))
    parts = [range(at, min(at + size, config.limit)) for at in range(0, config.limit, size)]
    with contextlib.closing(_drawn(config, parts)) as drawn:  # closed: the other processes end with it
        for part, (pixels, classes) in zip(parts, drawn):
            room.put(part.start, torch.from_numpy(pixels), torch.from_numpy(classes))
            heard(tick, part.stop, config.limit)
    return room.divided(config.limit)


def _drawn(config: ImageData, parts: Sequence[range]) -> Generator[Arrays, None, None]:
    """The pictures of each part in turn, by several processes where that pays."""
    workers, made = min(os.cpu_count() or 1, MOST_PROCESSES, len(parts)), 0
    if config.name == "faces" and config.limit > MANY and workers > 1:  # polygons are drawn in no time
        try:
            for arrays in _side_by_side(partial(_arrays, config), parts, workers):
                yield arrays
                made += 1
        except (BrokenProcessPool, OSError):
            pass  # a script without `if __name__ == "__main__"` cannot start others; the rest is drawn here
    yield from (_arrays(config, part) for part in parts[made:])


def _arrays(config: ImageData, part: range) -> Arrays:
    images, targets = _batch(config, config.seed, part)
    return images.numpy(), targets.numpy()  # plain bytes between processes: torch would share memory by open files


def _side_by_side(
    task: Callable[[range], Arrays], parts: Sequence[range], workers: int
) -> Generator[Arrays, None, None]:
    """The results in order; only a few are ever waiting, so that memory stays small."""
    spawn = multiprocessing.get_context("spawn")  # a fork would copy torch's threads in the midst of their work
    with ProcessPoolExecutor(workers, spawn) as pool:
        waiting: deque[Future[Any]] = deque()
        rest = iter(parts)
        try:
            waiting.extend(pool.submit(task, part) for part in itertools.islice(rest, 2 * workers))
            while waiting:
                yield waiting.popleft().result()
                waiting.extend(pool.submit(task, part) for part in itertools.islice(rest, 1))
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
