"""Reads what a Python pickle describes without doing what it says: no class is looked up, and nothing is ever called.

A pickle is a program for a small machine with a stack. This is such a machine with the doing left out: where Python
would import a name it leaves a `Named`, where Python would call something a `Made` that says what was to be called with
what. A file that names anything that does not belong in a model of gensim is refused all the same, by its name.
"""

import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from streamvec.errors import StreamvecError

_MODULES = ("gensim.", "numpy.", "scipy.sparse.")
_PLAIN = {"numpy", "collections"}
_BUILTINS = (
    *("object", "int", "long", "float", "complex", "bool", "str", "bytes", "bytearray"),
    *("list", "tuple", "dict", "set", "frozenset", "slice", "hash"),
)
_HARMLESS = {
    *((module, name) for module in ("builtins", "__builtin__") for name in _BUILTINS),
    ("_codecs", "encode"),
    ("copyreg", "_reconstructor"),
    ("copy_reg", "_reconstructor"),
}
_KEYS = (str, int, float, type(None))


class Named(NamedTuple):
    """A class or function that a pickle refers to by name; what is called so is not looked up."""

    module: str
    name: str


class Made:
    """What a pickle would have made by a call: of what, with which arguments, and the state it would have set."""

    def __init__(self, of: Any, arguments: Any) -> None:
        self.of = of
        self.arguments = arguments
        self.state: Any = None

    @property
    def attributes(self) -> dict[Any, Any]:
        """The state, where it is a dict of names."""
        return self.state if isinstance(self.state, dict) else {}


class _Mark:
    """Stands on the stack where the items of a list or a dict begin."""


class _Damaged(Exception):
    """What is wrong with the pickle."""


def read_pickle(data: bytes | memoryview, path: Path) -> Any:
    """What *data* describes: strings, numbers, bytes, lists, tuples, dicts, and Named and Made in place of all else.

    Bytes are views of *data*: what is read takes no more memory than a small multiple of the file. Raises
    StreamvecError, naming the place, for a damaged pickle, and for one that names what is not gensim's or numpy's.
    """
    machine = _Machine(memoryview(data))
    try:
        return machine.run()
    except _Damaged as problem:
        raise StreamvecError(f"{path}: a Python pickle, at byte {machine.began:,}: {problem}") from problem
    except (ValueError, TypeError, IndexError, KeyError, OverflowError) as problem:
        raise StreamvecError(f"{path}: a Python pickle, damaged at byte {machine.began:,} ({problem})") from problem


class _Machine:
    """The stack, the memo, and a method for each opcode; names are those of Python's pickletools."""

    def __init__(self, data: memoryview) -> None:
        self.data = data
        self.at = 0
        self.began = 0
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}

    def run(self) -> Any:
        """Runs to STOP and returns what is left."""
        data, table, size = self.data, _OPCODES, len(self.data)
        while True:
            self.began = self.at
            if self.at >= size:
                raise _Damaged("cut short: it has no end")
            code = data[self.at]
            self.at += 1
            if code == 0x2E:  # STOP
                if len(self.stack) != 1 or self.stack[0] is _Mark:
                    raise _Damaged("damaged: more than one thing is left at its end")
                return self.stack[0]
            does = table.get(code)
            if does is None:
                raise _Damaged(f"damaged, or of a kind that gensim does not write (opcode {code:#04x})")
            does(self)

    def take(self, number: int) -> memoryview:
        """The next so many bytes."""
        if number < 0 or number > len(self.data) - self.at:
            raise _Damaged(f"cut short or damaged: {number:,} bytes should follow")
        self.at += number
        return self.data[self.at - number : self.at]

    def line(self) -> str:
        """Text up to the next line feed."""
        begin, limit = self.at, min(len(self.data), self.at + 1000)
        while self.at < limit:
            self.at += 1
            if self.data[self.at - 1] == 10:
                return bytes(self.data[begin : self.at - 1]).decode()
        raise _Damaged("damaged: a name without an end")

    def number(self, size: int) -> int:
        """An unsigned integer of that many bytes."""
        return int.from_bytes(self.take(size), "little")

    def pop(self) -> Any:
        """What is on top."""
        top = self.stack.pop()
        if top is _Mark:
            raise _Damaged("damaged: a mark where a value should be")
        return top

    def marked(self) -> list[Any]:
        """Everything above the last mark, which goes too."""
        place = len(self.stack) - 1
        while self.stack[place] is not _Mark:
            place -= 1
            if place < 0:
                raise _Damaged("damaged: items without a mark")
        items = self.stack[place + 1 :]
        del self.stack[place:]
        return items

    def refer(self, module: Any, name: Any) -> None:
        """Puts a name on the stack, if it is one that belongs in a model."""
        if not isinstance(module, str) or not isinstance(name, str):
            raise _Damaged("damaged: a name that is no text")
        fine = module in _PLAIN or module.startswith(_MODULES) or (module, name) in _HARMLESS
        if not fine or "." in name:
            raise _Damaged(
                f"refers to {module}.{name}, which has no place in a model of gensim: Python would run it; nothing was "
                "run. If you trust the file, load it in gensim and save_word2vec_format(FILE) there"
            )
        self.stack.append(Named(module, name))

    def append(self, items: list[Any]) -> None:
        """Into the list on top; what would append to an object by a call of its own is left out."""
        target = self.stack[-1]
        if isinstance(target, list):
            target.extend(items)
        elif not isinstance(target, Made):
            raise _Damaged("damaged: items for what is no list")

    def set_items(self, items: list[Any]) -> None:
        """Into the dict on top, keys and values by turns."""
        target = self.stack[-1]
        if len(items) % 2:
            raise _Damaged("damaged: a key without its value")
        if isinstance(target, dict):
            keys = items[0::2]
            if not all(isinstance(key, _KEYS) for key in keys):  # the hash of nested tuples would overflow the stack
                raise _Damaged("damaged: a key that is no word")
            target.update(zip(keys, items[1::2], strict=True))
        elif not isinstance(target, Made):
            raise _Damaged("damaged: items for what is no dict")

    def make(self, arguments: Any, of: Any) -> None:
        """Puts down what a call would have made."""
        if not isinstance(of, Named):
            raise _Damaged("damaged: calls what is no name")
        self.stack.append({} if of == Named("collections", "OrderedDict") and arguments == () else Made(of, arguments))

    def build(self) -> None:
        """Notes the state of the object below."""
        state, target = self.pop(), self.stack[-1]
        if not isinstance(target, Made):
            raise _Damaged("damaged: a state for what has none")
        target.state = state

    def put(self, place: int) -> None:
        """Remembers the top under a number."""
        self.memo[place] = self.stack[-1]


