"""What `benchmarks/zoo.py` found for each image preset, as one JSON file and a sheet of pictures for each."""

import re
from dataclasses import dataclass
from pathlib import Path

from ganlab.config import Config, InvalidInput, knob
from ganlab.files import write_atomic

FILE = "results.json"
FORMAT = "ganlab zoo results 1"
NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,60}")


@dataclass(frozen=True)
class ZooResult(Config):
    """One preset after its time; `*_off` is half of a 95 % interval."""

    preset: str = knob("", "Its name", longest=64)
    error: str = knob("", "Why there are no figures, if there are none", longest=400)
    images_per_second: float = knob(0.0, "Images that D and G learned from in a second", lo=0)
    images: int = knob(0, "Images that it learned from", lo=0)
    parameters: int = knob(0, "Weights of G", lo=0)
    fd: float = knob(0.0, "Fréchet distance", lo=0)
    fd_off: float = knob(0.0, "Its uncertainty", lo=0)
    precision: float = knob(0.0, "Precision", lo=0, hi=1)
    precision_off: float = knob(0.0, "Its uncertainty", lo=0)
    recall: float = knob(0.0, "Recall", lo=0, hi=1)
    recall_off: float = knob(0.0, "Its uncertainty", lo=0)
    modes: int = knob(0, "Kinds of pictures seen; 0: not counted", lo=0)


@dataclass(frozen=True)
class ZooResults(Config):
    """All presets under one budget."""

    format: str = knob(FORMAT, "What this file is", choices=(FORMAT,))
    features: str = knob("faces", "What the Fréchet distance is of; a part of its name", longest=40)
    data: str = knob("faces", "The set of images", longest=40)
    resolution: int = knob(32, "Pixels of a side", lo=16, hi=1024)
    seconds: float = knob(0.0, "Training of each preset", lo=0)
    channels: int = knob(0, "Most channels of a layer; 0: as many as the presets have", lo=0)
    pictures: int = knob(0, "Generated pictures that were measured", lo=0)
    most_modes: int = knob(0, "Kinds among as many real pictures; 0: not counted", lo=0)
    device: str = knob("", "What it was trained on", longest=80)
    rows: tuple[ZooResult, ...] = knob((), "One for each preset", longest=200)

    def of(self, preset: str) -> ZooResult | None:
        """The row of a preset, if it was measured."""
        return next((row for row in self.rows if row.preset == preset and not row.error), None)


def save_results(folder: Path, results: ZooResults) -> None:
    """Writes the figures; the sheets are `sheet_path`'s."""
    write_atomic(folder / FILE, results.to_json().encode())


def load_results(folder: Path) -> ZooResults | None:
    """The figures in a folder; None where there are none. A file that is no such thing raises `InvalidInput`."""
    try:
        text = (folder / FILE).read_text(encoding="utf-8")
    except OSError:
        return None
    except UnicodeDecodeError:
        raise InvalidInput(FILE, "is not text") from None
    return ZooResults.from_json(text)


def sheet_path(folder: Path, preset: str) -> Path:
    """Where the pictures of a preset are; a name that is none raises `InvalidInput`."""
    if not NAME.fullmatch(preset):
        raise InvalidInput("preset", f"{preset[:60]!r} is not a name")
    return folder / f"{preset}.png"
