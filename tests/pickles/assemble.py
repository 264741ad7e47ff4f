"""Checkpoints assembled operation by operation, as an attacker would. Names of operations as in `pickletools`."""

import io
import json
import struct
import zipfile
from collections.abc import Mapping
from typing import Any

MAGIC = 0x1950A86A20F9469CFC6C
STOP, MARK, POP, REDUCE, BUILD, NEWOBJ, BINPERSID = b".", b"(", b"0", b"R", b"b", b"\x81", b"Q"
APPEND, SETITEM, SETITEMS, TUPLE, MEMOIZE, EMPTY_SET, ADDITEMS = b"a", b"s", b"u", b"t", b"\x94", b"\x8f", b"\x90"


class Op(bytes):
    """Operations, where a value is expected."""


def proto(version: int = 4) -> bytes:
    return b"\x80" + bytes([version])  # PROTO


def enc(value: Any) -> Op:
    """The operations that lay a value on the stack."""
    if isinstance(value, Op):
        return value
    if value is None:
        return Op(b"N")  # NONE
    if isinstance(value, bool):
        return Op(b"\x88" if value else b"\x89")  # NEWTRUE, NEWFALSE
    if isinstance(value, int):
        if -(1 << 31) <= value < 1 << 31:
            return Op(b"J" + struct.pack("<i", value))  # BININT
        size = value.bit_length() // 8 + 1
        return Op(b"\x8a" + bytes([size]) + value.to_bytes(size, "little", signed=True))  # LONG1
    if isinstance(value, float):
        return Op(b"G" + struct.pack(">d", value))  # BINFLOAT
    if isinstance(value, str):
        return Op(b"X" + struct.pack("<I", len(value.encode())) + value.encode())  # BINUNICODE
    if isinstance(value, bytes):
        return Op(b"B" + struct.pack("<I", len(value)) + value)  # BINBYTES
    if isinstance(value, tuple):
        return Op(MARK + b"".join(map(enc, value)) + TUPLE)
    if isinstance(value, list):
        return Op(b"](" + b"".join(map(enc, value)) + b"e")  # EMPTY_LIST MARK APPENDS
    assert isinstance(value, dict)
    return Op(b"}(" + b"".join(enc(k) + enc(v) for k, v in value.items()) + SETITEMS)  # EMPTY_DICT MARK


def name(module: str, what: str) -> Op:
    return Op(enc(module) + enc(what) + b"\x93")  # STACK_GLOBAL


def call(module: str, what: str, *arguments: Any) -> Op:
    return Op(name(module, what) + enc(arguments) + REDUCE)


def new(module: str, what: str) -> Op:
    return Op(name(module, what) + b")" + NEWOBJ)  # EMPTY_TUPLE


def dumps(value: Any, version: int = 4) -> bytes:
    """A whole pickle of one value."""
    return proto(version) + enc(value) + STOP


ODICT = call("collections", "OrderedDict")


def stream(
    raw: bytes,
    numel: int,
    kind: tuple[str, str] = ("torch", "FloatStorage"),
    said: int | None = None,
    keys: Any = ("0",),
    value: Op | None = None,
) -> bytes:
    """torch's old stream with one storage, as `_load_from_bytes` is given it."""
    identity = ("storage", name(*kind), "0", "cpu", numel, None)
    out = dumps(MAGIC, 2) + dumps(1001, 2) + dumps({"protocol_version": 1001, "little_endian": True}, 2)
    out += dumps(value or Op(enc(identity) + BINPERSID), 2) + dumps(list(keys), 2)
    return out + struct.pack("<q", numel if said is None else said) + raw


def storage(raw: bytes, numel: int, **how: Any) -> Op:
    return call("torch.storage", "_load_from_bytes", stream(raw, numel, **how))


def rebuilt(held: Any, offset: Any, size: Any, stride: Any, *more: Any) -> Op:
    return call("torch._utils", "_rebuild_tensor_v2", held, offset, size, stride, False, ODICT, *more)


def tensor(values: list[float]) -> Op:
    """A fine tensor [N]."""
    return rebuilt(storage(struct.pack(f"<{len(values)}f", *values), len(values)), 0, (len(values),), (1,))


def meta(state: Any, **fields: Any) -> dict[str, Any]:
    return {
        "type": "class",
        "version": 6,
        "module_src": "# source",
        "class_name": "Generator",
        "state": state,
        **fields,
    }


def module(
    parameters: Any = None, modules: Any = None, kwargs: Any = None, state: Mapping[str, Any] = {}, **fields: Any
) -> Op:
    """A module as NVIDIA's persistence pickles it."""
    inner = {
        "training": False,
        "_parameters": {} if parameters is None else parameters,
        "_buffers": {},
        "_non_persistent_buffers_set": Op(EMPTY_SET),
        "_forward_hooks": ODICT,
        "_modules": {} if modules is None else modules,
        "_init_args": (),
        "_init_kwargs": {} if kwargs is None else kwargs,
        **state,
    }
    return call("torch_utils.persistence", "_reconstruct_persistent_obj", meta(inner, **fields))


def checkpoint(parameters: Any = None, **how: Any) -> bytes:
    """A whole file with one network, G_ema."""
    return dumps({"G_ema": module({"weight": tensor([1, 2])} if parameters is None else parameters, **how)})


def holding(weight: Any) -> bytes:
    """A whole file whose network has one parameter."""
    return checkpoint({"weight": weight})


def small() -> bytes:
    """A fine file with all parts of an official one."""
    layer = module({"weight": tensor([0.5] * 12), "bias": tensor([0, 1])}, class_name="Layer")
    block = module({"const": tensor([7])}, {"conv": layer, "skip": None}, class_name="Block")
    networks = {key: module({"w": tensor([3, 4])}, {"b4": block}, {"z_dim": 4, "more": {"gain": 0.5}}) for key in "GD"}
    return dumps({**networks, "G_ema": networks["G"], "augment_pipe": None, "training_set_kwargs": {"path": "x"}})


def torch_zip(value: Any, raws: Mapping[str, bytes], method: int = zipfile.ZIP_STORED, **more: bytes) -> bytes:
    """A zip file as torch.save writes it; `more` are further members, by path with __ for /."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        archive.writestr("archive/data.pkl", dumps(value, 2))
        archive.writestr("archive/byteorder", b"little")
        for key, raw in raws.items():
            archive.writestr(f"archive/data/{key}", raw)
        for path, raw in more.items():
            archive.writestr(path.replace("__", "/"), raw)
    return out.getvalue()


def zip_tensor(key: str, numel: int, kind: tuple[str, str] = ("torch", "FloatStorage")) -> Op:
    """A tensor [numel] of a zip file's storage."""
    identity = Op(enc(("storage", name(*kind), key, "cpu", numel)) + BINPERSID)
    return rebuilt(identity, 0, (numel,), (1,))


def safetensors(header: Any, raw: bytes = b"", length: int | None = None) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + raw
