"""Files of `torch.save`: zip archives (since torch 1.6) and the streams before. Their storages stay in the file.

The zip's directory is read here rather than by `zipfile`, which would build a million entries or inflate what it is
told to. torch stores its members uncompressed. Layout: PKWARE's APPNOTE, sections 4.3.7, 4.3.12 and 4.3.16.
"""

import itertools
import re
import struct
from dataclasses import dataclass
from functools import partial
from typing import Any

from ganlab.pickles.copying import Copier
from ganlab.pickles.legacy import read_stream, storage_identity
from ganlab.pickles.machine import Machine
from ganlab.pickles.nvidia import chosen
from ganlab.pickles.rebuild import TORCH_FILES
from ganlab.pickles.records import AGAIN, Budget, Found, Span, Storage, TensorRecord, Unknown, clip, refuse
from ganlab.pickles.source import Source

TAIL = 22 + 0xFFFF  # the end record and the longest comment after it
END, ENTRY, LOCAL = b"PK\x05\x06", b"PK\x01\x02", b"PK\x03\x04"
FULL = (0xFFFF, 0xFFFFFFFF)  # stands for "see the record of zip64"
DIRECTORY = 8 << 20  # bytes
MEMBERS = 20_100
RESAVE = "load it where it was made and save it again with torch.save"
ROSINALITY = ("g_ema", "g", "d")
LUCIDRAINS = {"G": ("S.", "G."), "G_ema": ("SE.", "GE."), "D": ("D.",)}


@dataclass(frozen=True)
class Member:
    """A file within a zip."""

    name: str
    span: Span


def read_zip(source: Source, budget: Budget, want: tuple[str, ...] | None, first: bool) -> Found:
    """The networks of a zip file of `torch.save`."""
    members = {member.name: member for member in _members(source)}
    roots = [name[: -len("data.pkl")] for name in members if re.fullmatch(r"[^/]{1,200}/data\.pkl", name)]
    if len(roots) != 1:
        refuse("is a zip file, but none of torch.save", "give a checkpoint file; unpack an archive first")
    root = roots[0]
    if any(name.startswith(root + "code/") or name == root + "constants.pkl" for name in members):
        refuse("is a TorchScript program, which would have to be run", "ask for a checkpoint with weights only")
    order = members.get(root + "byteorder")
    if order is not None and source.read(order.span.start, min(order.span.length, 16)) != b"little":
        refuse("was written on a big-endian machine", RESAVE)
    machine = Machine(source, members[root + "data.pkl"].span, budget)
    held = {name.removeprefix(root + "data/"): m.span for name, m in members.items() if name.startswith(root + "data/")}
    top = machine.run(TORCH_FILES, partial(_storage, machine, held, {}))
    machine.check(machine.position == machine.end, "has something after the end of its pickle")
    return _networks(source, budget, top, want, first)


def _storage(machine: Machine, held: dict[str, Span], storages: dict[str, Storage], identity: Any) -> Storage:
    dtype, key, numel = storage_identity(machine, identity)
    if key not in held:
        machine.refuse(f"misses its storage {clip(key)}", AGAIN)
    if held[key].length != numel * dtype.itemsize:
        machine.refuse(f"has a storage {clip(key)} of another length than it says")
    storage = storages.setdefault(key, Storage(dtype, numel, held[key]))
    machine.check(storage.dtype is dtype, f"uses the storage {clip(key)} with two types")
    return storage


def read_old(source: Source, budget: Budget, want: tuple[str, ...] | None, first: bool) -> Found:
    """The networks of a stream that `torch.save` wrote before version 1.6."""
    top = read_stream(source, Span(0, source.size), TORCH_FILES, budget)
    return _networks(source, budget, top, want, first)


def _networks(source: Source, budget: Budget, top: Any, want: tuple[str, ...] | None, first: bool) -> Found:
    if type(top) is Unknown:
        refuse(f"holds an object of {clip(top.label)}, not weights", "save its state_dict() with torch.save")
    if type(top) is not dict:
        refuse(f"holds {clip(top)} and no dict of tensors")
    kind, held = _sorted_out(top)
    return chosen(Copier(source, budget.limits), kind, held, want, first)


