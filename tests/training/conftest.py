"""What the tests of trainings share."""

from collections.abc import Iterator, Sequence

import pytest
from torch import Tensor

from ganlab.data.images import ImageData, drawn


@pytest.fixture(autouse=True, scope="session")
def drawn_once() -> Iterator[None]:
    """The same faces are drawn once for all trainings of a process; that they come out the same is asserted with them."""
    held: dict[tuple[ImageData, int, tuple[int, ...]], tuple[Tensor, Tensor]] = {}
    draw = drawn._batch

    def again(config: ImageData, seed: int, indices: Sequence[int]) -> tuple[Tensor, Tensor]:
        key = config, seed, tuple(indices)
        if key not in held:
            held[key] = draw(config, seed, indices)
        images, targets = held[key]
        return images.clone(), targets.clone()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(drawn, "_batch", again)
        yield
