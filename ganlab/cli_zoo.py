"""The commands `zoo`, which lists models, `download`, which fetches one, and `download-data`, which fetches images."""

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from ganlab import zoo
from ganlab.data.images import download_images
from ganlab.download import Tick

TELL = 0.2  # seconds between two progress lines
WIDTH = 30  # characters of the bar


@dataclass(frozen=True)
class Zoo:
    """List the models that ship with ganlab and the public ones that can be downloaded."""

    def main(self) -> int:
        """Prints the table."""
        for name, path in zoo.shipped().items():
            print(f"{name:18} shipped     {path.stat().st_size / 1e6:5.0f} MB")
        for name, row in zoo.ZOO.items():
            state = "downloaded" if zoo.downloaded(name) else "public"
            size = f"{row.megabytes:5} MB" if row.megabytes else "        "
            print(f"{name:18} {state:10}  {size}  {row.title}; {row.licence}")
        return 0


@dataclass(frozen=True)
class Download:
    """Download a public model; started again, it goes on where it stopped."""

    name: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="NAME")]  # one that `ganlab zoo` lists

    def main(self) -> int:
        """Downloads with a progress line; 130 if Ctrl-C ended it."""
        return _watched(zoo.download, self.name)


@dataclass(frozen=True)
class DownloadData:
    """Download a public set of images, as mnist; started again, it goes on where it stopped."""

    name: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="NAME")]  # a set that is one file, as mnist

    def main(self) -> int:
        """Downloads with a progress line; 130 if Ctrl-C ended it."""
        return _watched(download_images, self.name)


def _watched(download: Callable[[str, Tick], Path], name: str) -> int:
    told = 0.0

    def tick(done: int, of: int | None) -> bool:
        nonlocal told
        if sys.stderr.isatty() and time.monotonic() - told > TELL:
            told = time.monotonic()
            full = int(WIDTH * done / of) if of else 0
            print(f"\r[{'#' * full:{WIDTH}}] {done / 1e6:.0f} MB", end="", file=sys.stderr, flush=True)
        return True

    try:
        path = download(name, tick)
    except KeyboardInterrupt:
        print("\nStopped; the same command goes on from here.", file=sys.stderr)
        return 130
    if told:
        print(file=sys.stderr)
    print(path)
    return 0
