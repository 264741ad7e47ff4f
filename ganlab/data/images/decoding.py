"""From a source to one tensor: each image decoded once, by several threads, cut to size and divided."""

import itertools
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image

from ganlab.config import InvalidInput
from ganlab.data.images.config import ImageData
from ganlab.data.images.room import Room, Tick, heard
from ganlab.data.images.source import Source
from ganlab.data.images.split import Split
from ganlab.data.opening import on_white

AT_ONCE = 64  # images between two reports
MOST_THREADS = 8


@dataclass(frozen=True, eq=False)
class Decoded:
    """The images of a source, divided."""

    train: Split
    valid: Split | None
    skipped: tuple[str, ...]


def decoded(source: Source, config: ImageData, tick: Tick) -> Decoded:
    """Decodes the images that `config` asks for; those that cannot be read are left out, and told why.

    Raises: `InvalidInput` if they need too much memory or none can be read, `Cancelled` if `tick` says to stop.
    """
    wanted = min(config.limit or source.count, source.count)
    room, queue, done, skipped = Room(wanted, config), iter(_order(source.count, config)), 0, list[str]()

    def one(i: int) -> npt.NDArray[np.uint8] | str:
        try:
            return fitted(source.read(i, 2 * config.resolution), config)
        except InvalidInput as error:
            return str(error)

    with ThreadPoolExecutor(min(MOST_THREADS, os.cpu_count() or 1)) as pool:
        while batch := list(itertools.islice(queue, min(AT_ONCE, wanted - done))):
            results = list(zip(batch, pool.map(one, batch)))
            skipped += [pixels for _, pixels in results if isinstance(pixels, str)]
            good = [(i, pixels) for i, pixels in results if not isinstance(pixels, str)]
            if good:
                targets = torch.tensor([source.targets[i] if source.classes else 0 for i, _ in good])
                room.put(done, torch.from_numpy(np.stack([pixels for _, pixels in good])), targets)
                done += len(good)
            heard(tick, min(done + len(skipped), wanted), wanted)
    if not done:
        first = (*source.skipped, *skipped, "there are none")[0]
        raise InvalidInput("path", f"none of the images can be used; the first of them: {first}")
    train, valid = room.divided(done)
    return Decoded(train, valid, (*source.skipped, *skipped))


def _order(count: int, config: ImageData) -> list[int]:
    """In which order the images are taken: as they come, or at random where only some are, or some are held out."""
    if not config.limit and not config.valid:
        return list(range(count))
    return torch.randperm(count, generator=torch.Generator().manual_seed(config.seed)).tolist()


def fitted(image: Image.Image, config: ImageData) -> npt.NDArray[np.uint8]:
    """One image (L, RGB or RGBA) on white, square, at the resolution of `config`: uint8 [C, H, W]."""
    width, height = image.size
    side, short, long = config.resolution, min(width, height), max(width, height)
    if config.fit == "crop":
        left, top = (width - short) // 2, (height - short) // 2
        image = _scaled(image, (side, side), (left, top, left + short, top + short))
    elif config.fit == "stretch" or short == long:
        image = _scaled(image, (side, side), (0, 0, width, height))
    else:
        inner = (max(1, round(side * width / long)), max(1, round(side * height / long)))
        inside = on_white(_scaled(image, inner, (0, 0, width, height)))
        image = Image.new(inside.mode, (side, side), "white")
        image.paste(inside, ((side - inner[0]) // 2, (side - inner[1]) // 2))
    pixels = np.array(on_white(image).convert("L" if config.grey else "RGB"))
    return pixels[None] if config.grey else pixels.transpose(2, 0, 1)


def _scaled(image: Image.Image, size: tuple[int, int], box: tuple[int, int, int, int]) -> Image.Image:
    """A part of an image at another size. Lanczos and cubic filters as wide as the new pixels: nothing aliases."""
    enlarged = size[0] >= box[2] - box[0]
    kind = Image.Resampling.BICUBIC if enlarged else Image.Resampling.LANCZOS  # Lanczos rings more than it adds
    return image.resize(size, kind, box=box)
