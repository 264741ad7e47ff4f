"""The functions that stand for the globals of checkpoints: pure, with every argument checked. Tables at the foot."""

import math
from typing import Any

import numpy as np
import torch

from ganlab.pickles.fill import fill_array, sizes, whole
from ganlab.pickles.legacy import read_stream
from ganlab.pickles.machine import Machine
from ganlab.pickles.records import (
    Global,
    Known,
    Members,
    ModuleRecord,
    NumpyArray,
    NumpyType,
    Span,
    Storage,
    Table,
    TensorRecord,
    TfRecord,
)
from ganlab.pickles.source import Blob, length

Arguments = tuple[Any, ...]
LARGEST_STRIDE = 1 << 40
SHORT = 64  # bytes of a numpy scalar at most


def _ordered_dict(machine: Machine, arguments: Arguments) -> dict[Any, Any]:
    out: dict[Any, Any] = {}
    if arguments:
        pairs = arguments[0]
        fine = len(arguments) == 1 and type(pairs) is list
        fine = fine and all(type(pair) in (tuple, list) and len(pair) == 2 for pair in pairs)
        machine.check(fine, "makes a dict of something else than pairs")
        for pair in pairs:
            machine.fill(out, list(pair))
    return out


def _empty_dict(machine: Machine, arguments: Arguments) -> dict[Any, Any]:
    machine.check(not arguments, "makes a dict with arguments")
    return {}


def _set(machine: Machine, arguments: Arguments) -> Members:
    machine.check(len(arguments) == 1 and type(arguments[0]) is list, "makes a set of something else than a list")
    return Members((machine.key(item), None) for item in arguments[0])


def _dill_type(machine: Machine, arguments: Arguments) -> Global:
    fine = len(arguments) == 1 and type(arguments[0]) is str and arguments[0] == "set"
    machine.check(fine, "asks dill for a type other than set")
    return Global("builtins.set", Known(call=_set))


def _encode(machine: Machine, arguments: Arguments) -> bytes:
    fine = len(arguments) == 2 and type(arguments[0]) is str and type(arguments[1]) is str
    machine.check(fine and arguments[1] == "latin1", "encodes a text in another way than as bytes")
    try:
        return arguments[0].encode("latin1")
    except UnicodeEncodeError:
        machine.refuse("encodes a text that is not bytes")


def _device(machine: Machine, arguments: Arguments) -> str:
    machine.check(all(type(item) in (str, int) for item in arguments), "describes a device in an odd way")
    return "device"


def _size(machine: Machine, arguments: Arguments) -> tuple[int, ...]:
    machine.check(len(arguments) == 1, "gives a size with odd arguments")
    return sizes(machine, arguments[0], machine.limits.side, "a size")


def _persistent(machine: Machine, arguments: Arguments) -> ModuleRecord:
    meta: Any = arguments[0] if len(arguments) == 1 else None
    fine = type(meta) is dict and meta.keys() == {"type", "version", "module_src", "class_name", "state"}
    machine.check(fine, "describes a module with other fields than NVIDIA's code writes")
    fine = type(meta["type"]) is str and meta["type"] == "class" and type(meta["module_src"]) is str
    fine = fine and type(meta["class_name"]) is str and meta["class_name"].isidentifier()
    machine.check(fine and type(meta["state"]) is dict, "describes a module in another way than NVIDIA's code does")
    fine = type(meta["version"]) is int and meta["version"] == 6
    machine.check(fine, "is of a version of NVIDIA's persistence that is not known")
    return ModuleRecord(meta["class_name"], meta["state"])  # module_src is not kept: it is program text


def _parameter(machine: Machine, arguments: Arguments) -> TensorRecord:
    fine = len(arguments) == 3 and type(arguments[0]) is TensorRecord and type(arguments[1]) is bool
    machine.check(fine and _is_empty(arguments[2]), "makes a parameter of something else than a tensor")
    return arguments[0]


def _load_from_bytes(machine: Machine, arguments: Arguments) -> Storage:
    machine.check(len(arguments) == 1 and type(arguments[0]) is Span, "loads a storage of something else than bytes")
    storage = read_stream(machine.source, arguments[0], STORAGES, machine.budget)
    machine.check(type(storage) is Storage, "has a stream within it that is no storage")
    return storage


