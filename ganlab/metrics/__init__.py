"""Measures of what a generator has learned: pure functions of samples, densities and features."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from torch import Tensor

from ganlab.metrics.frechet import frechet_distance
from ganlab.metrics.kernel import mmd2
from ganlab.metrics.manifold import density_coverage, f_score, precision_recall

__all__ = ["METRICS", "Metric"]


@dataclass(frozen=True)
class Metric:
    """One row: a figure of two sets of features, [N, d] of real and [M, d] of generated pictures."""

    title: str
    function: Callable[[Tensor, Tensor], float]
    better: Literal["lower", "higher"]
    meaning: str
    paper: str


# By the kind that a figure's name begins with: FD-faces, precision-pyramid
METRICS: dict[str, Metric] = {
    "FD": Metric(
        "Fréchet distance",
        frechet_distance,
        "lower",
        "Fréchet distance: 0 is best, and few pictures make it too large",
        "Heusel et al. 2017",
    ),
    "KD": Metric(
        "Kernel distance",
        mmd2,
        "lower",
        "kernel distance: 0 is best, right on average for any number of pictures, and may be below 0",
        "Bińkowski et al. 2018",
    ),
    "precision": Metric(
        "Precision",
        lambda real, fake: precision_recall(real, fake).precision,
        "higher",
        "share of generated pictures that lie among real ones: quality",
        "Kynkäänniemi et al. 2019",
    ),
    "recall": Metric(
        "Recall",
        lambda real, fake: precision_recall(real, fake).recall,
        "higher",
        "share of real pictures that lie among generated ones: variety",
        "Kynkäänniemi et al. 2019",
    ),
    "F1": Metric(
        "F1",
        lambda real, fake: f_score(*precision_recall(real, fake)),
        "higher",
        "harmonic mean of precision and recall",
        "Lucic et al. 2018",
    ),
    "density": Metric(
        "Density",
        lambda real, fake: density_coverage(real, fake).density,
        "higher",
        "as precision, but counted: 1 is right, more is too close to typical pictures",
        "Naeem et al. 2020",
    ),
    "coverage": Metric(
        "Coverage",
        lambda real, fake: density_coverage(real, fake).coverage,
        "higher",
        "share of real pictures with a generated one nearby",
        "Naeem et al. 2020",
    ),
}
