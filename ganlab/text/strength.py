"""How strong an edit is to be: as strong as suits the picture.

One strength for all texts and pictures is too weak for some and too strong for others: red hair turns pink, a mustache
becomes a beard. A CLIP sees that, so some strengths are tried and the one is taken that comes nearest to the text while
the picture, as the CLIP sees it, changes little else. So are directions: of channels learnt in several ways, and of
fewer of them, for which of these serves best depends on the text.

A CLIP is mistaken about one picture more easily than about several: the best few are tried on others, too.
"""

from jaxtyping import Float
from torch import Tensor

from ganlab.metrics.editing import along_and_beside

STRENGTHS = (1.0, 2.0, 3.0, 5.0, 8.0)  # of a direction of channels: standard deviations of the first channel
# Measured on 80 other faces, with 11 finer sentences beside those of `benchmarks/editing.py`: 0.15 flips 6.6 % of the
# other attributes, 0.2 5.9 % with 1 % less success, 0.3 4.8 % with 4 % less. By its square, since a large change beside
# is worse than two small ones: in proportion, 2 % less success and more flipped.
BESIDE = 0.2
# The best on one picture flips 5.5 % there, settled with others 4.9 % with as much success; and of those others 82 %
# show what was asked for, not 77 %.
FINALISTS, OTHERS = 5, 3
FEWER = 2.5  # times beta, for the second direction of channels learnt together


def settled(own: Float[Tensor, " n"], others: Float[Tensor, "m n"]) -> int:
    """The best of some edits, by what they are worth on a picture and, counting as much, on others on average."""
    return int((own + others.mean(0)).argmax())


def worth(
    before: Float[Tensor, "m d"], after: Float[Tensor, "n d"], change: Float[Tensor, " d"], beside: float = BESIDE
) -> Float[Tensor, " n"]:
    """How far edits have come towards a text, less a part of how far they have led elsewhere; m is n or 1.

    `before` and `after` are unit vectors of pictures, `change` one of texts.
    """
    along, aside = along_and_beside(before.expand(len(after), -1), after, change)
    return along - beside * aside.square()


def betas(how: str, beta: float) -> tuple[float, ...]:
    """Thresholds of relevance that are tried for channels learnt in one way; the later ones may leave no channel."""
    return (beta, FEWER * beta) if how == "together" and beta > 0 else (beta,)