def _tensor(machine: Machine, arguments: Arguments) -> TensorRecord:
    # (storage, offset, size, stride, requires_grad, backward_hooks, metadata)
    fine = len(arguments) in (6, 7) and type(arguments[0]) is Storage and type(arguments[4]) is bool
    machine.check(fine and _is_empty(arguments[5]), "rebuilds a tensor with odd arguments")
    machine.check(len(arguments) == 6 or _is_empty(arguments[6]), "has a tensor with metadata (conjugated or negated)")
    return _view(machine, *arguments[:4])


def _old_tensor(machine: Machine, arguments: Arguments) -> TensorRecord:
    machine.check(len(arguments) == 4 and type(arguments[0]) is Storage, "rebuilds a tensor with odd arguments")
    return _view(machine, *arguments)


def _view(machine: Machine, storage: Storage, offset: Any, size: Any, stride: Any) -> TensorRecord:
    """A tensor of a storage. Only dense ones, axes in any order: that rules out overlaps, bombs and overflows."""
    shape = sizes(machine, size, machine.limits.side, "the size of a tensor")
    strides = sizes(machine, stride, LARGEST_STRIDE, "the strides of a tensor")
    start = whole(machine, offset, storage.numel, "the offset of a tensor in its storage")
    machine.check(len(shape) == len(strides), "gives a tensor another number of strides than sizes")
    count, expected = math.prod(shape), 1
    if count:
        for step, side in sorted((step, side) for step, side in zip(strides, shape) if side != 1):
            machine.check(step == expected, "has a tensor whose elements overlap or leave gaps")
            expected *= side
        machine.check(start + count <= storage.numel, "has a tensor that reaches beyond its storage")
    machine.budget.take_tensor(count * storage.dtype.itemsize)
    return TensorRecord(storage, start, shape, strides)


def _is_empty(value: Any) -> bool:
    return value is None or (type(value) is dict and not value)


def _numpy_type(machine: Machine, arguments: Arguments) -> NumpyType:
    fine = len(arguments) == 3 and type(arguments[0]) is str and arguments[0] in NUMPY_CODES
    fine = fine and all(type(item) in (bool, int) for item in arguments[1:])
    machine.check(fine and arguments[1:] == (False, True), "uses a numpy type that is not a plain number")
    return NumpyType(arguments[0])


def _numpy_reconstruct(machine: Machine, arguments: Arguments) -> NumpyArray:
    fine = len(arguments) == 3 and type(arguments[0]) is Global and arguments[0].label == "numpy.ndarray"
    fine = fine and type(arguments[1]) is tuple and len(arguments[1]) == 1 and type(arguments[1][0]) is int
    machine.check(fine and arguments[1][0] == 0 and type(arguments[2]) in (Span, bytes), "rebuilds a numpy array oddly")
    return NumpyArray()


def _numpy_scalar(machine: Machine, arguments: Arguments) -> bool | int | float:
    fine = len(arguments) == 2 and type(arguments[0]) is NumpyType and type(arguments[1]) in (Span, bytes)
    machine.check(fine, "makes a numpy number of something else than bytes")
    kind, blob = np.dtype("<" + arguments[0].code), arguments[1]
    machine.check(length(blob) == kind.itemsize, "has a numpy number of another size than its type")
    value: bool | int | float = machine.source.array(blob, 0, kind.itemsize).view(kind)[0].item()
    return value


def _numpy_from_buffer(machine: Machine, arguments: Arguments) -> NumpyArray:
    # (bytes, dtype, shape, order)
    fine = len(arguments) == 4 and type(arguments[0]) in (Span, bytes) and type(arguments[1]) is NumpyType
    fine = fine and type(arguments[3]) is str and arguments[3] in ("C", "F")
    machine.check(fine, "makes a numpy array of something else than bytes")
    blob: Blob = arguments[0]
    out = NumpyArray()
    fill_array(machine, out, arguments[2], arguments[1], arguments[3], blob)
    return out


