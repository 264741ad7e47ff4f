"""A record of moments that never outgrows its bound: when full, every other one is dropped."""

from typing import Generic, TypeVar

T = TypeVar("T")


class Timeline(Generic[T]):
    """Items by step, in order. The first one always stays."""

    def __init__(self, most: int) -> None:
        self.most = max(most, 1)
        self.stride = 1
        self.items: list[tuple[int, T]] = []

    def wants(self, step: int) -> bool:
        """Whether an item at `step` would be kept."""
        return not self.items or step >= self.items[-1][0] + self.stride

    def add(self, step: int, item: T) -> None:
        """Keeps the item, unless one too near stands already."""
        if not self.wants(step):
            return
        self.items.append((step, item))
        if len(self.items) > self.most:
            self.items = self.items[::2]
            gaps = [b[0] - a[0] for a, b in zip(self.items, self.items[1:], strict=False)]
            self.stride = max(gaps, default=2 * self.stride)

    def at(self, step: int) -> tuple[int, T]:
        """The newest item at or before `step`; the first one if there is none."""
        found = self.items[0]
        for entry in self.items:
            if entry[0] > step:
                break
            found = entry
        return found

    def until(self, step: int) -> "Timeline[T]":
        """A copy without what came after `step`."""
        out: Timeline[T] = Timeline(self.most)
        out.stride = self.stride
        out.items = [entry for entry in self.items if entry[0] <= step]
        return out
