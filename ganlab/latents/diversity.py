"""How different a model's pictures are from each other, and what truncation does to that."""

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch

from ganlab.features.pyramid import pyramid_features
from ganlab.recipe import Recipe, Source
from ganlab.synthesis import Cancelled, Renderer
from ganlab.synthesis.renderer import Tick

Point = tuple[float, float, float]


def diversity(
    renderer: Renderer, recipe: Recipe, psis: Sequence[float], count: int = 32, tick: Tick | None = None
) -> list[Point]:
    """(psi, mean distance between pictures, its standard error) for each psi.

    The pictures are those of `count` seeds, with the recipe's class, cutoff and noise; the distance is that of
    `features.pyramid`. The standard error is that of a U-statistic of pairs (Hoeffding 1948): twice the standard error
    of the pictures' own mean distances. `tick` hears of the progress and may end it by returning False.
    """
    points, done = [], 0
    classes = recipe.sources[0].classes
    for psi in psis:
        features = []
        for seed in range(count):
            if tick is not None and not tick(done, len(psis) * count):
                raise Cancelled
            source = Source(seed, classes=classes)
            changed = replace(recipe, sources=(source,), space="w", psi=float(psi), mixes=())
            features.append(pyramid_features(renderer.image(changed)[None].float().cpu())[0])
            done += 1
        points.append((float(psi), *_pairs(torch.stack(features))))
    return points


def _pairs(features: torch.Tensor) -> tuple[float, float]:
    """Mean distance over all pairs, and its standard error."""
    n = len(features)
    distances = torch.cdist(features.double(), features.double()).numpy()
    own = distances.sum(1) / (n - 1)
    return float(own.mean()), float(2 * np.std(own, ddof=1) / math.sqrt(n))
