"""An interpreter of pickle's operations that can only build inert values.

It is no subclass of Python's Unpickler and never imports or calls what a file names. A global is looked up by its exact
pair (module, name) in a table of our own functions; what is not there becomes an `Unknown`, or is refused where no
network could need it. Nothing recurses, and every loop is paid from the `Budget`.
Operations as in CPython's `pickletools`, protocols 2 to 5.
"""

import struct
import sys
from collections.abc import Callable
from typing import Any, NoReturn

from ganlab.pickles.fill import FILL
from ganlab.pickles.records import AGAIN, SOURCE, Budget, Global, Members, Span, Table, Unknown, clip, refuse
from ganlab.pickles.source import Source

BLOCK = 16 * 1024  # bytes read ahead
LONGEST_KEY = 10_000_000  # integer keys stay below, else their hashes could be made to collide
LONGEST_NAME = 512


class Machine:
    """Runs the pickles that stand one after another in a span of a file."""

    def __init__(self, source: Source, span: Span, budget: Budget) -> None:
        self.source, self.budget, self.limits = source, budget, budget.limits
        self.position, self.end = span.start, span.start + span.length
        self.window, self.base = b"", span.start
        self.at = span.start  # of the operation being run
        self.table: Table = {}
        self.persistent: Callable[[Any], Any] | None = None
        self.stack: list[Any] = []
        self.marks: list[int] = []
        self.memo: dict[int, Any] = {}

    def run(self, table: Table, persistent: Callable[[Any], Any] | None = None) -> Any:
        """The value of the next pickle; `persistent(id)` answers its persistent ids, which are refused without it."""
        self.table, self.persistent = table, persistent
        self.stack, self.marks, self.memo = [], [], {}
        self.at = self.position
        if self.take(1) != b"\x80":
            self.refuse("does not start as a pickle of protocol 2 or later does")
        if not 2 <= self.take(1)[0] <= 5:
            self.refuse("is of a pickle protocol that does not exist")
        budget, stack, most = self.budget, self.stack, self.limits.stack
        while True:
            self.at = self.position
            budget.operations -= 1
            if budget.operations < 0:
                self.refuse(f"has more than {self.limits.operations:,} pickle operations, far more than any checkpoint")
            code = self.take(1)[0]
            if code == STOP:
                if len(stack) != 1 or self.marks:
                    self.refuse(f"ends with {len(stack)} values where one is expected")
                return stack[0]
            operation = OPERATIONS.get(code)
            if operation is None:
                name = REFUSED.get(code, f"0x{code:02x}")
                self.refuse(f"uses the pickle operation {name}, which no known checkpoint needs")
            operation(self)
            if len(stack) > most:
                self.refuse(f"piles up more than {most:,} values")

    def refuse(self, problem: str, advice: str = SOURCE) -> NoReturn:
        """Refuses the file for what stands at the present operation."""
        refuse(f"{problem} (at byte {self.at:,})", advice)

    def check(self, fine: bool, problem: str) -> None:
        """Refuses the file unless `fine`."""
        if not fine:
            self.refuse(problem)

    # -- bytes

    def take(self, size: int) -> bytes:
        """The next bytes; few, for they come into memory."""
        start = self.position - self.base
        if start + size > len(self.window):
            self.room(size)
            self.window = self.source.read(self.position, min(max(size, BLOCK), self.end - self.position))
            self.base, start = self.position, 0
        self.position += size
        return self.window[start : start + size]

    def room(self, size: int) -> None:
        """Refuses the file if it has not `size` bytes more."""
        if size > self.end - self.position:
            left = self.end - self.position
            self.refuse(f"is cut short or lies about a length: {size:,} bytes are due and {left:,} are left", AGAIN)

    def span(self, size: int) -> Span:
        """The next bytes, left in the file."""
        self.room(size)
        self.position += size
        return Span(self.position - size, size)

    def whole(self, size: int, signed: bool = False) -> int:
        """The next little-endian integer of `size` bytes."""
        return int.from_bytes(self.take(size), "little", signed=signed)

    def text(self, size: int) -> str:
        """The next string of `size` bytes."""
        self.room(size)
        self.budget.take_text(size)
        try:
            return self.take(size).decode()
        except UnicodeDecodeError:
            self.refuse("holds a text that is not UTF-8", AGAIN)

    def line(self) -> str:
        """A name up to the end of its line."""
        out = bytearray()
        while (byte := self.take(1)) != b"\n":
            out += byte
            if len(out) > LONGEST_NAME:
                self.refuse("holds a name without an end")
        return out.decode("latin1")

    # -- stack and memo

    def push(self, value: Any) -> None:
        """Lays a value on the stack."""
        self.stack.append(value)

    def pop(self) -> Any:
        """Takes the topmost value, never one from below a mark."""
        self.top()
        return self.stack.pop()

    def top(self) -> Any:
        """The topmost value."""
        if len(self.stack) <= (self.marks[-1] if self.marks else 0):
            self.refuse("takes more values than it has laid down")
        return self.stack[-1]

    def since_mark(self) -> list[Any]:
        """Takes the values above the last mark."""
        if not self.marks:
            self.refuse("looks for a mark that was never set")
        mark = self.marks.pop()
        items = self.stack[mark:]
        del self.stack[mark:]
        return items

    def remember(self, index: int) -> None:
        """Notes the topmost value in the memo."""
        value = self.top()
        if self.memo.setdefault(index, value) is not value:
            self.refuse("overwrites what it has noted")
        if len(self.memo) > self.limits.memo:
            self.refuse(f"notes more than {self.limits.memo:,} values")

    def recall(self, index: int) -> None:
        """Lays a value of the memo on the stack."""
        if index not in self.memo:
            self.refuse("asks for a value that it has never noted")
        self.push(self.memo[index])

    # -- containers

    def key(self, key: Any) -> Any:
        """A key of a dict or set; only values that are cheap to hash."""
        if type(key) not in (str, int, bool, type(None)):
            self.refuse(f"uses {'a tuple' if type(key) is tuple else clip(key)} as a key")
        if type(key) is int and not -1 <= key < LONGEST_KEY:
            self.refuse("uses a huge number as a key")
        return key

    def extend(self, items: list[Any]) -> None:
        """Appends to the list on top."""
        target = self.top()
        if type(target) is Unknown:
            return
        if type(target) is not list:
            self.refuse(f"appends to {clip(target)}")
        target.extend(items)

    def add(self, items: list[Any]) -> None:
        """Adds to the set on top."""
        target = self.top()
        if type(target) is not Members:
            self.refuse(f"adds members to {clip(target)}")
        target.update((self.key(item), None) for item in items)

    def set_items(self, items: list[Any]) -> None:
        """Sets keys, each followed by its value, in the dict on top."""
        target = self.top()
        if type(target) is Unknown:
            return
        if type(target) is not dict:
            self.refuse(f"sets items of {clip(target)}")
        if len(items) % 2:
            self.refuse("gives a key without a value")
        self.fill(target, items)

    def fill(self, target: dict[Any, Any], items: list[Any]) -> None:
        """Sets keys, each followed by its value; a key that is an `Unknown` is left out."""
        for key, value in zip(items[::2], items[1::2]):
            if type(key) is Unknown:
                continue
            if self.key(key) in target:
                self.refuse(f"sets the key {clip(key)} twice")
            target[key] = value

    # -- what a file names

    def find(self, module: Any, name: Any) -> None:
        """Lays down what stands for a global."""
        if type(module) is not str or type(name) is not str:
            self.refuse("gives a name that is not a text")
        label = f"{module}.{name}"
        known = self.table.get((module, name))
        if known is not None:
            self.push(Global(label, known))
            return
        if not is_network_code(module, name):
            self.refuse(f"names {clip(label)}, which no checkpoint needs and which was not run; it may be hostile")
        self.budget.unknown[label] += 1
        if len(self.budget.unknown) > self.limits.unknown:
            self.refuse(f"names more than {self.limits.unknown:,} unknown things")
        self.push(Unknown(label))

    def call(self) -> None:
        """REDUCE: our own function for the global, on its arguments."""
        arguments, what = self.pop(), self.pop()
        if type(what) is Unknown:
            self.push(what)
        elif type(what) is not Global or what.known.call is None:
            self.refuse(f"calls {clip(what.label) if type(what) is Global else clip(what)}")
        elif type(arguments) is not tuple:
            self.refuse(f"calls {what.label} without a tuple of arguments")
        elif any(type(item) is Unknown for item in arguments):
            self.push(next(item for item in arguments if type(item) is Unknown))
        else:
            self.push(what.known.call(self, arguments))

    def new(self) -> None:
        """NEWOBJ: an empty record for a class."""
        arguments, what = self.pop(), self.pop()
        if type(what) is Unknown:
            self.push(what)
        elif type(what) is Global and what.known.new is not None and type(arguments) is tuple and not arguments:
            self.push(what.known.new(what.label))
        else:
            self.refuse(f"makes an object of {clip(what.label) if type(what) is Global else clip(what)}")

    def build(self) -> None:
        """BUILD: fills the record on top."""
        state, target = self.pop(), self.top()
        if type(target) is Unknown:
            return
        if type(target) not in FILL:
            self.refuse(f"sets the inner state of {clip(target)}")
        FILL[type(target)](self, target, state)

    def persist(self) -> None:
        """BINPERSID: the storage that a persistent id stands for."""
        if self.persistent is None:
            self.refuse("uses a persistent id, which this kind of checkpoint has no use for")
        self.push(self.persistent(self.pop()))


