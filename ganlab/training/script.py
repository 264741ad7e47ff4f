"""A run as the Python that makes it: what "show me the Python" prints."""

import dataclasses
from typing import Any

from ganlab.config import Config
from ganlab.run import Run


def as_python(run: Run, steps: int) -> str:
    """A script that trains `run` for `steps` steps and prints each snapshot; running it needs only ganlab."""
    names = sorted({type(value).__name__ for value in _configs(run)} - {"DataConfig"})
    return (
        "from ganlab.data.toy2d import DataConfig\n"
        f"from ganlab.run import {', '.join(names)}\n"
        "from ganlab.training.loop import train\n\n"
        f"run = {_spelled(run, 0)}\n\n"
        f"for snapshot in train(run, steps={max(steps, 100)}):\n"
        "    for config, gan in zip(run.gans, snapshot.gans):\n"
        '        print(snapshot.step, config.name, "modes", gan.covered, "JS", round(gan.js, 3))\n'
    )


def _configs(value: Any) -> list[Config]:
    if isinstance(value, tuple):
        return [config for item in value for config in _configs(item)]
    if not isinstance(value, Config):
        return []
    inner = [config for field in dataclasses.fields(value) for config in _configs(getattr(value, field.name))]
    return [value, *inner]


def _spelled(value: Any, depth: int) -> str:
    """The expression that makes `value`, fields at their default left out, one a line where it is long."""
    if isinstance(value, tuple):
        return _call("", [_spelled(item, depth + 1) for item in value], depth, "()", comma=len(value) == 1)
    if not isinstance(value, Config):
        return repr(value)
    given = [
        f"{field.name}={_spelled(getattr(value, field.name), depth + 1)}"
        for field in dataclasses.fields(value)
        if getattr(value, field.name) != field.default or field.name in ("gans", "data")
    ]
    return _call(type(value).__name__, given, depth, "()")


def _call(name: str, parts: list[str], depth: int, around: str, comma: bool = False) -> str:
    line = f"{name}{around[0]}{', '.join(parts)}{',' if comma else ''}{around[1]}"
    if len(line) + 4 * depth <= 110 and "\n" not in line:
        return line
    pad = "    " * (depth + 1)
    body = "".join(f"{pad}{part},\n" for part in parts)
    return f"{name}{around[0]}\n{body}{pad[4:]}{around[1]}"
