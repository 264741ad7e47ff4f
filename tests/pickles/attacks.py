"""Files that a stranger could hand to a user: how each is made, and words of the sentence that refuses it."""

import struct
import zipfile
from collections.abc import Callable

from tests.pickles.assemble import (
    ADDITEMS,
    APPEND,
    BINPERSID,
    BUILD,
    EMPTY_SET,
    MAGIC,
    MARK,
    MEMOIZE,
    NEWOBJ,
    ODICT,
    POP,
    REDUCE,
    STOP,
    Op,
    call,
    checkpoint,
    dumps,
    enc,
    holding,
    meta,
    module,
    name,
    new,
    proto,
    rebuilt,
    safetensors,
    small,
    storage,
    stream,
    tensor,
    torch_zip,
    zip_tensor,
)

COMMAND = "touch was-executed"
FOUR = struct.pack("<4f", 1, 2, 3, 4)
Attack = tuple[Callable[[], bytes], str]


def laughs(start: bytes = b"]", pair: bytes = b"](%b%be") -> Op:
    """A list that holds a list twice, that holds ...: 2^40 parts if it were written out."""
    out = start + MEMOIZE
    for k in range(40):
        get = b"h" + bytes([k])  # BINGET
        out += POP + pair % (get, get) + MEMOIZE
    return Op(out)


def laughing_tuple() -> Op:
    return laughs(b")", b"%b%b\x86")  # EMPTY_TUPLE, TUPLE2


def nested(times: int, opening: bytes = b"]", closing: bytes = b"a") -> Op:
    """A list in a list in a list ..."""
    return Op(opening * (times + 1) + closing * times)


def itself() -> Op:
    """A list that holds itself."""
    return Op(b"]" + MEMOIZE + b"h\x00" + APPEND)


def numpy_array(shape: tuple[int, ...], raw: bytes, code: str = "f4", flags: tuple[object, ...] | None = None) -> Op:
    kind = Op(call("numpy", "dtype", code, False, True) + enc(flags or (3, "<", None, None, None, -1, -1, 0)) + BUILD)
    empty = call("numpy.core.multiarray", "_reconstruct", name("numpy", "ndarray"), (0,), b"b")
    return Op(empty + enc((1, shape, kind, False, raw)) + BUILD)


def two_of_one_name() -> bytes:
    """A zip with one name twice: `zipfile` only warns."""
    data = torch_zip({"w": zip_tensor("0", 4)}, {"0": FOUR, "1": FOUR})
    return data.replace(b"archive/data/1", b"archive/data/0")


def encrypted() -> bytes:
    data = bytearray(torch_zip({"w": zip_tensor("0", 4)}, {"0": FOUR}))
    data[data.index(b"PK\x01\x02") + 8] |= 1  # general purpose flags
    return bytes(data)


def tf_network(**state: object) -> Op:
    base = {"version": 4, "static_kwargs": {}, "components": {}, "build_func_name": "G_main", "variables": []}
    return Op(new("dnnlib.tflib.network", "Network") + enc({**base, **state}) + BUILD)