NUMPY_CODES = ("f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "b1")
DTYPES = ("float32", "float16", "bfloat16", "float64", "int64", "int32", "int16", "int8", "uint8", "bool")

STORAGES: Table = {
    ("torch", "FloatStorage"): Known(dtype=torch.float32),
    ("torch", "HalfStorage"): Known(dtype=torch.float16),
    ("torch", "BFloat16Storage"): Known(dtype=torch.bfloat16),
    ("torch", "DoubleStorage"): Known(dtype=torch.float64),
    ("torch", "LongStorage"): Known(dtype=torch.int64),
    ("torch", "IntStorage"): Known(dtype=torch.int32),
    ("torch", "ShortStorage"): Known(dtype=torch.int16),
    ("torch", "CharStorage"): Known(dtype=torch.int8),
    ("torch", "ByteStorage"): Known(dtype=torch.uint8),
    ("torch", "BoolStorage"): Known(dtype=torch.bool),
}

SHARED: Table = {  # in checkpoints of all kinds
    ("collections", "OrderedDict"): Known(call=_ordered_dict, new=lambda label: {}),
    ("torch._utils", "_rebuild_parameter"): Known(call=_parameter),
    ("torch._utils", "_rebuild_tensor_v2"): Known(call=_tensor),
    ("torch", "device"): Known(call=_device),
    ("torch", "Size"): Known(call=_size),
    ("numpy", "dtype"): Known(call=_numpy_type),
    ("numpy", "ndarray"): Known(),
    ("numpy.core.multiarray", "_reconstruct"): Known(call=_numpy_reconstruct),
    ("numpy._core.multiarray", "_reconstruct"): Known(call=_numpy_reconstruct),
    ("numpy.core.multiarray", "scalar"): Known(call=_numpy_scalar),
    ("numpy._core.multiarray", "scalar"): Known(call=_numpy_scalar),
    ("numpy.core.numeric", "_frombuffer"): Known(call=_numpy_from_buffer),
    ("numpy._core.numeric", "_frombuffer"): Known(call=_numpy_from_buffer),
    ("_codecs", "encode"): Known(call=_encode),
    ("builtins", "set"): Known(call=_set),
    ("__builtin__", "set"): Known(call=_set),
    **{("torch", name): Known() for name in DTYPES},
}

R3GAN = {  # whose modules are pickled as they are
    "training.networks": ("Generator", "Discriminator"),
    "R3GAN.Networks": (
        *("Generator", "Discriminator", "GeneratorStage", "DiscriminatorStage", "GenerativeBasis"),
        *("DiscriminativeBasis", "UpsampleLayer", "DownsampleLayer", "ResidualBlock", "Convolution"),
    ),
    "R3GAN.FusedOperators": ("BiasedActivationReference", "BiasedActivationCUDA", "BiasedActivation"),
    "R3GAN.Resamplers": (
        *("InterpolativeUpsamplerReference", "InterpolativeDownsamplerReference"),
        *("InterpolativeUpsamplerCUDA", "InterpolativeDownsamplerCUDA"),
    ),
    "torch.nn.modules.container": ("ModuleList", "Sequential"),
    "torch.nn.modules.conv": ("Conv2d",),
    "torch.nn.modules.linear": ("Linear", "Identity"),
    "torch.nn.modules.sparse": ("Embedding",),
}

PICKLES: Table = {  # of NVIDIA, for torch and for TensorFlow
    **SHARED,
    ("dnnlib.util", "EasyDict"): Known(call=_empty_dict, new=lambda label: {}),
    ("dnnlib", "EasyDict"): Known(call=_empty_dict, new=lambda label: {}),
    ("torch_utils.persistence", "_reconstruct_persistent_obj"): Known(call=_persistent),
    ("torch.storage", "_load_from_bytes"): Known(call=_load_from_bytes),
    ("dnnlib.tflib.network", "Network"): Known(new=TfRecord),
    ("dill._dill", "_load_type"): Known(call=_dill_type),
    **{(module, name): Known(new=ModuleRecord) for module, names in R3GAN.items() for name in names},
}

TORCH_FILES: Table = {  # of torch.save: rosinality, lucidrains, others
    **SHARED,
    **STORAGES,
    ("torch._utils", "_rebuild_tensor"): Known(call=_old_tensor),
    ("argparse", "Namespace"): Known(new=ModuleRecord),
}
