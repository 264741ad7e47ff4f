"""safetensors files: a JSON header that is checked before a number is read.

Layout: 8 bytes little-endian length of the header, the header, then the tensors; the header maps names to dtype, shape
and [begin, end) within the rest, and `__metadata__` to a dict of strings (huggingface/safetensors, README).
"""

import json
import math
from typing import Any

import torch

from ganlab.pickles.copying import Copier
from ganlab.pickles.records import (
    AGAIN,
    BadCheckpoint,
    Budget,
    Found,
    Network,
    Span,
    Storage,
    TensorRecord,
    clip,
    refuse,
)
from ganlab.pickles.source import Source

LONGEST_HEADER = 1 << 20  # bytes; safetensors itself allows 100 MB, a network of 1,000 tensors needs 100 kB


def read_safetensors(source: Source, budget: Budget) -> Found:
    """The tensors and the metadata of a safetensors file, as one network G."""
    size = int.from_bytes(source.read(0, 8), "little")
    if size > LONGEST_HEADER:
        refuse(f"has a header of {clip(size)} bytes; at most {LONGEST_HEADER:,} are read")
    if size > source.size - 8:
        refuse("is cut short within its header", AGAIN)
    try:
        header = json.loads(source.read(8, size), object_pairs_hook=_once, parse_constant=_no_constant)
    except BadCheckpoint:
        raise
    except (ValueError, RecursionError):
        refuse("has a header that is not JSON", AGAIN)
    if type(header) is not dict:
        refuse("has a header that is not an object")
    metadata = header.pop("__metadata__", {})
    if type(metadata) is not dict or not all(type(value) is str for value in metadata.values()):
        refuse("has metadata that is not text")
    begin, records = 8 + size, {}
    ends = [0]
    for name, entry in sorted(header.items(), key=lambda item: _begin(item[1])):
        records[name] = _record(source, budget, begin, name, entry, ends)
    if begin + ends[0] != source.size:
        refuse("is cut short or goes on after its tensors", AGAIN)
    copier = Copier(source, budget.limits)
    tensors = {name: copier.tensor(name, records[name]) for name in header}
    return Found("safetensors", {"G": Network("", [], {}, tensors)}, (), copier.warnings(), metadata)


def _record(source: Source, budget: Budget, begin: int, name: str, entry: Any, ends: list[int]) -> TensorRecord:
    """A tensor of the header; `ends` holds where the one before it ends."""
    if entry.keys() != {"dtype", "shape", "data_offsets"} or type(entry["dtype"]) is not str:
        refuse(f"describes {clip(name)} in an odd way")
    dtype, shape = DTYPES.get(entry["dtype"]), entry["shape"]
    if dtype is None:
        refuse(f"has {clip(name)} of the type {clip(entry['dtype'])}, which is not read")
    most = budget.limits.side
    if type(shape) is not list or len(shape) > budget.limits.axes or not all(_is_size(side, most) for side in shape):
        refuse(f"has {clip(name)} of an impossible shape")
    first, last = entry["data_offsets"]
    count = math.prod(shape)
    if first != ends[0]:
        refuse(f"has {clip(name)} overlapping another tensor, or a gap before it")
    if last - first != count * dtype.itemsize or begin + last > source.size:
        refuse(f"has {clip(name)} of another length than its shape says, or beyond the end of the file", AGAIN)
    budget.take_tensor(last - first)
    ends[0] = last
    strides = tuple(math.prod(shape[axis + 1 :]) for axis in range(len(shape)))
    return TensorRecord(Storage(dtype, count, Span(begin + first, last - first)), 0, tuple(shape), strides)


def _begin(entry: Any) -> tuple[int, int]:
    offsets = entry.get("data_offsets") if type(entry) is dict else None
    if type(offsets) is not list or len(offsets) != 2 or not all(_is_size(item, 1 << 62) for item in offsets):
        refuse("describes a tensor without its place")
    return offsets[0], offsets[1]


def _is_size(value: Any, most: int) -> bool:
    return type(value) is int and 0 <= value <= most


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    out = dict(pairs)
    if len(out) != len(pairs):
        refuse("has a header with a name in it twice")
    return out


def _no_constant(name: str) -> Any:
    raise ValueError(name)


DTYPES = {
    "F64": torch.float64,
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "I64": torch.int64,
    "I32": torch.int32,
    "I16": torch.int16,
    "I8": torch.int8,
    "U8": torch.uint8,
    "BOOL": torch.bool,
}
