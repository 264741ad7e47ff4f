"""The checker that `conftest.py` lays under every function of ganlab while tests run."""

from collections.abc import Callable
from typing import Any

from beartype import BeartypeConf, beartype

STRICT = beartype(conf=BeartypeConf(is_pep484_tower=True))  # the tower: an int may stand where a float is asked for


def check(function: Callable[..., Any]) -> Callable[..., Any]:
    """beartype, except for making a `Config`: that checks itself and raises `InvalidInput`, which tests want to see."""
    checked: Callable[..., Any] = STRICT(function)
    if function.__name__ != "__init__":
        return checked

    def init(self: Any, *args: Any, **kwargs: Any) -> Any:
        from ganlab.config import Config  # ganlab may only be imported once the hook stands

        return (function if isinstance(self, Config) else checked)(self, *args, **kwargs)

    return init