def _push(read: Callable[[_Machine], Any]) -> Callable[[_Machine], None]:
    def does(machine: _Machine) -> None:
        machine.stack.append(read(machine))

    return does


def _text(size: int) -> Callable[[_Machine], None]:
    def does(machine: _Machine) -> None:
        machine.stack.append(str(machine.take(machine.number(size)), "utf-8", "surrogatepass"))

    return does


def _bytes(size: int) -> Callable[[_Machine], None]:
    return _push(lambda machine: machine.take(machine.number(size)))


def _tuple(number: int) -> Callable[[_Machine], None]:
    return _push(lambda machine: tuple(reversed([machine.pop() for _ in range(number)])))


def _long(machine: _Machine) -> int:
    return int.from_bytes(machine.take(machine.number(1)), "little", signed=True)


def _reduce(machine: _Machine) -> None:
    arguments = machine.pop()
    machine.make(arguments, machine.pop())


def _newobj_ex(machine: _Machine) -> None:
    machine.pop()
    _reduce(machine)


def _stack_global(machine: _Machine) -> None:
    name = machine.pop()
    machine.refer(machine.pop(), name)


def _one(items: Callable[[_Machine], None], number: int) -> Callable[[_Machine], None]:
    """APPEND and SETITEM: as the plural, of what is on top without a mark."""

    def does(machine: _Machine) -> None:
        machine.stack.insert(len(machine.stack) - number, _Mark)
        items(machine)

    return does


def _appends(machine: _Machine) -> None:
    machine.append(machine.marked())


def _dict(machine: _Machine) -> None:
    items = machine.marked()
    machine.stack.append({})
    machine.set_items(items)


def _setitems(machine: _Machine) -> None:
    machine.set_items(machine.marked())


_OPCODES: dict[int, Callable[[_Machine], Any]] = {
    ord("("): _push(lambda machine: _Mark),
    ord("0"): _Machine.pop,
    ord("1"): _Machine.marked,
    ord("N"): _push(lambda machine: None),
    0x88: _push(lambda machine: True),
    0x89: _push(lambda machine: False),
    ord("J"): _push(lambda machine: int.from_bytes(machine.take(4), "little", signed=True)),
    ord("K"): _push(lambda machine: machine.number(1)),
    ord("M"): _push(lambda machine: machine.number(2)),
    0x8A: _push(_long),
    ord("G"): _push(lambda machine: struct.unpack(">d", machine.take(8))[0]),
    ord("X"): _text(4),
    0x8C: _text(1),
    0x8D: _text(8),
    ord("T"): _push(lambda machine: str(machine.take(machine.number(4)), "latin-1")),  # of Python 2
    ord("U"): _push(lambda machine: str(machine.take(machine.number(1)), "latin-1")),
    ord("B"): _bytes(4),
    ord("C"): _bytes(1),
    0x8E: _bytes(8),
    0x96: _bytes(8),
    ord(")"): _push(lambda machine: ()),
    ord("t"): _push(lambda machine: tuple(machine.marked())),
    0x85: _tuple(1),
    0x86: _tuple(2),
    0x87: _tuple(3),
    ord("]"): _push(lambda machine: []),
    ord("l"): _push(_Machine.marked),
    ord("a"): _one(_appends, 1),
    ord("e"): _appends,
    ord("}"): _push(lambda machine: {}),
    ord("d"): _dict,
    ord("s"): _one(_setitems, 2),
    ord("u"): _setitems,
    0x8F: _push(lambda machine: []),  # a set: its items are those of a list
    0x90: _appends,
    0x91: _push(_Machine.marked),
    ord("c"): lambda machine: machine.refer(machine.line(), machine.line()),
    0x93: _stack_global,
    ord("R"): _reduce,
    0x81: _reduce,
    0x92: _newobj_ex,
    ord("b"): _Machine.build,
    ord("q"): lambda machine: machine.put(machine.number(1)),
    ord("r"): lambda machine: machine.put(machine.number(4)),
    0x94: lambda machine: machine.put(len(machine.memo)),
    ord("h"): _push(lambda machine: machine.memo[machine.number(1)]),
    ord("j"): _push(lambda machine: machine.memo[machine.number(4)]),
    0x80: lambda machine: machine.take(1),
    0x95: lambda machine: machine.take(8),
}