EXECUTION: dict[str, Attack] = {
    "os.system by REDUCE, protocol 0": (
        lambda: b"cposix\nsystem\n(S'touch was-executed'\ntR.",
        "none of the checkpoints",
    ),
    "os.system by REDUCE, protocol 2": (
        lambda: proto(2) + b"cposix\nsystem\n" + enc((COMMAND,)) + REDUCE + STOP,
        "names 'posix.system'",
    ),
    "os.system by REDUCE, protocol 4": (lambda: dumps(call("os", "system", COMMAND)), "names 'os.system'"),
    "os.system in the arguments of a network": (
        lambda: checkpoint(kwargs={"z_dim": call("os", "system", COMMAND)}),
        "names 'os.system'",
    ),
    "os.system in a discriminator": (
        lambda: dumps({"D": call("posix", "system", COMMAND), "G_ema": module({"w": tensor([1])})}),
        "names 'posix.system'",
    ),
    "subprocess.Popen by NEWOBJ": (
        lambda: proto() + name("subprocess", "Popen") + enc((COMMAND,)) + NEWOBJ + STOP,
        "names 'subprocess.Popen'",
    ),
    "INST": (lambda: proto() + MARK + enc(COMMAND) + b"iposix\nsystem\n.", "operation INST"),
    "OBJ": (lambda: proto() + MARK + b"cposix\nsystem\n" + enc(COMMAND) + b"o.", "names 'posix.system'"),
    "OBJ of a known name": (lambda: proto() + MARK + name("torch", "Size") + b"o.", "operation OBJ"),
    "EXT1": (lambda: proto() + b"\x82\x01.", "operation EXT1"),
    "NEWOBJ_EX": (lambda: proto() + ODICT + b")}\x92.", "operation NEWOBJ_EX"),
    "builtins.eval": (lambda: dumps(call("builtins", "eval", "1+1")), "names 'builtins.eval'"),
    "builtins.exec of Python 2": (lambda: dumps(call("__builtin__", "eval", "1+1")), "names '__builtin__.eval'"),
    "getattr chain": (
        lambda: dumps(Op(call("builtins", "getattr", name("torch", "Size"), "__class__") + enc(()) + REDUCE)),
        "names 'builtins.getattr'",
    ),
    "operator.attrgetter": (lambda: dumps(call("operator", "attrgetter", "system")), "names 'operator.attrgetter'"),
    "dotted name": (lambda: dumps(call("torch.serialization", "os.system", COMMAND)), "names 'torch.serialization.os"),
    "dotted name in a known module": (lambda: dumps(call("torch.nn.modules", "os.system", COMMAND)), "os.system'"),
    "numpy's runstring": (
        lambda: dumps(call("numpy.testing._private.utils", "runstring", "1", {})),
        "names 'numpy.testing",
    ),
    "torch's execWrapper": (
        lambda: dumps(call("torch.jit.unsupported_tensor_ops", "execWrapper", "1", {}, {})),
        "names 'torch.jit",
    ),
    "torch.load": (lambda: dumps(call("torch", "load", "x")), "names 'torch.load'"),
    "hostile pickle within _load_from_bytes": (
        lambda: holding(
            rebuilt(call("torch.storage", "_load_from_bytes", dumps(call("os", "system", "x"), 2)), 0, (), ())
        ),
        "names 'os.system'",
    ),
    "hostile value of a stream": (
        lambda: holding(rebuilt(storage(FOUR, 4, value=call("os", "system", COMMAND)), 0, (4,), (1,))),
        "names 'os.system'",
    ),
    "stream within a stream": (
        lambda: holding(rebuilt(storage(FOUR, 4, value=storage(FOUR, 4)), 0, (4,), (1,))),
        "names 'torch.storage._load_from_bytes'",
    ),
    "hostile persistent id": (
        lambda: torch_zip({"w": Op(call("os", "system", COMMAND) + BINPERSID)}, {}),
        "names 'os.system'",
    ),
    "persistent id in a plain pickle": (lambda: proto() + enc("0") + BINPERSID + STOP, "persistent id"),
    "second pickle after STOP": (lambda: checkpoint() + dumps(call("os", "system", COMMAND)), "after its end"),
    "newline in a name": (lambda: dumps(call("torch\nos", "system", COMMAND)), "names 'torch\\\\nos.system'"),
    "name that is not ASCII": (lambda: dumps(call("trainíng", "Net")), "names 'train"),
    "BUILD on a class": (
        lambda: proto() + name("torch", "Size") + enc({"a": 1}) + BUILD + STOP,
        "inner state of a function",
    ),
    "BUILD on a function": (
        lambda: proto() + name("torch._utils", "_rebuild_tensor_v2") + enc({"__code__": 1}) + BUILD + STOP,
        "inner state of a function",
    ),
    "BUILD on an OrderedDict": (lambda: dumps(Op(ODICT + enc({"items": 1}) + BUILD)), "sets attributes of a dict"),
    "BUILD on a tensor": (lambda: holding(Op(tensor([1]) + enc({"data": 1}) + BUILD)), "inner state of a tensor"),
    "BUILD twice": (
        lambda: dumps({"G": Op(new("R3GAN.Networks", "Generator") + enc({}) + BUILD + enc({}) + BUILD)}),
        "fills a module",
    ),
    "hooks in a module": (lambda: checkpoint(state={"_forward_hooks": {0: "x"}}), "has hooks"),
    "pre-hooks in a module": (lambda: checkpoint(state={"_forward_pre_hooks": {0: "x"}}), "has hooks"),
    "REDUCE on data": (lambda: proto() + enc("os.system") + enc((COMMAND,)) + REDUCE + STOP, "calls 'os.system'"),
    "REDUCE without a tuple": (
        lambda: proto() + name("collections", "OrderedDict") + enc([1]) + REDUCE + STOP,
        "without a tuple",
    ),
    "codec trick": (lambda: holding(call("_codecs", "encode", "abc", "rot13")), "encodes a text in another way"),
    "_codecs.decode": (lambda: holding(call("_codecs", "decode", b"abc", "hex")), "names '_codecs.decode'"),
    "numpy object dtype": (lambda: holding(numpy_array((1,), b"\0" * 8, "O8")), "not a plain number"),
    "numpy dtype with fields": (
        lambda: holding(numpy_array((1,), FOUR, flags=(3, "<", None, ("a",), {"a": 1}, 4, 4, 0))),
        "numpy type that is not plain",
    ),
    "dill code": (lambda: dumps(call("dill._dill", "_create_code", 0)), "names 'dill._dill._create_code'"),
    "dill type": (lambda: dumps(call("dill._dill", "_load_type", "CodeType")), "asks dill"),
    "unknown class in the generator": (
        lambda: dumps({"G_ema": module(modules={"b4": call("training.mine", "Block")})}),
        "made of 'training.mine.Block', which is not known",
    ),
    "unknown function makes the generator": (
        lambda: dumps({"G_ema": call("mine", "make")}),
        "'mine.make', which is not",
    ),
    "unknown function makes the file": (lambda: dumps(call("mine", "make")), "'mine.make', which is not known"),
}

