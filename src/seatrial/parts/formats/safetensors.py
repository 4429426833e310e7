"""A safetensors file: a JSON header and the tensors that it names, nothing that could run.

The header is read within its bound; tensors must follow each other without overlap or gap, and be as large as their shapes say.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from seatrial.contracts.inspection import Bounds, Look, Tensor
from seatrial.parts.formats._reading import cut, numbers, reading, refused, short, tally

GIVES = {"suffix": (".safetensors",)}
BITS = {"BOOL": 8, "U8": 8, "I8": 8, "U16": 16, "I16": 16, "F16": 16, "BF16": 16, "U32": 32, "I32": 32, "F32": 32}
BITS |= {"U64": 64, "I64": 64, "F64": 64, "C64": 64, "F8_E4M3": 8, "F8_E5M2": 8, "F8_E8M0": 8}
BITS |= {"F4": 4, "F6_E2M3": 6, "F6_E3M2": 6}
NAMES = {"F": "float", "I": "int", "U": "uint", "BF": "bfloat", "C": "complex"}


def recognises(path: Path, start: bytes) -> bool:
    """Eight bytes of length, and then the brace that begins the header."""
    length = int.from_bytes(start[:8], "little")
    return len(start) > 8 and 2 <= length < 2**40 and start[8:9] == b"{"


def look(path: Path, bounds: Bounds) -> Look:
    """Tensors by name, their types, and what the file says of itself."""
    with reading(path, "safetensors"):
        header, end = _header(path, bounds)
        metadata = header.pop("__metadata__", {})
        reached, arrays, precision = 0, [], []
        for name, one in sorted(header.items(), key=lambda entry: entry[1]["data_offsets"]):
            start, stop = one["data_offsets"]
            count = numbers(path, one["shape"], bounds)
            if type(start) is not int or type(stop) is not int or start != reached or stop < start:
                raise refused(
                    path, f"`{short(name, bounds)}` lies from {start} to {stop}, after one that ends at {reached}"
                )
            if (stop - start) * 8 != count * BITS[one["dtype"]]:
                raise refused(
                    path, f"`{short(name, bounds)}` has {stop - start} bytes for {count} numbers of {one['dtype']}"
                )
            reached = stop
            dtype = _dtype(one["dtype"])
            arrays.append(Tensor(name=short(name, bounds), dtype=dtype, shape=tuple(one["shape"])))
            precision.append((dtype, count))
        if reached != end:
            raise refused(path, f"it holds {end} bytes of tensors where its header promises {reached}")
    counted = tally(precision)
    return Look(
        parameters=sum(counted.values()), precision=counted, arrays=tuple(arrays), metadata=cut(metadata, bounds)
    )


def _header(path: Path, bounds: Bounds) -> tuple[dict[str, Any], int]:
    """The header, and how many bytes follow it."""
    size = path.stat().st_size
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if length > bounds.header:
            raise refused(path, f"its header would have {length} bytes", "header")
        header = json.loads(file.read(length))
    if not isinstance(header, dict):
        raise refused(path, "its header is no JSON object")
    return header, size - 8 - length


def _dtype(name: str) -> str:
    """`F32` as `float32`; what NumPy hasn't got as it is written."""
    letters = name.rstrip("0123456789")
    return "bool" if name == "BOOL" else f"{NAMES[letters]}{name[len(letters) :]}" if letters in NAMES else name.lower()
