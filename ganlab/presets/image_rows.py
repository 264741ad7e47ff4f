"""What a row of the table of image presets is."""

from dataclasses import dataclass
from typing import Any

from ganlab.data.images import ImageData
from ganlab.run_images import ImageGanConfig


@dataclass(frozen=True)
class ImagePreset:
    """One row: a system, what it brings in one sentence, where it was proposed, and settings."""

    title: str
    text: str
    paper: str
    gan: ImageGanConfig
    data: ImageData | None = None  # of an experiment that needs its own; None: faces
    labels: str = ""  # of faces, for a system that is about classes


def row(
    title: str, text: str, paper: str, data: ImageData | None = None, labels: str = "", **settings: Any
) -> ImagePreset:
    """A preset with these settings of its GAN."""
    return ImagePreset(title, text, paper, ImageGanConfig(name=title, **settings), data, labels)
