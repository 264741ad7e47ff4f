"""Frozen dataclasses with checked fields, strict JSON both ways, and the one error for a user's bad input."""

import base64
import binascii
import dataclasses
import json
import math
import types
import typing
import zlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

JSON_LIMIT = 256 * 1024  # characters; the longest honest run (a picture as data) is about 8 kB


class InvalidInput(ValueError):
    """Something a user gave cannot be used.

    `field` names what was wrong (`gans.0.lr_d`), `problem` says why and what is allowed; `str()` joins the two
    into a sentence fit to be shown.
    """

    def __init__(self, field: str, problem: str) -> None:
        self.field, self.problem = field, problem
        super().__init__(f"{field}: {problem}")

    def under(self, prefix: str) -> "InvalidInput":
        """The same problem, named from one level further out."""
        return type(self)(f"{prefix}.{self.field}", self.problem)


@dataclass(frozen=True)
class Knob:
    """What is known about one field: its help, bounds and choices, and how a form should show it."""

    help: str
    lo: float | None = None  # smallest allowed value; for a tuple, of each item
    hi: float | None = None  # largest allowed value
    choices: Callable[[], Iterable[str]] | tuple[str, ...] | None = None  # allowed strings
    longest: int = 4096  # characters of a string, items of a tuple
    group: str = ""  # heading in a form
    live: bool = False  # may change while a run trains
    log: bool = False  # a form shows it on a logarithmic scale

    def names(self) -> tuple[str, ...]:
        """The allowed strings, or () where any is allowed."""
        return tuple(self.choices() if callable(self.choices) else self.choices or ())


def knob(default: Any, help: str, **spec: Any) -> Any:
    """A dataclass field with a default (a function is called for it, each time) and a `Knob`."""
    metadata = {"knob": Knob(help, **spec)}
    if callable(default):
        return dataclasses.field(default_factory=default, metadata=metadata)
    return dataclasses.field(default=default, metadata=metadata)


C = TypeVar("C", bound="Config")


@dataclass(frozen=True)
class Config:
    """Base of all settings. Every field is checked when the object is made; a wrong one raises `InvalidInput`."""

    def __post_init__(self) -> None:
        hints = _hints(type(self))
        for field in dataclasses.fields(self):
            value = _checked(getattr(self, field.name), hints[field.name], knob_of(field), field.name)
            object.__setattr__(self, field.name, value)

    @classmethod
    def from_dict(cls: type[C], data: Any) -> C:
        """The settings that `data` (parsed JSON) describes; unknown keys and wrong values raise `InvalidInput`."""
        try:
            return typing.cast(C, _build(cls, data, cls.__name__))
        except RecursionError:
            raise InvalidInput(cls.__name__, "is nested far too deeply") from None

    @classmethod
    def from_json(cls: type[C], text: str) -> C:
        """`from_dict` of a JSON text of at most `JSON_LIMIT` characters."""
        if len(text) > JSON_LIMIT:
            raise InvalidInput(cls.__name__, f"is {len(text):,} characters long; at most {JSON_LIMIT:,} are read")
        try:
            data = json.loads(text, parse_constant=_no_constant)
        except (ValueError, RecursionError) as error:
            raise InvalidInput(cls.__name__, "is not valid JSON") from error
        return cls.from_dict(data)

    def to_dict(self, *, full: bool = False) -> dict[str, Any]:
        """Plain JSON types; fields at their default are left out unless `full`."""
        out = {}
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            default = field.default if field.default_factory is dataclasses.MISSING else field.default_factory()
            if full or value != default or isinstance(value, bool) != isinstance(default, bool):  # False == 0.0
                out[field.name] = _plain(value, full)
        return out

    def to_json(self) -> str:
        """The shortest JSON that gives this object back."""
        return json.dumps(self.to_dict(), separators=(",", ":"))


def knob_of(field: "dataclasses.Field[Any]") -> Knob:
    """The `Knob` of a dataclass field; an empty one where it has none."""
    return field.metadata.get("knob", Knob(""))


def to_link(config: Config) -> str:
    """The settings as text for a URL: url-safe base64 of their compressed JSON."""
    return base64.urlsafe_b64encode(zlib.compress(config.to_json().encode(), 9)).decode().rstrip("=")


def from_link(cls: type[C], text: str) -> C:
    """The settings in a link; a broken, hostile or oversized one raises `InvalidInput`."""
    if len(text) > JSON_LIMIT:
        raise InvalidInput("link", "is too long to be one of ours")
    try:
        packed = base64.urlsafe_b64decode(text.strip() + "=" * (-len(text.strip()) % 4))
        unpack = zlib.decompressobj()
        raw = unpack.decompress(packed, JSON_LIMIT + 1)  # bounded: a small link can unpack to gigabytes
        if not unpack.eof and len(raw) <= JSON_LIMIT:
            raise ValueError("cut off")
        return cls.from_json(raw.decode())
    except (binascii.Error, zlib.error, UnicodeDecodeError, ValueError) as error:
        if isinstance(error, InvalidInput):
            raise
        raise InvalidInput("link", "is damaged or cut off; copy the whole of it again") from None


