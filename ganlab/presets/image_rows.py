"""What a row of the table of image presets is."""

from dataclasses import dataclass, replace
from typing import Any

from ganlab.data.images import DRAWN, ImageData
from ganlab.run_images import ImageGanConfig, ImageRun

PLAIN_ADAM: dict[str, Any] = {"lr_g": 2e-4, "lr_d": 2e-4, "beta1": 0.5, "beta2": 0.999, "batch": 64, "ema_kimg": 5.0}
ENOUGH = 5000  # images of an endless set, for what needs one that ends


@dataclass(frozen=True)
class ImagePreset:
    """One row: a system, what it brings in one sentence, where it was proposed, and settings."""

    title: str
    text: str
    paper: str
    gan: ImageGanConfig
    data: ImageData | None = None  # of an experiment that needs its own; None: faces
    labels: str = ""  # of faces, for a system that is about classes
    needs_classes: bool = False  # whether it is another system without

    def on(self, images: ImageData) -> ImageRun:
        """Its run on images; batches are of one class where there are classes, and the set ends."""
        if not self.gan.single_label:
            return ImageRun(images, self.gan)
        if images.name in DRAWN and not images.limit:
            images = replace(images, limit=ENOUGH)
        return ImageRun(images, replace(self.gan, single_label=bool(images.labels)))


def row(
    title: str,
    text: str,
    paper: str,
    data: ImageData | None = None,
    labels: str = "",
    needs_classes: bool | None = None,
    **settings: Any,
) -> ImagePreset:
    """A preset with these settings of its GAN; `needs_classes` None: if it has labels."""
    needs = bool(labels) if needs_classes is None else needs_classes
    return ImagePreset(title, text, paper, ImageGanConfig(name=title, **settings), data, labels, needs)
