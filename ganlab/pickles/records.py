"""What a checkpoint is made of once it has been read: inert values that can do nothing, and what reading may cost."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NoReturn

import torch

from ganlab.config import InvalidInput

SOURCE = "take it from its original source"
AGAIN = "download it again"


class BadCheckpoint(InvalidInput):
    """A file that is refused, or that is no checkpoint. Nothing in it was run. `field` is the file's name."""


def refuse(problem: str, advice: str = SOURCE) -> NoReturn:
    """Raises `BadCheckpoint`: what is wrong, and what to do about it."""
    raise BadCheckpoint("checkpoint", f"{problem}; {advice}")


def clip(value: Any, longest: int = 60) -> str:
    """A few ASCII characters about a value of the file: its text or number, or only its type. Never its `repr`."""
    if isinstance(value, str):
        return ascii(value[:longest])
    if value is None or isinstance(value, bool | float):
        return str(value)
    if isinstance(value, int):
        return str(value) if value.bit_length() <= 64 else "a huge number"
    if isinstance(value, tuple) and value and all(isinstance(item, int) for item in value):
        return f"({', '.join(clip(item) for item in value[:8])})"
    return KINDS.get(type(value), f"a {type(value).__name__}")


@dataclass(frozen=True)
class Limits:
    """What one file may cost. The largest honest ones known: 92,000 operations (StyleGAN-XL), 60 kB of source text."""

    file_bytes: int = (4 << 30) - 1
    operations: int = 250_000
    stack: int = 100_000
    memo: int = 100_000
    text_bytes: int = 8 << 20  # all strings together
    integer_bytes: int = 16  # the magic number of torch's streams has 10
    tensors: int = 20_000
    axes: int = 6
    side: int = 1 << 24  # elements along one axis
    tensor_bytes: int = 1 << 30
    depth: int = 48  # of arguments
    nodes: int = 10_000  # of the arguments of one network
    module_depth: int = 32
    unknown: int = 1000  # different names


@dataclass
class Budget:
    """What is left to spend on a file; shared by all streams within it."""

    limits: Limits = field(default_factory=Limits)
    operations: int = 0
    text: int = 0
    tensors: int = 0
    unknown: Counter[str] = field(default_factory=Counter)  # names that were not known, and how often they came

    def __post_init__(self) -> None:
        self.operations, self.text, self.tensors = (
            self.limits.operations,
            self.limits.text_bytes,
            self.limits.tensors,
        )

    def take_text(self, size: int) -> None:
        """Pays for a string."""
        self.text -= size
        if self.text < 0:
            refuse(f"holds more than {self.limits.text_bytes >> 20} MB of text")

    def take_tensor(self, size: int) -> None:
        """Pays for the record of one tensor of `size` bytes."""
        self.tensors -= 1
        if self.tensors < 0:
            refuse(f"holds more than {self.limits.tensors:,} tensors")
        if size > self.limits.tensor_bytes:
            refuse(f"holds a tensor of {size >> 20:,} MB; at most {self.limits.tensor_bytes >> 20:,} MB are read")


@dataclass(frozen=True, slots=True)
class Span:
    """Bytes that stay in the file: where they begin, and how many they are."""

    start: int
    length: int


@dataclass(frozen=True, slots=True, eq=False)
class Known:
    """What stands for a global that checkpoints need: a function of ours, never the thing that the file names.

    `call(machine, arguments)` answers REDUCE, `new()` answers NEWOBJ, `dtype` is a storage class's type.
    """

    call: Callable[[Any, tuple[Any, ...]], Any] | None = None
    new: Callable[[str], Any] | None = None
    dtype: torch.dtype | None = None


Table = dict[tuple[str, str], Known]


class Record:
    """A value that can only be looked at. Compared and hashed by identity, so that no value of a file is walked."""

    __slots__ = ()


class Global(Record):
    """A name that was found in the table."""

    __slots__ = ("known", "label")

    def __init__(self, label: str, known: Known) -> None:
        self.label, self.known = label, known


class Unknown(Record):
    """Stands for whatever came of a name that is not in the table: nothing was imported, called or filled."""

    __slots__ = ("label",)

    def __init__(self, label: str) -> None:
        self.label = label


class Members(dict[Any, None]):
    """A set of the file; a dict, since an empty set is four times larger."""

    __slots__ = ()


class Storage(Record):
    """`numel` numbers of one type, in the file."""

    __slots__ = ("dtype", "numel", "span")

    def __init__(self, dtype: torch.dtype, numel: int, span: Span | None = None) -> None:
        self.dtype, self.numel, self.span = dtype, numel, span


class TensorRecord(Record):
    """A dense view of a storage, checked against it; offset and strides count elements."""

    __slots__ = ("offset", "shape", "storage", "strides")

    def __init__(self, storage: Storage, offset: int, shape: tuple[int, ...], strides: tuple[int, ...]) -> None:
        self.storage, self.offset, self.shape, self.strides = storage, offset, shape, strides


class NumpyType(Record):
    """A little-endian numpy dtype such as `f4`."""

    __slots__ = ("built", "code")

    def __init__(self, code: str) -> None:
        self.code, self.built = code, False


class NumpyArray(Record):
    """A numpy array; `blob` is None until BUILD has filled it."""

    __slots__ = ("blob", "code", "order", "shape")

    def __init__(self) -> None:
        self.shape: tuple[int, ...] = ()
        self.code, self.order = "", "C"
        self.blob: Span | bytes | None = None


class ModuleRecord(Record):
    """A module of a network: the name of its class and its attributes."""

    __slots__ = ("class_name", "state")

    def __init__(self, class_name: str, state: dict[str, Any] | None = None) -> None:
        self.class_name, self.state = class_name, state


class TfRecord(Record):
    """A `Network` of TensorFlow days: name of its function, arguments, variables."""

    __slots__ = ("state",)

    def __init__(self, label: str = "") -> None:
        self.state: dict[str, Any] | None = None


@dataclass(frozen=True)
class Network:
    """One network of a checkpoint, as data."""

    class_name: str
    args: list[Any]  # of its constructor: JSON types only
    kwargs: dict[str, Any]
    tensors: dict[str, torch.Tensor]  # own copies, by the names that the file gives them


@dataclass(frozen=True)
class Found:
    """What a file holds.

    kind: nvidia, tf, rosinality, lucidrains, torch or safetensors. `skipped` and `warnings` are sentences: what was
    left out, and what is odd about what was read. `metadata` is a safetensors header's.
    """

    kind: str
    networks: dict[str, Network]
    skipped: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    metadata: dict[str, str] = field(default_factory=dict)


KINDS: dict[type, str] = {
    Span: "bytes",
    Global: "a function",
    Unknown: "an unknown object",
    Members: "a set",
    Storage: "a storage",
    TensorRecord: "a tensor",
    NumpyType: "a numpy type",
    NumpyArray: "a numpy array",
    ModuleRecord: "a module",
    TfRecord: "a TensorFlow network",
}
