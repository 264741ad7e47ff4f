"""What the steps of a network have made for a picture: the place to start the next one from."""

from collections.abc import Hashable, Iterable, Sequence

import torch
from torch import Tensor

LIMIT = 640 << 20  # bytes; a 1024 px StyleGAN2 needs 549 MB in float32
SPARES = 3  # a step reads what at most two steps before it made


class Store:
    """Memory of a rendering, one tensor a step, used again by the next picture: fresh memory costs page faults.

    Features that do not fit into `limit` go to spare memory that later steps overwrite, so nothing can start from
    them; images always fit.
    """

    def __init__(self, limit: int = LIMIT, device: torch.device | str = "cpu") -> None:
        self.limit, self.device = limit, device
        self.made: dict[int, Tensor] = {}
        self._spares: dict[tuple[int, ...], list[Tensor]] = {}
        self._lent: dict[int, Tensor] = {}
        self.n = 0

    def begin(self, n: int) -> None:
        """Another number of pictures than before: nothing of the old ones is of use."""
        self._lent.clear()
        if n != self.n:
            self.made.clear()
            self._spares.clear()
        self.n = n

    @property
    def nbytes(self) -> int:
        """Bytes of what is kept."""
        return sum(tensor.numel() * tensor.element_size() for tensor in self.made.values())

    def get(self, step: int) -> Tensor:
        """What a step made; features have a border of zeros."""
        return self._lent[step] if step in self._lent else self.made[step]

    def holds(self, step: int) -> bool:
        """Whether it is still there for the next picture."""
        return step in self.made

    def padded(self, step: int, n: int, channels: int, side: int) -> Tensor:
        """Room for features [n, channels, side + 2, side + 2] in channels_last, zero at the border."""
        if step in self.made:
            return self.made[step]
        shape = (n, channels, side + 2, side + 2)
        size = 4 * n * channels * (side + 2) ** 2
        if self.nbytes + size > self.limit:
            return self._spare(step, shape)
        self.made[step] = self._zeros(shape)
        return self.made[step]

    def plain(self, step: int, n: int, channels: int, side: int) -> Tensor:
        """Room for an image [n, channels, side, side]."""
        if step not in self.made:
            self.made[step] = torch.empty(n, channels, side, side, device=self.device)
        return self.made[step]

    def gather(self, stores: Sequence["Store"], steps: Iterable[int]) -> None:
        """Becomes the store of a batch, holding what these stores of one picture each hold of some steps."""
        self.n = len(stores)
        for step in steps:
            self.made[step] = torch.cat([store.made[step] for store in stores])

    def scatter(self, stores: Sequence["Store"], steps: Iterable[int]) -> None:
        """Gives each store its part of what the batch made, as a copy: a view would keep all of the batch alive."""
        for step in steps:
            for k, store in enumerate(stores):
                if step not in self.made:
                    store.made.pop(step, None)
                elif step in store.made:
                    store.made[step].copy_(self.made[step][k : k + 1])
                else:
                    store.made[step] = self.made[step][k : k + 1].clone()
        for store in stores:
            store.n = 1

    def _spare(self, step: int, shape: tuple[int, ...]) -> Tensor:
        spares = self._spares.setdefault(shape, [])
        if len(spares) < SPARES:
            spares.append(self._zeros(shape))
        else:
            spares.append(spares.pop(0))  # the one used longest ago
        self._lent[step] = spares[-1]
        return spares[-1]

    def _zeros(self, shape: tuple[int, ...]) -> Tensor:
        return torch.zeros(shape, device=self.device).contiguous(memory_format=torch.channels_last)


class Memory:
    """What a viewer's last picture left behind: one `Store`, and what each of its steps was made from."""

    def __init__(self, limit: int = LIMIT) -> None:
        self.limit = limit
        self.store = Store(limit)
        self.keys: list[Hashable] = []
        self.owner: object = None  # the engine that filled it
        self.exact = True  # whether no batch had a part in it

    @property
    def nbytes(self) -> int:
        """Bytes it holds."""
        return self.store.nbytes

    def forget(self, device: torch.device | str = "cpu") -> None:
        """Frees everything; what comes next stands on `device`."""
        self.store, self.keys, self.owner, self.exact = Store(self.limit, device), [], None, True
