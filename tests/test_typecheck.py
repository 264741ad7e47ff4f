"""The tests' own checker finds all that jaxtyping's decorator finds."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from beartype.roar import BeartypeCallHintViolation
from jaxtyping import Float, Int, TypeCheckError
from torch import Tensor

from ganlab.losses import LOSSES
from ganlab.nn.resample import upfirdn2d
from tests.typecheck import _jaxtyped, check, jaxtyped

Check = Callable[[Any], Any]
WRONG = (BeartypeCallHintViolation, TypeCheckError)


def product(a: Float[Tensor, "n m"], b: Float[Tensor, "m k"], turned: bool = False) -> Float[Tensor, "n k"]:
    return (a @ b).T if turned else a @ b


def named(rows: list[Int[Tensor, "n"]], *more: int, name: str | None = None) -> dict[str, int]:
    return {name: len(rows)} if name else {"": "none"}  # type: ignore[dict-item]


def halves(x: Float[Tensor, "n"], parts: int) -> Iterator[Tensor]:
    yield from x.chunk(parts)


def later(x: "NotThereYet") -> int:  # type: ignore[name-defined]
    return len(x)


@dataclass
class Pair:
    a: Float[Tensor, "n"]
    b: Float[Tensor, "n"]
    scale: float = 1.0


A, B, ROW = torch.ones(2, 3), torch.ones(3, 4), torch.ones(3, dtype=torch.int64)
CALLS: dict[str, tuple[Any, tuple[Any, ...], dict[str, Any], bool]] = {
    "all is well": (product, (A, B), {}, True),
    "an axis of two sizes": (product, (A, B.T), {}, False),
    "what comes back has other sizes": (product, (A, B), {"turned": True}, False),
    "integers": (product, (A, B.long()), {}, False),
    "an axis too many": (product, (A[None], B), {}, False),
    "by name": (product, (), {"a": A, "b": B.T}, False),
    "a number for a truth": (product, (A, B, 2), {}, False),
    "a list of rows": (named, ([ROW],), {"name": "x"}, True),
    "a list of others": (named, ([ROW.float()],), {"name": "x"}, False),
    "one of many": (named, ([ROW], 1, "2"), {"name": "x"}, False),
    "a wrong value comes back": (named, ([ROW],), {}, False),
    "an iterator": (halves, (A[0], 2), {}, True),
    "no number of parts": (halves, (A[0], "2"), {}, False),
    "a name not there yet": (later, ([1],), {}, True),
    "fields": (Pair, (A[0], A[1], 2), {}, True),
    "fields of two sizes": (Pair, (A[0], B[0]), {}, False),
    "a field of another type": (Pair, (A[0], A[1], "2"), {}, False),
}


@pytest.fixture(scope="module", params=[jaxtyped, _jaxtyped], ids=["ours", "theirs"])
def decorated(request: pytest.FixtureRequest) -> Callable[[Any], Any]:
    def decorate(made: Any) -> Any:
        made = type(made.__name__, (), dict(vars(made))) if isinstance(made, type) else made
        return request.param(typechecker=check)(made)

    return decorate


@pytest.mark.parametrize("case", CALLS)
def test_it_finds_what_jaxtyping_finds(decorated: Check, case: str) -> None:
    made, args, kwargs, well = CALLS[case]
    if well:
        decorated(made)(*args, **kwargs)
        return
    with pytest.raises(WRONG):
        decorated(made)(*args, **kwargs)


def test_sizes_are_of_one_call() -> None:
    """A call inside another has its own axes, and what it raises leaves the outer's as they were."""
    inner = jaxtyped(typechecker=check)(product)

    def outer(n: Float[Tensor, "n m"]) -> Float[Tensor, "n m"]:
        inner(torch.ones(5, 6), torch.ones(6, 7))
        with pytest.raises(WRONG):
            inner(torch.ones(5, 6), torch.ones(5, 7))
        return n

    assert jaxtyped(typechecker=check)(outer)(A) is A


def test_ganlab_is_checked() -> None:
    with pytest.raises(WRONG):
        LOSSES["hinge"].d([1.0], torch.zeros(4, 1))
    with pytest.raises(WRONG):
        upfirdn2d(torch.zeros(4, 4), torch.ones(2))