def replaced(config: C, path: str, value: Any) -> C:
    """`config` with the field at a dotted `path` (`gans.0.penalties.1.weight`) set to a JSON `value`."""
    data = config.to_dict(full=True)
    at: Any = data
    *parents, last = path.split(".")
    try:
        for name in parents:
            at = at[int(name)] if isinstance(at, list) else at[name]
        key: Any = int(last) if isinstance(at, list) else last
        at[key]  # must exist: a new key is a misspelt one
        at[key] = value
    except (KeyError, IndexError, ValueError, TypeError):
        raise InvalidInput(path[:80], "there is no such setting") from None
    return type(config).from_dict(data)


def _hints(cls: type[Config]) -> dict[str, Any]:
    """The types of a class's fields; finding them takes longer than checking their values."""
    if cls not in _known_hints:
        _known_hints[cls] = typing.get_type_hints(cls)
    return _known_hints[cls]


_known_hints: dict[type[Config], dict[str, Any]] = {}


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is not JSON")


def _plain(value: Any, full: bool) -> Any:
    if isinstance(value, Config):
        return value.to_dict(full=full)
    if isinstance(value, tuple):
        return [_plain(item, full) for item in value]
    return value


def _build(hint: Any, data: Any, name: str) -> Any:
    """`data` (parsed JSON) as a value of type `hint`, one level of checking left to the dataclass itself."""
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        if data is None:
            return None
        return _build(next(a for a in typing.get_args(hint) if a is not type(None)), data, name)
    if isinstance(hint, type) and issubclass(hint, Config):
        if not isinstance(data, Mapping):
            raise InvalidInput(name, "must be an object with named settings")
        hints = _hints(hint)
        fields = {field.name: field for field in dataclasses.fields(hint)}
        for key, value in data.items():
            if key not in fields:
                raise InvalidInput(_short(key), f"is not a known setting; known are {', '.join(sorted(fields))}")
            if isinstance(value, list):
                _check_length(value, knob_of(fields[key]), key)  # before any of a hostile list is built
        return hint(**{key: _within(key, _build, hints[key], value, key) for key, value in data.items()})
    if typing.get_origin(hint) is tuple and isinstance(data, list):
        inner = typing.get_args(hint)[0]
        return tuple(_within(str(i), _build, inner, item, str(i)) for i, item in enumerate(data))
    return data


def _within(prefix: str, build: Callable[..., Any], hint: Any, data: Any, name: str) -> Any:
    try:
        return build(hint, data, name)
    except InvalidInput as error:
        raise (error if error.field == name else error.under(prefix)) from None


def _checked(value: Any, hint: Any, knob: Knob, name: str) -> Any:
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        if value is None:
            return None
        return _checked(value, next(a for a in args if a is not type(None)), knob, name)
    if origin is tuple:
        return _checked_tuple(value, args[0], knob, name)
    if hint is bool:
        return _typed(value, bool, "true or false", name)
    if hint in (int, float):
        return _number(value, hint, knob, name)
    if hint is str:
        return _string(value, knob, name)
    if isinstance(hint, type) and issubclass(hint, Config):
        return _typed(value, hint, f"a {hint.__name__}", name)
    return value


def _checked_tuple(value: Any, inner: Any, knob: Knob, name: str) -> tuple[Any, ...]:
    if not isinstance(value, list | tuple):
        raise InvalidInput(name, "must be a list")
    _check_length(value, knob, name)
    return tuple(_checked(item, inner, knob, f"{name}.{i}") for i, item in enumerate(value))


def _check_length(value: list[Any] | tuple[Any, ...], knob: Knob, name: str) -> None:
    if len(value) > knob.longest:
        raise InvalidInput(name, f"has {len(value):,} items; at most {knob.longest:,} are allowed")


def _typed(value: Any, kind: type, words: str, name: str) -> Any:
    if not isinstance(value, kind):
        raise InvalidInput(name, f"must be {words}, not {_short(value)}")
    return value


def _number(value: Any, kind: type, knob: Knob, name: str) -> int | float:
    allowed = _range(knob, "a whole number" if kind is int else "a number")
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InvalidInput(name, f"must be {allowed}, not {_short(value)}")
    too_long = isinstance(value, int) and value.bit_length() > 64
    if too_long or not math.isfinite(value) or (kind is int and value != int(value)):
        raise InvalidInput(name, f"must be {allowed}, not {'a huge number' if too_long else _short(value)}")
    if (knob.lo is not None and value < knob.lo) or (knob.hi is not None and value > knob.hi):
        raise InvalidInput(name, f"{value:g} is out of range; it must be {allowed}")
    return kind(value)


def _range(knob: Knob, words: str) -> str:
    if knob.lo is not None and knob.hi is not None:
        return f"{words} from {knob.lo:g} to {knob.hi:g}"
    if knob.lo is not None:
        return f"{words} of at least {knob.lo:g}"
    return words if knob.hi is None else f"{words} of at most {knob.hi:g}"


def _string(value: Any, knob: Knob, name: str) -> str:
    _typed(value, str, "a text", name)
    if len(value) > knob.longest:
        raise InvalidInput(name, f"is {len(value):,} characters long; at most {knob.longest:,} are allowed")
    if knob.choices is not None and value not in knob.names():
        raise InvalidInput(name, f"{_short(value)} is not one of {', '.join(knob.names())}")
    return typing.cast(str, value)


def _short(value: Any) -> str:
    """A few characters of what was given: never the whole of a hostile text."""
    text = json.dumps(value) if isinstance(value, str | int | float | bool | None) else type(value).__name__
    return text if len(text) <= 40 else text[:37] + "..."
