"""What kinds of faces a generator makes, and how often: histograms of the attributes that a classifier sees."""

import itertools
from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ganlab.config import InvalidInput

Options = Mapping[str, Sequence[str]]  # the names of each attribute's options, in their order
Shares = dict[str, dict[str, float]]  # of each option of each attribute


class Presence(NamedTuple):
    """How many of the options, or combinations of options, that data have a generator makes."""

    present: int
    total: int
    missing: tuple[str, ...]  # "beanie", or "cap, curly, red"


def choices(outputs: Mapping[str, Float[Tensor, "n *options"]], options: Options) -> dict[str, Int[Tensor, "n"]]:
    """The likeliest option of each choice, as its number; numbers are left out."""
    return {name: outputs[name].argmax(1) for name in options}


def histogram(chosen: Mapping[str, Tensor], options: Options, seen: Mapping[str, Tensor] | None = None) -> Shares:
    """The share of each option, among those who show the attribute (`seen`, bool [N] each; None: all do).

    `chosen` are numbers of options, int64 [N] each: of `choices`, or the true ones of the data, which may hold other
    attributes too. Where nobody shows one, its shares are 0.
    """
    found: Shares = {}
    for name, names in options.items():
        numbers = chosen[name] if seen is None else chosen[name][seen[name]]
        counts = torch.bincount(numbers.cpu(), minlength=len(names)).double()
        found[name] = dict(zip(names, (counts / counts.sum().clamp(min=1)).tolist(), strict=True))
    return found


def total_variation(p: Shares, q: Shares) -> dict[str, float]:
    """For each attribute of both half the sum of absolute differences: the share that would have to change; 0 to 1."""
    return {name: sum(abs(share - q[name][key]) for key, share in p[name].items()) / 2 for name in p if name in q}


def combinations(
    chosen: Mapping[str, Int[Tensor, "n"]], options: Options, names: Sequence[str], fewest: int = 1
) -> tuple[str, ...]:
    """The combinations of the options of `names` (one name: its options) that occur `fewest` times or more."""
    number = torch.zeros_like(chosen[names[0]])
    for name in names:
        number = number * len(options[name]) + chosen[name]
    words = [", ".join(row) for row in itertools.product(*(options[name] for name in names))]
    counts = torch.bincount(number.cpu(), minlength=len(words)).tolist()
    return tuple(word for word, count in zip(words, counts, strict=True) if count >= fewest)


def presence(found: Collection[str], expected: Collection[str]) -> Presence:
    """Which of the expected combinations were found; others do not count."""
    missing = tuple(name for name in expected if name not in found)
    return Presence(len(expected) - len(missing), len(expected), missing)


def as_asked(chosen: Int[Tensor, "n"], asked: Int[Tensor, "m"]) -> Float[Tensor, "n"]:
    """1 for each picture that shows the class that was asked for, 0 for others; the mean is the accuracy."""
    if len(chosen) != len(asked) or not len(asked):
        raise InvalidInput("asked", f"holds {len(asked)} classes, for {len(chosen)} pictures")
    return (chosen == asked).double()
