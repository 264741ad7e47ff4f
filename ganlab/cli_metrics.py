"""The command `metrics`: all that can be measured of a generator beside its data, at one truncation and more."""

import json
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro

from ganlab import zoo
from ganlab.config import InvalidInput

TELL = 0.2  # seconds between updates of the progress line
MOST = 1_000_000  # pictures of a side


@dataclass(frozen=True)
class Metrics:
    """Measure a generator: Frechet and kernel distance, precision, recall, F1, density, coverage, MS-SSIM, copying,
    classes, path lengths, equivariance. The features are a part of each figure's name.

    Several --psi make a column each: precision against recall is the truncation curve.
    """

    model: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="MODEL")]  # a file, or a name of `ganlab zoo`
    data: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="DATA")] = (
        "faces"  # a set (faces, digits, ...), a folder, a .zip, or hub:user/set
    )
    labels: str = ""  # of the data; empty: those that the model's classes are
    psi: tuple[float, ...] = (1.0,)  # truncations; 1 is none
    count: int = 2000  # pictures made for each psi
    real: int = 2000  # real pictures to compare with, at most
    seed: int = 0  # decides latents and noise
    features: str = (
        ""  # faces, pyramid, clip, clip:ViT-B-32/openai, dinov2, inception, or its file; empty: as usual for the data
    )
    fetch: bool = False  # download the weights of inception (96 MB) or dinov2 (1.2 GB) where they are not here yet
    json: Annotated[Path | None, tyro.conf.arg(metavar="FILE.json")] = None  # also write the figures here

    def main(self) -> int:
        """Prints a table in Markdown."""
        from ganlab import weights  # slow to import, and other commands have no use for them
        from ganlab.nn.devices import best_device
        from ganlab.training.beside import data_beside, images_beside
        from ganlab.training.full_report import full_report
        from ganlab.training.quality import FEWEST, QualityMeter

        if not self.psi or any(not 0 <= psi <= 2 for psi in self.psi):
            raise InvalidInput("psi", "must be one number or more, from 0 to 2")
        for name in ("count", "real"):
            if not FEWEST <= getattr(self, name) <= MOST:
                raise InvalidInput(name, f"must be from {FEWEST} to {MOST:,} pictures")
        path = Path(self.model)
        G: Any = weights.load(path if path.exists() else zoo.path_of(self.model)).to(best_device())
        tick = _Line()
        tick("data", 0, 1)
        images = images_beside(data_beside(G, self.data, self.labels), asked=bool(self.labels))
        meter = QualityMeter(images, self.real, self._extractor(tick), tick)
        reports = [full_report(G, meter, psi, self.count, self.seed, tick) for psi in self.psi]
        tick.clear()
        real = len(meter.real.pictures)
        print(f"{path.stem} beside {self.data}: {self.count:,} pictures, {real:,} real ones, seed {self.seed}\n")
        print("| | " + " | ".join(f"psi {psi:g}" for psi in self.psi) + " |")
        print("|---" * (len(self.psi) + 1) + "|")
        for rows in zip(*(figures for figures, _ in reports), strict=True):
            print(f"| {rows[0].name} | " + " | ".join(row.text for row in rows) + " |")
        if reports[0][1]:
            print(f"\n{reports[0][1]}")
        if self.json is not None:
            self._write([figures for figures, _ in reports])
        return 0

    def _extractor(self, tick: "_Line") -> Any:
        from ganlab.features.frozen import SEERS, fetch_frozen
        from ganlab.features.inception import fetch_weights
        from ganlab.text.features import any_extractor

        def told(done: int, of: int | None) -> bool:
            tick("weights, bytes", done, of or done)
            return True

        name = self.features or ("inception" if self.fetch else "")
        if self.fetch and name in SEERS:
            fetch_frozen(name, told)
        elif self.fetch and name == "inception":
            fetch_weights(told)
        return any_extractor(name, self.data)

    def _write(self, columns: list[list[Any]]) -> None:
        from ganlab.files import write_atomic

        assert self.json is not None
        about = {"model": self.model, "data": self.data, "count": self.count, "real": self.real, "seed": self.seed}
        rows = [
            {"psi": psi}
            | {figure.name: figure.value for figure in figures}
            | {"intervals": {figure.name: [figure.interval.lo, figure.interval.hi] for figure in figures}}
            for psi, figures in zip(self.psi, columns, strict=True)
        ]
        write_atomic(self.json, json.dumps({**about, "figures": rows}, indent=1).encode())


class _Line:
    """A progress line on stderr, where that is a terminal."""

    def __init__(self) -> None:
        self.told = 0.0

    def __call__(self, what: str, done: int, of: int) -> None:
        if sys.stderr.isatty() and (time.monotonic() - self.told > TELL or done in (0, of)):
            self.told = time.monotonic()
            print(f"\r\033[K{what} {done:,} of {of:,}", end="", file=sys.stderr, flush=True)

    def clear(self) -> None:
        """Leaves nothing of it."""
        if sys.stderr.isatty():
            print("\r\033[K", end="", file=sys.stderr, flush=True)