TENSORS: dict[str, Attack] = {
    "size beyond the storage": (lambda: holding(rebuilt(storage(FOUR, 4), 0, (5,), (1,))), "beyond its storage"),
    "offset beyond the storage": (lambda: holding(rebuilt(storage(FOUR, 4), 2, (4,), (1,))), "beyond its storage"),
    "offset far beyond": (lambda: holding(rebuilt(storage(FOUR, 4), 1 << 60, (0,), (1,))), "offset"),
    "negative offset": (lambda: holding(rebuilt(storage(FOUR, 4), -1, (2,), (1,))), "gives -1 as the offset"),
    "negative stride": (lambda: holding(rebuilt(storage(FOUR, 4), 3, (2,), (-1,))), "gives -1 as the strides"),
    "negative size": (lambda: holding(rebuilt(storage(FOUR, 4), 0, (-2,), (1,))), "gives -2 as the size"),
    "stride-0 bomb": (
        lambda: holding(rebuilt(storage(FOUR, 4), 0, (1 << 20, 1 << 20), (0, 0))),
        "overlap or leave gaps",
    ),
    "8 GB size": (lambda: holding(rebuilt(storage(FOUR, 4), 0, (1 << 31,), (1,))), "the size of a tensor"),
    "size overflow": (
        lambda: holding(rebuilt(storage(FOUR, 4), 0, (1 << 24, 1 << 24, 1 << 24), (1 << 40, 1 << 24, 1))),
        "overlap or leave gaps",
    ),
    "overlapping strides": (lambda: holding(rebuilt(storage(FOUR, 4), 0, (2, 3), (1, 1))), "overlap"),
    "strides with gaps": (lambda: holding(rebuilt(storage(FOUR, 4), 0, (2,), (3,))), "leave gaps"),
    "more axes than torch allows": (lambda: holding(rebuilt(storage(FOUR, 4), 0, (1,) * 70, (1,) * 70)), "at most 6"),
    "other number of strides": (
        lambda: holding(rebuilt(storage(FOUR, 4), 0, (2, 2), (1,))),
        "another number of strides",
    ),
    "size that is no tuple": (lambda: holding(rebuilt(storage(FOUR, 4), 0, [4], (1,))), "gives a list as the size"),
    "truth value as a size": (lambda: holding(rebuilt(storage(FOUR, 4), 0, (True,), (1,))), "gives True as the size"),
    "storage said to be 2^20 long": (
        lambda: holding(rebuilt(storage(FOUR, 1 << 20), 0, (4,), (1,))),
        "cut short or lies",
    ),
    "storage said to be 2^60 long": (
        lambda: holding(rebuilt(storage(FOUR, 1 << 60), 0, (4,), (1,))),
        "length of a sto",
    ),
    "storage of negative length": (lambda: holding(rebuilt(storage(FOUR, -4), 0, (4,), (1,))), "length of a storage"),
    "storage's header against its record": (
        lambda: holding(rebuilt(storage(FOUR, 4, said=1 << 40), 0, (4,), (1,))),
        "another length than its record",
    ),
    "storage with more bytes than numbers": (
        lambda: holding(rebuilt(storage(FOUR + FOUR, 4), 0, (4,), (1,))),
        "goes on after its end",
    ),
    "storage that is not listed": (
        lambda: holding(rebuilt(storage(FOUR, 4, keys=("1",)), 0, (4,), (1,))),
        "other storages",
    ),
    "wrong class of a storage": (
        lambda: holding(rebuilt(storage(FOUR, 4, kind=("torch", "Tensor")), 0, (4,), (1,))),
        "names 'torch.Tensor'",
    ),
    "quantized storage": (
        lambda: holding(rebuilt(storage(FOUR, 4, kind=("torch", "QUInt8Storage")), 0, (4,), (1,))),
        "names 'torch.QUInt8Storage'",
    ),
    "two storages in one stream": (
        lambda: holding(rebuilt(storage(FOUR, 4, keys=("0", "0")), 0, (4,), (1,))),
        "other storages",
    ),
    "bool bytes other than 0 and 1": (
        lambda: holding(rebuilt(storage(b"\x01\x02\x00\x01", 4, kind=("torch", "BoolStorage")), 0, (4,), (1,))),
        "neither 0 nor 1",
    ),
    "conj metadata": (lambda: holding(rebuilt(storage(FOUR, 4), 0, (4,), (1,), {"conj": True})), "metadata"),
    "sparse tensor with lying indices": (
        lambda: holding(call("torch._utils", "_rebuild_sparse_tensor", 0, (tensor([1e9]), tensor([1]), (2,)))),
        "names 'torch._utils._rebuild_sparse_tensor'",
    ),
    "quantized tensor": (lambda: holding(call("torch._utils", "_rebuild_qtensor", 0)), "_rebuild_qtensor"),
    "meta tensor": (
        lambda: holding(call("torch._utils", "_rebuild_meta_tensor_no_storage", 0, (1 << 40,), (1,), False)),
        "_rebuild_meta_tensor",
    ),
    "wrapper subclass": (
        lambda: holding(call("torch._utils", "_rebuild_wrapper_subclass", 0)),
        "_rebuild_wrapper_subclass",
    ),
    "torch.Tensor of a huge size": (lambda: holding(call("torch", "Tensor", 1 << 30)), "names 'torch.Tensor'"),
    "bytearray bomb": (lambda: holding(call("builtins", "bytearray", 1 << 40)), "names 'builtins.bytearray'"),
    "BYTEARRAY8 bomb": (lambda: proto(5) + b"\x96" + struct.pack("<Q", 1 << 40) + STOP, "cut short or lies"),
    "one storage under thousands of names": (
        lambda: checkpoint(
            {
                "w": Op(rebuilt(Op(storage(b"\0" * (4 << 16), 1 << 16) + MEMOIZE), 0, (1 << 16,), (1,))),
                **{f"w{k}": rebuilt(Op(b"h\x00"), 0, (1 << 16,), (1,)) for k in range(4000)},
            }
        ),
        "share their storage",
    ),
    "parameter that is a number": (lambda: holding(3), "not a tensor"),
    "parameter of a parameter's hooks": (
        lambda: holding(call("torch._utils", "_rebuild_parameter", tensor([1]), True, {"hook": 1})),
        "something else than a tensor",
    ),
    "numpy shape bomb": (lambda: holding(numpy_array((1 << 20, 1 << 20), FOUR)), "numpy array \\(1048576, 1048576\\)"),
    "numpy raw too short": (lambda: holding(numpy_array((5,), FOUR)), "of 20 bytes, and 16 bytes"),
    "numpy array without numbers": (
        lambda: holding(call("numpy.core.multiarray", "_reconstruct", name("numpy", "ndarray"), (0,), b"b")),
        "without numbers",
    ),
    "numpy array of a huge start": (
        lambda: holding(call("numpy.core.multiarray", "_reconstruct", name("numpy", "ndarray"), (1 << 40,), b"b")),
        "rebuilds a numpy array oddly",
    ),
}