def _sorted_out(top: dict[Any, Any]) -> tuple[str, dict[str, Any]]:
    """Kind of a file by its keys, and the tensors of each network."""
    gan = top.get("GAN")
    if type(gan) is dict and any(type(key) is str and key.startswith("S.") for key in gan):
        parts = {name: _with_prefix(gan, prefixes) for name, prefixes in LUCIDRAINS.items()}
        return "lucidrains", {name: part for name, part in parts.items() if part}
    states = {str(key): _tensors(value) for key, value in top.items() if type(key) is str and _tensors(value)}
    if not states and _tensors(top):  # a bare state dict
        states = {"G": _tensors(top)}
    if not any("style.1.weight" in state for state in states.values()):
        return "torch", states
    names = {"g_ema": "G_ema", "g": "G", "d": "D"}
    held = {names.get(key, "G"): state for key, state in states.items() if key in names or len(states) == 1}
    if type(top.get("latent_avg")) is TensorRecord:
        held = {k: v if k == "D" else {**v, "latent_avg": top["latent_avg"]} for k, v in held.items()}
    return "rosinality", held


def _with_prefix(state: dict[Any, Any], prefixes: tuple[str, ...]) -> dict[str, Any]:
    return {key: value for key, value in state.items() if type(key) is str and key.startswith(prefixes)}


def _tensors(value: Any) -> dict[str, Any]:
    """The tensors of a state dict; {} if it is none."""
    if type(value) is not dict:
        return {}
    return {key: item for key, item in value.items() if type(key) is str and type(item) is TensorRecord}


def _members(source: Source) -> list[Member]:
    """The members of a zip file: stored, whole, apart, each name once."""
    start = max(0, source.size - TAIL)
    tail = source.read(start, source.size - start)
    at = tail.rfind(END)
    if at < 0 or len(tail) - at < 22:
        refuse("is a zip file without an end", AGAIN)
    disk, first_disk, here, count, size, offset = struct.unpack("<HHHHII", tail[at + 4 : at + 20])
    if count in FULL or size in FULL or offset in FULL:
        refuse("is a zip file of 4 GB or more, or says so", "give a smaller file")
    if disk or first_disk or here != count:
        refuse("is a zip file in several parts")
    if count > MEMBERS or size > DIRECTORY:
        refuse(f"is a zip file of more than {MEMBERS:,} members")
    if offset + size > start + at:
        refuse("is a zip file whose directory is not where it says", AGAIN)
    directory = source.read(offset, size)
    members, position = [], 0
    for _ in range(count):
        member, position = _member(source, directory, position)
        members.append(member)
    if len({member.name for member in members}) != count:
        refuse("is a zip file with two members of one name")
    spans = sorted((member.span.start, member.span.start + member.span.length) for member in members)
    if any(one[1] > other[0] for one, other in itertools.pairwise(spans)) or (spans and spans[-1][1] > offset):
        refuse("is a zip file whose members overlap")
    return members


def _member(source: Source, directory: bytes, at: int) -> tuple[Member, int]:
    """The member that an entry of the directory describes, and where the next entry begins."""
    if directory[at : at + 4] != ENTRY or len(directory) < at + 46:
        refuse("is a zip file with a damaged directory", AGAIN)
    flags, method = struct.unpack_from("<HH", directory, at + 8)
    packed, size, name_size, extra, comment = struct.unpack_from("<IIHHH", directory, at + 20)
    header = struct.unpack_from("<I", directory, at + 42)[0]
    name = directory[at + 46 : at + 46 + name_size].decode("latin1")
    if flags & 1:
        refuse("is an encrypted zip file", "decrypt it first")
    if method != 0 or packed != size:
        refuse(f"is a zip file with a compressed member {clip(name)}, which torch.save never writes", RESAVE)
    if ".." in name.split("/") or name.startswith("/") or "\\" in name:
        refuse(f"is a zip file with a member that points outside it ({clip(name)})")
    if size in FULL or header in FULL or header + 30 > source.size:
        refuse("is a zip file with a member beyond its end", AGAIN)
    local = source.read(header, 30)
    start = header + 30 + sum(struct.unpack("<HH", local[26:30]))
    if local[:4] != LOCAL or start + size > source.size:
        refuse("is a zip file with a member beyond its end", AGAIN)
    return Member(name, Span(start, size)), at + 46 + name_size + extra + comment
