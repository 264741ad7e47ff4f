"""The Inception score (Salimans et al. 2016): whether each picture is of one class, and all classes come up."""

import math
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from ganlab.config import InvalidInput


class Score(NamedTuple):
    """Mean and standard deviation over splits; from 1 to the number of classes."""

    mean: float
    deviation: float


def inception_score(
    logits: Float[Tensor, "n classes"], splits: int = 1, generator: torch.Generator | None = None
) -> Score:
    """exp E[KL(p(y|x) || p(y))], the mean over `splits` parts of the set, in random order where `generator` is given.

    The classifier that gave the logits belongs to the name: only Inception's give what papers call IS. It cannot see
    (Barratt and Sharma 2018) data learned by heart, and classes that the classifier does not know.
    """
    n = len(logits)
    if not 1 <= splits <= n:
        raise InvalidInput("splits", f"must be from 1 to {n}, the number of pictures")
    x = logits.detach().double()
    if generator is not None:
        x = x[torch.randperm(n, generator=generator).to(x.device)]
    scores = torch.tensor([_score(part) for part in x.tensor_split(splits)], dtype=torch.float64)
    return Score(float(scores.mean()), float(scores.std(correction=0)))


def _score(logits: Tensor) -> float:
    p = logits.log_softmax(1)
    marginal = p.logsumexp(0) - math.log(len(p))
    return math.exp(float((p.exp() * (p - marginal)).sum(1).mean()))
