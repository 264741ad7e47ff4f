"""Measures of what a generator has learned: pure functions of samples, densities and features."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from torch import Tensor

from ganlab.metrics.frechet import frechet_distance
from ganlab.metrics.manifold import density_coverage, precision_recall

__all__ = ["METRICS", "Metric"]


@dataclass(frozen=True)
class Metric:
    """One row: a figure of two sets of features, [N, d] of real and [M, d] of generated pictures."""

    title: str
    function: Callable[[Tensor, Tensor], float]
    better: Literal["lower", "higher"]
    paper: str


METRICS: dict[str, Metric] = {
    "frechet": Metric("Fréchet distance", frechet_distance, "lower", "Heusel et al. 2017"),
    "precision": Metric(
        "Precision", lambda real, fake: precision_recall(real, fake).precision, "higher", "Kynkäänniemi et al. 2019"
    ),
    "recall": Metric(
        "Recall", lambda real, fake: precision_recall(real, fake).recall, "higher", "Kynkäänniemi et al. 2019"
    ),
    "density": Metric(
        "Density", lambda real, fake: density_coverage(real, fake).density, "higher", "Naeem et al. 2020"
    ),
    "coverage": Metric(
        "Coverage", lambda real, fake: density_coverage(real, fake).coverage, "higher", "Naeem et al. 2020"
    ),
}
