"""From records to tensors and plain arguments: the only place where a file's numbers come into memory."""

import math
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ganlab.pickles.records import (
    AGAIN,
    Global,
    Limits,
    Members,
    NumpyArray,
    TensorRecord,
    Unknown,
    clip,
    refuse,
)
from ganlab.pickles.source import Source

SHARED = 1 << 20  # bytes that tensors may have in common: tied weights, constants
LONGEST_LIST = 64  # elements of a numpy array among arguments


class Copier:
    """Copies tensors out of a file one by one, all together hardly more than the file has bytes."""

    def __init__(self, source: Source, limits: Limits) -> None:
        self.source, self.limits = source, limits
        self.left = source.size + SHARED
        self.not_finite: list[str] = []

    def tensor(self, name: str, record: Any) -> torch.Tensor:
        """The tensor of a `TensorRecord` or `NumpyArray`, own memory, contiguous."""
        if type(record) is NumpyArray:
            out = torch.from_numpy(self.array(record))
        elif type(record) is TensorRecord:
            out = self._torch(name, record)
        else:
            unknown = f", as {record.label} is not known" if type(record) is Unknown else ""
            refuse(f"has {clip(name)}, which is not a tensor{unknown}")
        if out.is_floating_point() and out.numel() and not _finite(out):
            self.not_finite.append(name)
        return out

    def number(self, value: bool | int | float) -> torch.Tensor:
        """A tensor of one number, shape []."""
        return torch.tensor(float(value))

    def array(self, record: NumpyArray) -> NDArray[Any]:
        """The numpy array of a record, contiguous."""
        if record.blob is None:
            refuse("has a numpy array without numbers")
        kind = np.dtype("<" + record.code)
        size = math.prod(record.shape) * kind.itemsize
        self._pay(size)
        raw = self.source.array(record.blob, 0, size)
        if record.code == "b1" and raw.size and raw.max() > 1:
            refuse("has truth values that are neither 0 nor 1")
        shaped = raw.view(kind).reshape(record.shape, order="F" if record.order == "F" else "C")
        return np.array(shaped, order="C")

    def warnings(self) -> tuple[str, ...]:
        """A sentence about weights that are not finite."""
        if not self.not_finite:
            return ()
        names = ", ".join(map(clip, self.not_finite[:3])) + (" and more" if len(self.not_finite) > 3 else "")
        return (f"{len(self.not_finite)} of the tensors hold NaN or infinity ({names}): expect broken images",)

    def _pay(self, size: int) -> None:
        self.left -= size
        if self.left < 0:
            refuse("has tensors that share their storage and would take more memory than the file is large")

    def _torch(self, name: str, record: TensorRecord) -> torch.Tensor:
        storage, count = record.storage, math.prod(record.shape)
        self._pay(count * storage.dtype.itemsize)
        flat = torch.empty(count, dtype=storage.dtype)
        if not count:
            return flat.reshape(record.shape)
        if storage.span is None:
            refuse(f"has no bytes for {clip(name)}", AGAIN)
        raw = flat.view(torch.uint8).numpy()
        self.source.into(storage.span, record.offset * storage.dtype.itemsize, raw)
        if storage.dtype is torch.bool and raw.max() > 1:
            refuse(f"has truth values in {clip(name)} that are neither 0 nor 1")
        return torch.as_strided(flat, record.shape, record.strides).contiguous()


def _finite(x: torch.Tensor) -> bool:
    low, high = torch.aminmax(x)  # carries NaN on; no copy of the size of x, as isfinite needs
    return math.isfinite(low) and math.isfinite(high)


def plain(value: Any, copier: Copier, what: str) -> Any:
    """Arguments as JSON types; counted, so that shared parts cannot grow and circles end."""
    return _plain(value, copier, what, 0, [copier.limits.nodes])


def _plain(value: Any, copier: Copier, what: str, depth: int, left: list[int]) -> Any:
    left[0] -= 1
    if left[0] < 0:
        refuse(f"has {what} of more than {copier.limits.nodes:,} parts")
    if depth > copier.limits.depth:
        refuse(f"has {what} nested more than {copier.limits.depth} deep")
    kind = type(value)
    if value is None or kind in (bool, int, float, str):
        return value
    if kind is dict:
        return {str(key): _plain(item, copier, what, depth + 1, left) for key, item in value.items()}
    if kind in (list, tuple, Members):
        return [_plain(item, copier, what, depth + 1, left) for item in value]
    if kind is Global:
        return value.label
    if kind is NumpyArray and math.prod(value.shape) <= LONGEST_LIST:
        return copier.array(value).tolist()
    problem = f"{clip(value.label)}, which is not known," if kind is Unknown else clip(value)
    refuse(f"has {problem} among {what}")