STRUCTURE: dict[str, Attack] = {
    "BINBYTES8 of 2^40": (lambda: proto() + b"\x8e" + struct.pack("<Q", 1 << 40) + b"x.", "cut short or lies"),
    "BINUNICODE of 4 GB": (lambda: proto() + b"X\xff\xff\xff\xffx.", "cut short or lies"),
    "text of 9 MB": (lambda: dumps("x" * (9 << 20)), "more than 8 MB of text"),
    "text that is not UTF-8": (lambda: proto() + b"\x8c\x01\xff.", "not UTF-8"),
    "frame length lie": (lambda: proto() + b"\x95" + struct.pack("<Q", 1 << 40) + b"N.", "cut short or lies"),
    "memo index bomb": (lambda: proto() + b"Nr\xff\xff\xff\xff0" * 2 + b"h\x01.", "never noted"),
    "memo overwritten": (lambda: proto() + b"]q\x00]q\x00.", "overwrites"),
    "memo of 10^6": (lambda: proto() + b"N" + MEMOIZE * 1_000_000 + STOP, "notes more than|operations"),
    "LONG4 of 2 GB": (lambda: proto() + b"\x8b\xff\xff\xff\x7f.", "operation LONG4"),
    "255-byte integer": (lambda: proto() + b"\x8a\xff" + b"\x7f" * 255 + STOP, "integer of 255 bytes"),
    "billion laughs in the arguments": (lambda: checkpoint(kwargs={"a": laughs()}), "more than 10,000 parts"),
    "billion laughs in a size": (
        lambda: holding(rebuilt(storage(FOUR, 4), 0, laughing_tuple(), (1,))),
        "gives a tuple as the size",
    ),
    "billion laughs in a key": (lambda: proto() + laughing_tuple() + b"0}h\x28Ns.", "uses a tuple as a key"),
    "list nested 10^6 deep": (lambda: checkpoint(kwargs={"a": nested(1_000_000)}), "piles up|pickle operations"),
    "list nested 50,000 deep": (lambda: checkpoint(kwargs={"a": nested(50_000)}), "nested more than 48 deep"),
    "deep tuple as a key": (lambda: proto() + b"})" + b"\x85" * 100_000 + b"Ns.", "uses a tuple as a key"),
    "list that holds itself": (lambda: checkpoint(kwargs={"a": itself()}), "nested more than 48 deep"),
    "keys whose hashes collide": (
        lambda: proto() + b"}(" + b"".join(enc(k * ((1 << 61) - 1)) + b"N" for k in range(1, 50_000)) + b"u.",
        "huge number as a key",
    ),
    "bytes as a key": (lambda: dumps({b"a": 1}), "as a key"),
    "number with a point as a key": (lambda: dumps({1.5: 1}), "uses 1.5 as a key"),
    "10^7 operations": (lambda: proto() + b"N0" * 5_000_000 + b"N.", "more than 250,000 pickle operations"),
    "10^7 marks": (lambda: proto() + MARK * 10_000_000 + STOP, "more than 250,000 pickle operations"),
    "10^6 values": (lambda: proto() + b"N" * 1_000_000 + STOP, "piles up more than"),
    "10^6 sets": (lambda: proto() + b"]" + (EMPTY_SET + APPEND) * 500_000 + STOP, "pickle operations"),
    "unset memo": (lambda: proto() + b"h\x07.", "never noted"),
    "stack underflow": (lambda: proto() + POP + STOP, "takes more values"),
    "underflow below a mark": (lambda: proto() + b"]N(a.", "takes more values"),
    "no mark": (lambda: proto() + b"Nt.", "never set"),
    "APPEND to a tuple": (lambda: proto() + b")Na.", "appends to a tuple"),
    "SETITEM of a list": (lambda: proto() + b"]NNs.", "sets items of a list"),
    "ADDITEMS to a list": (lambda: proto() + b"](N" + ADDITEMS + STOP, "adds members to a list"),
    "key without a value": (lambda: proto() + b"}(Nu.", "key without a value"),
    "duplicate key": (lambda: proto() + b"}NNsNNs.", "key None twice"),
    "duplicate network": (
        lambda: proto() + b"}(" + (enc("G_ema") + module({"w": tensor([1])})) * 2 + b"u.",
        "the key 'G_ema' twice",
    ),
    "member name with a dot": (lambda: checkpoint({"a.b": tensor([1])}), "odd member name 'a.b'"),
    "member name with underscores": (lambda: checkpoint({"__class__": tensor([1])}), "odd member name '__class__'"),
    "empty member name": (lambda: checkpoint({"": tensor([1])}), "odd member name"),
    "member name that is a number": (lambda: checkpoint({7: tensor([1])}), "odd member name 7"),
    "unknown persistence version": (lambda: checkpoint(version=7), "version of NVIDIA's persistence"),
    "persistence of a function": (lambda: checkpoint(type="function"), "in another way than NVIDIA"),
    "class name that is no name": (lambda: checkpoint(class_name="a b"), "in another way than NVIDIA"),
    "extra meta fields": (lambda: checkpoint(more=1), "other fields than NVIDIA"),
    "state that is no dict": (
        lambda: dumps({"G": call("torch_utils.persistence", "_reconstruct_persistent_obj", meta([1]))}),
        "in another way than NVIDIA",
    ),
    "module that holds itself": (
        lambda: dumps(
            {"G": Op(new("R3GAN.Networks", "Generator") + MEMOIZE + enc({"_modules": {"a": Op(b"h\x00")}}) + BUILD)}
        ),
        "twice or within itself",
    ),
    "module under two names": (
        lambda: checkpoint(modules={"a": Op(module({}) + MEMOIZE), "b": Op(b"h\x00")}),
        "twice or within itself",
    ),
    "modules nested 100 deep": (
        lambda: dumps({"G": deep_modules(100)}),
        "nested more than 32 deep",
    ),
    "modules that are no modules": (lambda: checkpoint(modules={"a": [1]}), "made of a list"),
    "parameters that are no dict": (lambda: checkpoint([1]), "a list as a module's _parameters"),
    "object in the arguments": (lambda: checkpoint(kwargs={"a": tensor([1])}), "a tensor among constructor"),
    "large array in the arguments": (
        lambda: checkpoint(kwargs={"a": numpy_array((100,), b"\0" * 400)}),
        "a numpy array among",
    ),
    "top level not a dict": (lambda: dumps([module({})]), "holds a list and no network"),
    "no network inside": (lambda: dumps({"a": 1}), "holds no network at all"),
    "a network that is text": (lambda: dumps({"G_ema": "network"}), "where a network is expected"),
    "two values at STOP": (lambda: proto() + b"NN.", "ends with 2 values"),
    "mark at STOP": (lambda: proto() + b"N(.", "ends with 1 values"),
    "nothing at STOP": (lambda: proto() + STOP, "ends with 0 values"),
    "protocol 9": (lambda: proto(9) + b"N.", "protocol that does not exist"),
    "PROTO in the middle": (lambda: proto() + proto() + b"N.", "operation PROTO"),
    "name without an end": (lambda: proto() + b"c" + b"a" * 5000, "name without an end"),
    "names of 2,000 unknown classes": (
        lambda: dumps([name("mine", f"Class{k}") for k in range(2000)]),
        "more than 1,000 unknown",
    ),
    "TensorFlow network of an unknown version": (lambda: dumps((tf_network(version=99),) * 3), "version 99"),
    "TensorFlow variables that are no list": (lambda: dumps((tf_network(variables={}),) * 3), "without variables"),
    "TensorFlow variable twice": (
        lambda: dumps((tf_network(variables=[("a", numpy_array((4,), FOUR)), ("a", numpy_array((4,), FOUR))]),) * 3),
        "the variable 'a' twice",
    ),
    "TensorFlow components in a circle": (
        lambda: dumps(
            (
                Op(
                    new("dnnlib.tflib.network", "Network")
                    + MEMOIZE
                    + enc({"version": 4, "variables": [], "components": {"a": Op(b"h\x00")}})
                    + BUILD
                ),
            )
            + (tf_network(),) * 2
        ),
        "odd components",
    ),
}


