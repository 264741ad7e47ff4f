"""torch's old stream: magic number, protocol, system, the value, keys of its storages, then their bytes.

What `torch.save` wrote before version 1.6 (old `.pt` files), and what `torch.storage._load_from_bytes` is given in
NVIDIA's pickles, one storage a stream. Layout: `_legacy_save` of `torch/serialization.py`.
"""

from functools import partial
from typing import Any

from ganlab.pickles.fill import whole
from ganlab.pickles.machine import Machine
from ganlab.pickles.records import Budget, Global, Span, Storage, Table
from ganlab.pickles.source import Source

MAGIC = 0x1950A86A20F9469CFC6C
START = b"\x80\x02\x8a\x0a" + MAGIC.to_bytes(10, "little")  # PROTO 2, LONG1 of 10 bytes
PROTOCOL = 1001
LONGEST = 1 << 40  # elements of a storage: what may be said before it is compared with the bytes that are there


def read_stream(source: Source, span: Span, table: Table, budget: Budget) -> Any:
    """The value of a stream; its storages have their bytes in the file."""
    machine = Machine(source, span, budget)
    magic, protocol, system = (machine.run({}) for _ in range(3))
    fine = type(magic) is int and magic == MAGIC and type(protocol) is int and protocol == PROTOCOL
    machine.check(fine, "is no torch stream")
    machine.check(type(system) is dict and system.get("little_endian") is True, "was written on a big-endian machine")
    storages: dict[str, Storage] = {}
    value = machine.run(table, partial(_storage, machine, storages))
    keys = machine.run({})
    fine = type(keys) is list and len(keys) == len(storages) and all(type(key) is str for key in keys)
    machine.check(fine and set(keys) == set(storages), "lists other storages than it uses")
    for key in keys:
        storage = storages[key]
        if machine.whole(8, signed=True) != storage.numel:
            machine.refuse("gives a storage another length than its record")
        storage.span = machine.span(storage.numel * storage.dtype.itemsize)
    machine.check(machine.position == machine.end, "goes on after its end")
    return value


def _storage(machine: Machine, storages: dict[str, Storage], identity: Any) -> Storage:
    dtype, key, numel = storage_identity(machine, identity)
    storage = storages.setdefault(key, Storage(dtype, numel))
    machine.check(storage.dtype is dtype and storage.numel == numel, "describes one storage in two ways")
    return storage


def storage_identity(machine: Machine, identity: Any) -> tuple[Any, str, int]:
    """dtype, key and length of the storage that a persistent id describes."""
    fine = type(identity) is tuple and len(identity) in (5, 6) and all(type(identity[i]) is str for i in (0, 2, 3))
    fine = fine and identity[0] == "storage" and type(identity[1]) is Global and identity[1].known.dtype is not None
    machine.check(fine and identity[5:] in ((), (None,)), "has a persistent id that is no storage")
    return identity[1].known.dtype, identity[2], whole(machine, identity[4], LONGEST, "the length of a storage")