def is_network_code(module: str, name: str) -> bool:
    """Whether an unknown global may be a class of some network, which an `Unknown` can stand for.

    Nothing of Python itself, numpy or dill is, and of torch only `torch.nn`.
    """
    root = module.partition(".")[0]
    if (module, name) == ("functools", "partial"):  # layers of timm, in discriminators
        return True
    plain = all(part.isidentifier() and part.isascii() for part in [*module.split("."), name])
    return (
        plain
        and len(module) + len(name) < 200
        and root not in sys.stdlib_module_names
        and root not in NEVER
        and (root != "torch" or module.startswith("torch.nn."))
    )


def _frame(machine: Machine) -> None:
    machine.room(machine.whole(8))


def _tuple(machine: Machine, count: int) -> None:
    items = [machine.pop() for _ in range(count)]
    machine.push(tuple(reversed(items)))


def _long(machine: Machine) -> None:
    size = machine.take(1)[0]
    if size > machine.limits.integer_bytes:
        machine.refuse(f"holds an integer of {size} bytes")
    machine.push(machine.whole(size, signed=True))


def _item(machine: Machine) -> None:
    value, key = machine.pop(), machine.pop()
    machine.set_items([key, value])


def _append(machine: Machine) -> None:
    machine.extend([machine.pop()])