def deep_modules(times: int) -> Op:
    out = module({})
    for _ in range(times):
        out = module({}, {"a": out})
    return out


CONTAINERS: dict[str, Attack] = {
    "truncated at half": (lambda: small()[: len(small()) // 2], "cut short"),
    "empty": (lambda: b"", "is empty"),
    "text": (lambda: b"These are not weights.\n" * 20, "none of the checkpoints"),
    "HTML error page": (lambda: b"\n<!DOCTYPE html><html><body>404</body></html>", "is a web page"),
    "git-LFS pointer": (
        lambda: b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 381673535\n",
        "git-LFS pointer.*git lfs pull",
    ),
    "gzip": (lambda: b"\x1f\x8b\x08\0" + b"x" * 50, "compressed with gzip; unpack"),
    "zip with a deflate bomb": (
        lambda: torch_zip({"w": zip_tensor("0", 1 << 20)}, {"0": b"\0" * (4 << 20)}, zipfile.ZIP_DEFLATED),
        "compressed member",
    ),
    "zip with a key that leaves it": (
        lambda: torch_zip({"w": zip_tensor("../../etc/passwd", 4)}, {"0": FOUR}),
        "misses its storage '../../etc/passwd'",
    ),
    "zip with a member that leaves it": (
        lambda: torch_zip({"w": zip_tensor("0", 4)}, {"0": FOUR}, **{"archive__..__..__x": b"x"}),
        "points outside it",
    ),
    "zip without its storage": (lambda: torch_zip({"w": zip_tensor("1", 4)}, {"0": FOUR}), "misses its storage '1'"),
    "zip with a storage of another length": (
        lambda: torch_zip({"w": zip_tensor("0", 8)}, {"0": FOUR}),
        "another length than it says",
    ),
    "zip with a storage of two types": (
        lambda: torch_zip({"w": zip_tensor("0", 4), "v": zip_tensor("0", 4, ("torch", "IntStorage"))}, {"0": FOUR}),
        "two types",
    ),
    "zip with two members of one name": (two_of_one_name, "two members of one name"),
    "zip that is encrypted": (encrypted, "encrypted"),
    "zip that is cut short": (
        lambda: torch_zip({"w": zip_tensor("0", 4)}, {"0": FOUR})[:-30],
        "without an end|directory",
    ),
    "zip of other things": (lambda: zip_of("readme.txt"), "none of torch.save"),
    "zip of TorchScript": (
        lambda: torch_zip({"w": zip_tensor("0", 4)}, {"0": FOUR}, **{"archive__code____torch__.py": b"x"}),
        "TorchScript",
    ),
    "zip of a whole object": (
        lambda: torch_zip(Op(new("model", "Generator") + enc({"a": 1}) + BUILD), {}),
        "holds an object of 'model.Generator', not weights; save its state_dict",
    ),
    "zip of torch.nn's object": (
        lambda: torch_zip(new("torch.nn.modules.linear", "Linear"), {}),
        "holds an object of 'torch.nn.modules.linear.Linear'",
    ),
    "zip with a million entries": (
        lambda: b"PK\x03\x04" + b"PK\x05\x06" + struct.pack("<HHHHIIH", 0, 0, 65000, 65000, 1 << 30, 0, 0),
        "more than",
    ),
    "zip of 4 GB": (
        lambda: b"PK\x03\x04" + b"PK\x05\x06" + struct.pack("<HHHHIIH", 0, 0, 1, 1, 1, (1 << 32) - 1, 0),
        "4 GB",
    ),
    "old stream of another magic number": (lambda: dumps(MAGIC, 2) + dumps(1002, 2) + dumps({}, 2), "no torch stream"),
    "old stream that is hostile": (
        lambda: stream(FOUR, 4, value=call("posix", "system", COMMAND)),
        "names 'posix.system'",
    ),
    "old stream with one storage": (lambda: stream(FOUR, 4), "holds a storage and no dict"),
    "safetensors: header length lie": (lambda: safetensors({}, length=500), "cut short within its header"),
    "safetensors: header of 100 MB": (lambda: safetensors(b"{" + b" " * (100 << 20) + b"}"), "has a header of"),
    "safetensors: header of 2^63 bytes": (lambda: safetensors(b"{}", length=1 << 63), "has a header of"),
    "safetensors: header that is not JSON": (lambda: safetensors(b"{'a'}"), "not JSON"),
    "safetensors: header nested deep": (lambda: safetensors(b'{"a":' + b"[" * 500_000), "not JSON"),
    "safetensors: name twice": (lambda: safetensors(b'{"a":1,"a":2}'), "twice"),
    "safetensors: overlapping offsets": (
        lambda: safetensors({"a": entry(0, 16), "b": entry(8, 24)}, FOUR + FOUR),
        "overlapping",
    ),
    "safetensors: gap": (lambda: safetensors({"a": entry(4, 20)}, FOUR + FOUR), "a gap"),
    "safetensors: wrong dtype": (lambda: safetensors({"a": {**entry(0, 16), "dtype": "F99"}}, FOUR), "type 'F99'"),
    "safetensors: dtype of another width": (
        lambda: safetensors({"a": {**entry(0, 16), "dtype": "F64"}}, FOUR),
        "another length than its shape",
    ),
    "safetensors: offsets outside the file": (
        lambda: safetensors({"a": {"dtype": "F32", "shape": [1 << 20], "data_offsets": [0, 4 << 20]}}, FOUR),
        "beyond the end of the file",
    ),
    "safetensors: negative offsets": (lambda: safetensors({"a": entry(-16, 0)}, FOUR), "without its place"),
    "safetensors: shape that overflows": (
        lambda: safetensors({"a": {"dtype": "F32", "shape": [1 << 62, 4], "data_offsets": [0, 0]}}, b""),
        "impossible shape",
    ),
    "safetensors: bytes after the tensors": (lambda: safetensors({"a": entry(0, 16)}, FOUR + b"x"), "goes on after"),
    "safetensors: metadata that is no text": (lambda: safetensors({"__metadata__": {"a": 1}}), "not text"),
}


def entry(begin: int, end: int) -> dict[str, object]:
    return {"dtype": "F32", "shape": [4], "data_offsets": [begin, end]}


def zip_of(path: str) -> bytes:
    return torch_zip(1, {}).replace(b"archive/data.pkl", b"archive/read.txt") if path else b""


ATTACKS = {**EXECUTION, **TENSORS, **STRUCTURE, **CONTAINERS}
HEAVY = (  # that take a second with the type checks of tests: only tried in a process without
    "one storage under thousands of names",
    "text of 9 MB",
    "memo of 10^6",
    "list nested 10^6 deep",
    "list nested 50,000 deep",
    "deep tuple as a key",
    "keys whose hashes collide",
    "10^7 operations",
    "10^7 marks",
    "10^6 values",
    "10^6 sets",
    "names of 2,000 unknown classes",
    "safetensors: header of 100 MB",
)
