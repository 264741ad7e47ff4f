"""The commands `zoo`, which lists models, and `download`, which fetches one."""

import sys
import time
from dataclasses import dataclass
from typing import Annotated

import tyro

from ganlab import zoo

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
        told = 0.0

        def tick(done: int, of: int | None) -> bool:
            nonlocal told
            if sys.stderr.isatty() and time.monotonic() - told > TELL:
                told = time.monotonic()
                full = int(WIDTH * done / of) if of else 0
                print(f"\r[{'#' * full:{WIDTH}}] {done / 1e6:.0f} MB", end="", file=sys.stderr, flush=True)
            return True

        try:
            path = zoo.download(self.name, tick)
        except KeyboardInterrupt:
            print("\nStopped; the same command goes on from here.", file=sys.stderr)
            return 130
        if told:
            print(file=sys.stderr)
        print(path)
        return 0
