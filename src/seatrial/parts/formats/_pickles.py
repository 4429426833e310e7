"""Pickles as what they are, programs: their opcodes are listed, none is carried out.

The names that a pickle would import are found from `GLOBAL`, `INST` and, through the texts pushed before it, `STACK_GLOBAL`. A
pickle that juggles its stack can hide a name; that there is one, and that it is called, it can't.
"""

from __future__ import annotations

import pickletools
import zlib
from collections import Counter
from pathlib import Path
from typing import IO, Any, NamedTuple

from seatrial.contracts.inspection import Bounds, Danger

CALLS = ("REDUCE", "BUILD", "INST", "OBJ", "NEWOBJ", "NEWOBJ_EX")
HIDDEN = "a name that is put together while it runs"
TENSORS = {
    "collections.OrderedDict",
    "torch._utils._rebuild_tensor_v2",
    "torch._utils._rebuild_parameter",
    "torch._tensor._rebuild_from_type_v2",
    "torch.Size",
    "torch.device",
    *(
        f"torch.{name}Storage"
        for name in ("Float", "Half", "BFloat16", "Double", "Long", "Int", "Short", "Char", "Byte", "Bool", "Untyped")
    ),
    *(
        f"torch.{name}"
        for name in ("float32", "float16", "bfloat16", "float64", "int64", "int32", "int16", "int8", "uint8", "bool")
    ),
    "torch.storage.UntypedStorage",
    "torch.storage.TypedStorage",
}
"""What a state dict of tensors needs. A pickle that names nothing else is usual; it is refused all the same."""
MOST_PICKLES = 64
"""Pickles one after another in a file: PyTorch's old form has five."""


class Listing(NamedTuple):
    """What a pickle would do: opcodes by name, names that it imports, how it ends."""

    opcodes: Counter[str]
    names: Counter[str]
    calls: int
    ending: str


def listed(stream: IO[bytes], bounds: Bounds) -> Listing:
    """The opcodes of the pickles in a stream, one after another, as far as they can be read."""
    opcodes: Counter[str] = Counter()
    names: Counter[str] = Counter()
    ending, stream = "whole", _Sparing(stream, bounds)  # type: ignore[assignment]
    for _ in range(MOST_PICKLES):
        try:
            ending = _one(stream, opcodes, names, bounds)
        except (ValueError, IndexError, KeyError, EOFError, OSError, zlib.error, MemoryError, UnicodeError) as error:
            first = (str(error) or type(error).__name__).split("\n")[0][:100]
            ending = ending if not opcodes["STOP"] else f"something else follows: {first}"
            ending = ending if opcodes["STOP"] else f"no sound pickle: {first}"
            break
        if ending != "whole":
            break
    return Listing(opcodes, names, sum(opcodes[one] for one in CALLS), ending)


class _Gap(bytes):
    """Bytes that were read and let go; only their number is known."""

    def __new__(cls, count: int) -> _Gap:
        made = super().__new__(cls)
        made.passed = count  # type: ignore[attr-defined]
        return made

    def __len__(self) -> int:
        return int(self.passed)  # type: ignore[attr-defined]


class _Sparing:
    """A stream whose long arguments (the arrays) are passed over in pieces, and that ends at the bound."""

    PIECE = 2**20

    def __init__(self, stream: IO[bytes], bounds: Bounds) -> None:
        self._stream, self._left = stream, bounds.unpacked

    def read(self, count: int) -> bytes:
        """So many bytes, or fewer at the end."""
        self._spend(min(count, self._left + 1))
        if count <= self.PIECE:
            return self._stream.read(count)
        passed = 0
        while passed < count:
            got = len(self._stream.read(min(self.PIECE, count - passed)))
            if not got:
                break
            passed += got
        return _Gap(passed)

    def readline(self) -> bytes:
        """A line, of a mebibyte at most."""
        line = self._stream.readline(self.PIECE)
        self._spend(len(line))
        return line

    def _spend(self, count: int) -> None:
        self._left -= count
        if self._left < 0:
            raise ValueError("it unpacks to more than may be read")


def _one(stream: IO[bytes], opcodes: Counter[str], names: Counter[str], bounds: Bounds) -> str:
    texts: list[str] = []
    memo: dict[Any, str] = {}
    for opcode, argument, _ in pickletools.genops(stream):
        opcodes[opcode.name] += 1
        if opcodes.total() > bounds.steps:
            return f"cut off after {bounds.steps} opcodes"
        if opcode.name in ("GLOBAL", "INST"):
            names[_dotted(*str(argument).split(" ", 1))] += 1
        elif opcode.name == "STACK_GLOBAL":
            names[_dotted(*texts[-2:]) if len(texts) > 1 else HIDDEN] += 1
        elif opcode.name in ("MEMOIZE", "PUT", "BINPUT", "LONG_BINPUT"):
            place = len(memo) if argument is None else argument
            memo[place] = texts[-1] if texts else ""
        elif opcode.name in ("GET", "BINGET", "LONG_BINGET"):
            texts.append(memo.get(argument, ""))
        elif isinstance(argument, str):
            texts.append(argument[:200])
        del texts[:-8]
    return "whole"


def _dotted(module: str = "", name: str = "") -> str:
    return f"{module}.{name}" if module and name else HIDDEN


def danger(listing: Listing, where: str) -> Danger:
    """A pickle, told with the names that it would import."""
    odd = [name for name in listing.names if name not in TENSORS]
    told = ", ".join(odd[:8]) + (", ..." if len(odd) > 8 else "")
    if not listing.names:
        told = "it imports nothing" if listing.ending == "whole" else listing.ending
    elif not odd:
        told = "only what a state dict of tensors needs"
    elif listing.ending != "whole":
        told += f" ({listing.ending})"
    return Danger(what="pickle", where=where, executes="when loaded", detail=f"{told}; {listing.calls} calls"[:500])


def begins(start: bytes) -> bool:
    """Whether these bytes begin a pickle: protocols 2 to 5 say so, 0 and 1 begin with one of a few opcodes and end with a full stop."""
    if start[:1] == b"\x80" and start[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05"):
        return True
    return start[:1] in b"(]}cdlI" and start[:1] != b"" and reads(start)


def reads(start: bytes) -> bool:
    """Whether at least three opcodes can be read, or the pickle ends before."""
    try:
        for at, (opcode, _, _) in enumerate(pickletools.genops(start)):
            if opcode.name == "STOP" or at >= 3:
                return True
    except (ValueError, IndexError, KeyError, UnicodeError):
        return False
    return False


def unpacked(path: Path, start: bytes) -> Any:
    """A stream of the pickle: as it is, or out of gzip or zlib, as joblib writes them; it is read no further than asked."""
    import bz2
    import gzip
    import io
    import lzma

    if start[:2] == b"\x1f\x8b":
        return gzip.open(path, "rb")
    if start[:3] == b"BZh":
        return bz2.open(path, "rb")
    if start[:6] == b"\xfd7zXZ\x00":
        return lzma.open(path, "rb")
    if start[:1] == b"\x78":
        inflater = zlib.decompressobj()
        with path.open("rb") as file:
            return io.BytesIO(inflater.decompress(file.read(2**26), 2**26))
    return path.open("rb")
