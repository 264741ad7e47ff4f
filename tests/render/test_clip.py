"""Film files: right length and size, readable, left at any moment."""

from collections.abc import Iterator

import imageio.v3 as iio
import numpy as np
import pytest

from ganlab.config import InvalidInput
from ganlab.render.clip import WRITERS, check_length, clip


def frames(count: int, side: int = 33) -> Iterator[np.ndarray]:
    for i in range(count):
        yield np.full((side, side, 3), 20 * i, np.uint8)


@pytest.mark.parametrize("kind", WRITERS)
def test_every_kind_holds_every_frame(kind: str) -> None:
    *steps, data = clip(frames(6), kind, 10)
    assert steps == [b""] * 6
    read = iio.imread(data, extension=f".{kind}", index=...)
    assert len(read) == 6
    assert 33 <= read.shape[1] <= 34  # MP4 needs even sides
    assert np.allclose(read[..., :3].mean((1, 2, 3)), 20 * np.arange(6), atol=4)


@pytest.mark.parametrize("kind", WRITERS)
def test_it_can_be_left(kind: str) -> None:
    steps = clip(frames(1000), kind, 10)
    next(steps)
    steps.close()


@pytest.mark.parametrize(
    ("count", "side", "kind"), [(100_000, 64, "mp4"), (1000, 1024, "gif"), (5000, 64, "webp"), (1, 64, "avi")]
)
def test_endless_films_are_refused(count: int, side: int, kind: str) -> None:
    with pytest.raises(InvalidInput):
        check_length(count, side, kind)
