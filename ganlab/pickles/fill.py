"""What BUILD may do: fill a record that is still empty, once. And the checks that filling and rebuilding share."""

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from ganlab.pickles.records import ModuleRecord, NumpyArray, NumpyType, Span, TfRecord, clip
from ganlab.pickles.source import Blob, length

if TYPE_CHECKING:
    from ganlab.pickles.machine import Machine


def whole(machine: "Machine", value: Any, most: int, what: str) -> int:
    """`value`, if it is an integer in 0..most."""
    if type(value) is not int or not 0 <= value <= most:
        machine.refuse(f"gives {clip(value)} as {what}, where 0 to {most:,} are possible")
    return value


def sizes(machine: "Machine", value: Any, most: int, what: str) -> tuple[int, ...]:
    """`value`, if it is a short tuple of integers in 0..most."""
    if type(value) is not tuple or len(value) > machine.limits.axes:
        machine.refuse(f"gives {clip(value)} as {what}, where at most {machine.limits.axes} numbers are possible")
    return tuple(whole(machine, item, most, what) for item in value)


def fill_array(machine: "Machine", array: NumpyArray, shape: Any, kind: NumpyType, order: str, blob: Blob) -> None:
    """Gives a numpy array its bytes, which must be as many as its shape says."""
    array.shape = sizes(machine, shape, machine.limits.side, "a numpy shape")
    due = math.prod(array.shape) * np.dtype("<" + kind.code).itemsize
    if due != length(blob):
        machine.refuse(f"has a numpy array {clip(array.shape)} of {clip(due)} bytes, and {length(blob):,} bytes for it")
    machine.budget.take_tensor(due)
    array.code, array.order, array.blob = kind.code, order, blob


def _numpy_type(machine: "Machine", kind: NumpyType, state: Any) -> None:
    # (3, byte order, subdtype, names, fields, itemsize, alignment, flags): only plain little-endian numbers
    fine = not kind.built and type(state) is tuple and len(state) == 8 and state[0] == 3
    fine = fine and type(state[1]) is str and state[1] in ("<", "|") and state[2:5] == (None, None, None)
    machine.check(fine and state[5:7] == (-1, -1) and type(state[7]) is int, "describes a numpy type that is not plain")
    kind.built = True


def _numpy_array(machine: "Machine", array: NumpyArray, state: Any) -> None:
    # (1, shape, dtype, whether in Fortran's order, bytes)
    fine = array.blob is None and type(state) is tuple and len(state) == 5 and state[0] == 1
    fine = fine and type(state[2]) is NumpyType and type(state[3]) is bool and type(state[4]) in (Span, bytes)
    machine.check(fine, "fills a numpy array with something else than plain numbers")
    fill_array(machine, array, state[1], state[2], "F" if state[3] else "C", state[4])


def _attributes(machine: "Machine", record: ModuleRecord | TfRecord, state: Any) -> None:
    fine = record.state is None and type(state) is dict and all(type(key) is str for key in state)
    machine.check(fine, "fills a module with something else than one dict of attributes")
    record.state = state


def _state_dict(machine: "Machine", target: dict[Any, Any], state: Any) -> None:
    # torch's state dicts carry the versions of their modules as an attribute; left out
    if type(state) is not dict or state.keys() != {"_metadata"}:
        machine.refuse("sets attributes of a dict other than a state dict's versions")


FILL: dict[type, Callable[["Machine", Any, Any], None]] = {
    NumpyType: _numpy_type,
    NumpyArray: _numpy_array,
    ModuleRecord: _attributes,
    TfRecord: _attributes,
    dict: _state_dict,
}