def _global(machine: Machine) -> None:
    machine.find(machine.line(), machine.line())


def _stack_global(machine: Machine) -> None:
    name, module = machine.pop(), machine.pop()
    machine.find(module, name)


STOP = 0x2E
NEVER = ("__builtin__", "__main__", "cloudpickle", "copy_reg", "dill", "joblib", "numpy", "pip", "setuptools")

OPERATIONS: dict[int, Callable[[Machine], None]] = {
    0x95: _frame,  # FRAME
    0x28: lambda m: m.marks.append(len(m.stack)),  # MARK
    0x30: lambda m: (m.pop(), None)[1],  # POP
    0x4E: lambda m: m.push(None),  # NONE
    0x88: lambda m: m.push(True),  # NEWTRUE
    0x89: lambda m: m.push(False),  # NEWFALSE
    0x4B: lambda m: m.push(m.take(1)[0]),  # BININT1
    0x4D: lambda m: m.push(m.whole(2)),  # BININT2
    0x4A: lambda m: m.push(m.whole(4, signed=True)),  # BININT
    0x8A: _long,  # LONG1
    0x47: lambda m: m.push(struct.unpack(">d", m.take(8))[0]),  # BINFLOAT
    0x8C: lambda m: m.push(m.text(m.take(1)[0])),  # SHORT_BINUNICODE
    0x58: lambda m: m.push(m.text(m.whole(4))),  # BINUNICODE
    0x43: lambda m: m.push(m.span(m.take(1)[0])),  # SHORT_BINBYTES
    0x42: lambda m: m.push(m.span(m.whole(4))),  # BINBYTES
    0x8E: lambda m: m.push(m.span(m.whole(8))),  # BINBYTES8
    0x96: lambda m: m.push(m.span(m.whole(8))),  # BYTEARRAY8
    0x29: lambda m: m.push(()),  # EMPTY_TUPLE
    0x85: lambda m: _tuple(m, 1),  # TUPLE1
    0x86: lambda m: _tuple(m, 2),  # TUPLE2
    0x87: lambda m: _tuple(m, 3),  # TUPLE3
    0x74: lambda m: m.push(tuple(m.since_mark())),  # TUPLE
    0x5D: lambda m: m.push([]),  # EMPTY_LIST
    0x61: _append,  # APPEND
    0x65: lambda m: m.extend(m.since_mark()),  # APPENDS
    0x7D: lambda m: m.push({}),  # EMPTY_DICT
    0x73: _item,  # SETITEM
    0x75: lambda m: m.set_items(m.since_mark()),  # SETITEMS
    0x8F: lambda m: m.push(Members()),  # EMPTY_SET
    0x90: lambda m: m.add(m.since_mark()),  # ADDITEMS
    0x94: lambda m: m.remember(len(m.memo)),  # MEMOIZE
    0x71: lambda m: m.remember(m.take(1)[0]),  # BINPUT
    0x72: lambda m: m.remember(m.whole(4)),  # LONG_BINPUT
    0x68: lambda m: m.recall(m.take(1)[0]),  # BINGET
    0x6A: lambda m: m.recall(m.whole(4)),  # LONG_BINGET
    0x63: _global,  # GLOBAL
    0x93: _stack_global,  # STACK_GLOBAL
    0x52: Machine.call,  # REDUCE
    0x81: Machine.new,  # NEWOBJ
    0x62: Machine.build,  # BUILD
    0x51: Machine.persist,  # BINPERSID
}
REFUSED = {  # names for the refusal; all others are given by number
    0x69: "INST",
    0x6F: "OBJ",
    0x82: "EXT1",
    0x83: "EXT2",
    0x84: "EXT4",
    0x50: "PERSID",
    0x80: "PROTO",
    0x8B: "LONG4",
    0x92: "NEWOBJ_EX",
    0x8D: "BINUNICODE8",
    0x55: "SHORT_BINSTRING",
    0x54: "BINSTRING",
}
