"""HYPE: how often people take generated pictures for real ones (Zhou et al. 2019, "HYPE: A Benchmark for Human eYe
Perceptual Evaluation of Generative Models").

With as long as they like to look (HYPE-infinity): the rate of wrong answers. With pictures that flash up (HYPE-time):
how long somebody must see them to be right about three times in four.
"""

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import torch

from ganlab.config import InvalidInput
from ganlab.metrics.bootstrap import Interval

DRAWS = 1000  # of people with replacement
TAIL = 0.025  # of repetitions on either side of an interval
FIRST, SHORTEST, LONGEST = 500, 100, 1000  # milliseconds that a picture is shown (sec. 3.1)
SHORTER, LONGER = 10, 30  # after a right and after a wrong answer: settles at three right in four (Kaernbach 1991)


class Answer(NamedTuple):
    """What somebody said of one picture."""

    real: bool  # it was
    said_real: bool


class Hype(NamedTuple):
    """Rates of wrong answers, from 0 to 1: the mean of both kinds, 0.5 where nobody can tell them apart, above it where
    generated pictures look more real than real ones; and of each kind."""

    score: Interval
    fakes: Interval  # generated pictures taken for real ones
    reals: Interval  # real pictures taken for generated ones


def hype_infinity(people: Sequence[Sequence[Answer]], seed: int = 0) -> Hype:
    """The rates over all answers; intervals by drawing people, not answers, anew (sec. 3.2).

    `people`: the answers of each. Raises `InvalidInput` where somebody saw no generated or no real picture.
    """
    counts = torch.tensor([_counts(answers) for answers in people], dtype=torch.float64)  # [people, 4]
    if not len(counts) or not bool((counts[:, 1::2] > 0).all()):
        raise InvalidInput("people", "must be one or more, each with answers about generated and about real pictures")
    rng = torch.Generator().manual_seed(seed)
    drawn = counts[torch.randint(len(counts), (DRAWS, len(counts)), generator=rng)].sum(1)  # [draws, 4]
    found, repeated = _rates(counts.sum(0)[None])[0], _rates(drawn)
    ends = torch.quantile(repeated, torch.tensor([TAIL, 1 - TAIL], dtype=torch.float64), dim=0)  # [2, 3]
    return Hype(*(Interval(float(found[k]), float(ends[0, k]), float(ends[1, k])) for k in range(3)))


def next_exposure(now: int, right: bool) -> int:
    """Milliseconds that the next picture is shown for, after an answer about one that was shown for `now`."""
    return min(max(now - SHORTER if right else now + LONGER, SHORTEST), LONGEST)


def hype_time(people: Sequence[Sequence[bool]]) -> float:
    """The mean over people of the exposure, in milliseconds, at which each was most often (sec. 3.1).

    `people`: whether each answer was right, in their order, from `FIRST` on. Longer is better for the generator.
    """
    if not people or not all(people):
        raise InvalidInput("people", "must be one or more, each with answers")
    modes = []
    for answers in people:
        shown, now = Counter[int](), FIRST
        for right in answers:
            shown[now] += 1
            now = next_exposure(now, right)
        most = max(shown.values())
        modes.append(min(time for time, count in shown.items() if count == most))
    return sum(modes) / len(modes)


def _counts(answers: Sequence[Answer]) -> tuple[int, int, int, int]:
    """Wrong and all, of generated pictures and of real ones."""
    fakes, reals = ([a for a in answers if a.real is real] for real in (False, True))
    return sum(a.said_real for a in fakes), len(fakes), sum(not a.said_real for a in reals), len(reals)


def _rates(counts: torch.Tensor) -> torch.Tensor:
    """[n, 4] to score, fakes, reals [n, 3]."""
    fakes, reals = counts[:, 0] / counts[:, 1], counts[:, 2] / counts[:, 3]
    return torch.stack([(fakes + reals) / 2, fakes, reals], 1)
