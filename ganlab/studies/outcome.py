"""How good a drawn run turns out: points by their distance from the data, images by their Fréchet distance."""

import functools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from ganlab.config import InvalidInput
from ganlab.data.images import ImageData, ImageSet, open_images
from ganlab.run import Run
from ganlab.run_images import ImageRun
from ganlab.training.folder import LONGEST, AnyRun
from ganlab.training.image_loop import DIVERGED, Diverged, ImageTraining
from ganlab.training.loop import Training

OBJECTIVES = {Run: "sliced Wasserstein distance", ImageRun: "FD"}  # smaller is better


@dataclass(frozen=True)
class Outcome:
    """A run after some steps: what its study minimises, and the figures beside it."""

    objective: float
    figures: dict[str, Any]


def outcomes(run: AnyRun, stops: Sequence[int], device: torch.device | str = "cpu") -> Iterator[Outcome]:
    """Trains a run from its start; yields how good it is after so many steps. Raises `Diverged`.

    The last one is that of `ganlab train` with as many steps (for images with `--measure` of as many, too).
    """
    each = _on_images(run, stops, device) if isinstance(run, ImageRun) else _on_points(run, stops)
    for stop, outcome in zip(stops, each):
        if not math.isfinite(outcome.objective):
            raise Diverged("training", DIVERGED.format(what="its distance from the data is", step=stop))
        yield outcome


def _on_points(run: Run, stops: Sequence[int]) -> Iterator[Outcome]:
    training = Training(run)
    for stop in stops:
        training.arena.advance(stop - training.at)
        row = training.look().gans[0]
        if row.frozen is not None:
            raise Diverged("training", DIVERGED.format(what="a weight is", step=row.frozen))
        figures = {name: getattr(row, name) for name in ("covered", "modes", "high_quality", "js")}
        yield Outcome(row.sliced_w, {name: value for name, value in figures.items() if value is not None})


def _on_images(run: ImageRun, stops: Sequence[int], device: torch.device | str) -> Iterator[Outcome]:
    training = ImageTraining(run, every=LONGEST, device=device, images=_images(run.data))
    for stop in stops:
        while training.at < stop:
            training.step()
        training.look(held_out=False)  # raises `Diverged` where losses are no numbers
        if not training.gan.finite():
            raise Diverged("training", DIVERGED.format(what="a weight is", step=stop))
        quality = training.quality()
        figures = {name: float(getattr(quality, name).value) for name in ("precision", "recall")}
        yield Outcome(float(quality.fd.value), {"features": quality.name, **figures})


@functools.lru_cache(maxsize=2)
def _images(data: ImageData) -> ImageSet:
    """The images of a run, opened once for many draws."""
    return open_images(data)


FAILURES = (InvalidInput, torch.OutOfMemoryError)  # of one draw; the study goes on
