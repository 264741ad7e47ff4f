"""Every random choice of an image training, as a function of (seed, kind, step, part): nothing to store or restore."""

import math

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from ganlab.data.images import ImageSet, Split
from ganlab.training.draws import generator, seed_of

PERMUTATIONS = 2  # epochs whose order is remembered
AHEAD = 1 << 39  # where data has no end: images so far ahead are not met in any training
CHUNK = 1024  # endless images of which the known ones are drawn at once


class ImageDraws:
    """The draws of one run: data in an order of its own for each epoch, latents, labels, noise.

    On a GPU numbers are drawn there, so they differ from the CPU's.
    """

    def __init__(self, images: ImageSet, seed: int, device: torch.device) -> None:
        self.images, self.seed, self.device = images, seed, device
        self.classes = len(images.classes)
        self._orders: dict[tuple[int, int], Tensor] = {}
        self._held: tuple[tuple[object, ...], tuple[Tensor, Tensor]] | None = None
        self._on_device: tuple[Tensor, Tensor] | None = None
        self._known: tuple[float, Tensor] | None = None
        self._ahead: tuple[int, tuple[Tensor, Tensor]] | None = None
        self._shares = images.shares.to(device) if self.classes else None

    def rng(self, *key: object) -> torch.Generator:
        """A generator of its own for every key."""
        return torch.Generator(self.device).manual_seed(seed_of(self.seed, *key))

    def real(
        self, first: int, count: int, kind: str = "train", alike: bool = False
    ) -> tuple[Float[Tensor, "n c h w"], Tensor]:
        """Images `first` .. `first + count - 1` of the endless row of shuffled epochs, in [-1, 1], and their labels.

        Labels are one-hot [n, classes]. `kind` "valid" takes the images that are held out. `alike`: all of one class,
        which is drawn as often as it is in the data, and each image of it at random.
        """
        key = (first, count, kind, alike)
        if self._held is None or self._held[0] != key:
            self._held = key, self._made(first, count, kind, alike)
        return self._held[1]

    def known(self, first: int, count: int, share: float) -> Bool[Tensor, " n"]:
        """Which of those images carry their label: a seeded choice, of every class the same share and at least one.

        An image and its mirrored one are chosen together. Of endless images each is chosen by itself.
        """
        size = len(self.images.train)
        if not self.images.train.endless:
            return self._chosen(share)[self.order(first, count, size)].to(self.device)
        chunks = range(first // CHUNK, (first + count - 1) // CHUNK + 1)
        u = torch.cat([torch.rand(CHUNK, generator=generator(self.seed, "known", k)) for k in chunks])
        return (u[first % CHUNK :][:count] < share).to(self.device)

    def held_out(self, count: int) -> tuple[Float[Tensor, "n c h w"], Tensor] | None:
        """Up to `count` images that are not trained on, and their labels, as `real` gives them; None: none are kept."""
        if self.images.valid is not None:
            return self.real(0, min(count, len(self.images.valid)), "valid")
        if not self.images.train.endless:
            return None
        if self._ahead is None or self._ahead[0] != count:
            self._ahead = count, self._made(AHEAD, count, "train", False)
        return self._ahead[1]

    def order(self, first: int, count: int, size: int) -> Tensor:
        """The numbers of those images in a set of `size`."""
        numbers = torch.arange(first, first + count)
        out = torch.empty(count, dtype=torch.long)
        for epoch in range(first // size, (first + count - 1) // size + 1):
            chosen = numbers // size == epoch
            out[chosen] = self._order(epoch, size)[numbers[chosen] % size]
        return out

    def latents(self, count: int, z_dim: int, *key: object) -> Float[Tensor, "n z_dim"]:
        """N(0, I)."""
        return torch.randn(count, z_dim, generator=self.rng("z", *key), device=self.device)

    def labels(self, count: int, *key: object) -> Tensor | None:
        """One-hot labels [n, classes], as frequent as in the data; None without classes."""
        if self._shares is None:
            return None
        chosen = torch.multinomial(self._shares, count, replacement=True, generator=self.rng("label", *key))
        return torch.eye(self.classes, device=self.device)[chosen]

    def uniform(self, rows: int, columns: int, *key: object) -> Float[Tensor, "rows columns"]:
        """U[0, 1)."""
        return torch.rand(rows, columns, generator=self.rng("uniform", *key), device=self.device)

    def _made(self, first: int, count: int, kind: str, alike: bool) -> tuple[Tensor, Tensor]:
        split = self.images.train if kind == "train" else self.images.valid
        assert split is not None
        if split.endless:
            pixels, targets = split.get(range(first, first + count))
        else:
            numbers = self._alike(split, first, count) if alike else self.order(first, count, len(split))
            held = self._here(split) if kind == "train" else None
            pixels, targets = split.get(numbers) if held is None else _taken(held, numbers.to(self.device))
        pixels, targets = pixels.to(self.device), targets.to(self.device)
        labels = torch.eye(max(self.classes, 1), device=self.device)[targets]
        images = pixels.to(memory_format=torch.channels_last).float().div_(127.5).sub_(1)
        return images, labels

    def _alike(self, split: Split, first: int, count: int) -> Tensor:
        """Numbers of images of one class."""
        targets, rng = split.targets, generator(self.seed, "alike", first)
        assert targets is not None
        members = (targets == targets[torch.randint(len(targets), (1,), generator=rng)]).nonzero()[:, 0]
        return members[torch.randint(len(members), (count,), generator=rng)]

    def _chosen(self, share: float) -> Tensor:
        """The known ones of a set that ends."""
        if self._known is None or self._known[0] != share:
            targets, copies = self.images.train.targets, 2 if self.images.config.mirror else 1
            assert targets is not None
            originals, rng = targets[::copies], generator(self.seed, "known")
            known = torch.zeros(len(originals), dtype=torch.bool)
            for k in range(max(1, self.classes)):
                members = (originals == k).nonzero()[:, 0]
                order = torch.randperm(len(members), generator=rng)
                known[members[order[: math.ceil(share * len(members))]]] = True
            self._known = share, known.repeat_interleave(copies)[: len(targets)]
        return self._known[1]

    def _here(self, split: Split) -> tuple[Tensor, Tensor] | None:
        """The whole set on the GPU: 200,000 faces of 64 px take 2.5 GB."""
        if self.device.type == "cpu" or split.images is None or split.targets is None:
            return None
        if self._on_device is None:
            self._on_device = split.images.to(self.device), split.targets.to(self.device)
        return self._on_device

    def _order(self, epoch: int, size: int) -> Tensor:
        key = (epoch, size)
        if key not in self._orders:
            if len(self._orders) >= PERMUTATIONS:
                del self._orders[min(self._orders)]
            self._orders[key] = torch.randperm(size, generator=generator(self.seed, "epoch", epoch))
        return self._orders[key]


def _taken(held: tuple[Tensor, Tensor], numbers: Tensor) -> tuple[Tensor, Tensor]:
    return held[0][numbers], held[1][numbers]
