"""Settings as the Python expression that makes them: what "show me the Python" is written with."""

import dataclasses
from typing import Any

from ganlab.config import Config

WIDEST = 110  # characters of a line


def spelled(value: Any, always: tuple[str, ...] = (), depth: int = 0) -> str:
    """The expression that makes `value`; fields at their default are left out unless their name is in `always`."""
    if isinstance(value, tuple):
        return _call("", [spelled(item, always, depth + 1) for item in value], depth, comma=len(value) == 1)
    if not isinstance(value, Config):
        return repr(value)
    given = [
        f"{field.name}={spelled(getattr(value, field.name), always, depth + 1)}" for field in _given(value, always)
    ]
    return _call(type(value).__name__, given, depth)


def classes_in(value: Any, always: tuple[str, ...] = ()) -> list[str]:
    """Names of the config classes that `spelled` writes, sorted; each once."""
    return sorted(set(_classes(value, always)))


def _classes(value: Any, always: tuple[str, ...]) -> list[str]:
    if isinstance(value, tuple):
        return [name for item in value for name in _classes(item, always)]
    if not isinstance(value, Config):
        return []
    given = [getattr(value, field.name) for field in _given(value, always)]
    return [type(value).__name__, *(name for item in given for name in _classes(item, always))]


def _given(value: Config, always: tuple[str, ...]) -> list[dataclasses.Field[Any]]:
    """The fields that are written."""
    fields = dataclasses.fields(value)
    return [field for field in fields if field.name in always or getattr(value, field.name) != _default(field)]


def _default(field: "dataclasses.Field[Any]") -> Any:
    return field.default if field.default_factory is dataclasses.MISSING else field.default_factory()


def _call(name: str, parts: list[str], depth: int, comma: bool = False) -> str:
    line = f"{name}({', '.join(parts)}{',' if comma else ''})"
    if len(line) + 4 * depth <= WIDEST and "\n" not in line:
        return line
    pad = "    " * (depth + 1)
    body = "".join(f"{pad}{part},\n" for part in parts)
    return f"{name}(\n{body}{pad[4:]})"
