"""The checker that `conftest.py` lays under every function of ganlab while tests run."""

import functools
import inspect
import sys
import types
import typing
from collections.abc import Callable
from typing import Any

import jaxtyping
from beartype import BeartypeConf, beartype

STRICT = beartype(conf=BeartypeConf(is_pep484_tower=True))  # the tower: an int may stand where a float is asked for
SCOPE = jaxtyping.jaxtyped("context")  # inside it, axes of one name have one size
NOT_PLAIN = inspect.CO_GENERATOR | inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR
_jaxtyped = jaxtyping.jaxtyped


def install() -> None:
    """Check ganlab from its first import on."""
    jaxtyping.jaxtyped = jaxtyped  # type: ignore[assignment]
    jaxtyping.install_import_hook("ganlab", "tests.typecheck.check")
    if sys.version_info < (3, 12):  # later versions keep what a protocol asks for themselves
        typing._get_protocol_attrs = functools.cache(typing._get_protocol_attrs)  # type: ignore[attr-defined]


def check(function: Callable[..., Any]) -> Callable[..., Any]:
    """beartype, except for making a `Config`: that checks itself and raises `InvalidInput`, which tests want to see."""
    checked: Callable[..., Any] = STRICT(function)
    if function.__name__ != "__init__":
        return checked

    def init(self: Any, *args: Any, **kwargs: Any) -> Any:
        from ganlab.config import Config  # ganlab may only be imported once the hook stands

        return (function if isinstance(self, Config) else checked)(self, *args, **kwargs)

    return init


def jaxtyped(*, typechecker: Callable[..., Any]) -> Callable[[Any], Any]:
    """jaxtyping's decorator, which its hook writes above each function and class, only faster.

    Its own binds the arguments anew at each call and checks them twice, to say more when they are wrong: that was
    half the time of the tests. What is no plain function, generators above all, is still left to it.
    """

    def decorate(made: Any) -> Any:
        if inspect.isclass(made):
            if "__dataclass_fields__" in vars(made) and not hasattr(made.__init__, "scoped"):
                made.__init__ = _scoped(made.__init__, typechecker)  # type: ignore[misc]
            return made
        if not isinstance(made, types.FunctionType) or made.__code__.co_flags & NOT_PLAIN:
            return _jaxtyped(made, typechecker=typechecker)
        return _scoped(made, typechecker)

    return decorate


def _scoped(function: Any, typechecker: Callable[..., Any]) -> Any:
    for name, annotation in list(function.__annotations__.items()):
        try:
            typing.get_type_hints(types.SimpleNamespace(__annotations__={name: annotation}), function.__globals__)
        except NameError:  # what is not there yet may be anything, as with jaxtyping
            function.__annotations__[name] = Any
    checked = typechecker(function)

    @functools.wraps(function)
    def scoped(*args: Any, **kwargs: Any) -> Any:
        with SCOPE:
            return checked(*args, **kwargs)

    scoped.scoped = True  # type: ignore[attr-defined]
    return scoped
