"""What the tests of trainings share."""

from collections.abc import Iterator, Sequence

import pytest
from torch import Tensor

from ganlab.data.images import ImageData, drawn

HELD: dict[tuple[ImageData, int, tuple[int, ...]], tuple[Tensor, Tensor]] = {}


@pytest.fixture(autouse=True, scope="module")
def drawn_once() -> Iterator[None]:
    """The same faces are drawn once for all trainings of a process; tests of the data draw them anew."""
    draw = drawn._batch

    def again(config: ImageData, seed: int, indices: Sequence[int]) -> tuple[Tensor, Tensor]:
        key = config, seed, tuple(indices)
        if key not in HELD:
            HELD[key] = draw(config, seed, indices)
        images, targets = HELD[key]
        return images.clone(), targets.clone()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(drawn, "_batch", again)
        yield
