"""The Open Inference Protocol's tensors on the wire: in JSON, or in bytes after the JSON (the binary tensor data extension).

Bytes are little-endian and row by row; of BYTES each element is its length as four bytes, then itself. Every size that a
server states is held against what it sent before anything is made of it.
"""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from seatrial.errors import ModelError, Unsupported

Array = np.ndarray[Any, Any]
NUMBERS = {"BOOL": "?", "FP16": "<f2", "FP32": "<f4", "FP64": "<f8"}
NUMBERS |= {f"{'U' * (kind == 'u')}INT{8 * size}": f"<{kind}{size}" for kind in "iu" for size in (1, 2, 4, 8)}
"""numpy's name of each datatype that numpy has."""
BF16, TEXT = "BF16", "BYTES"
LENGTH = "Inference-Header-Content-Length"
"""The header that says how many bytes of a body are JSON, where tensors follow."""
_WORDS: dict[str, set[type]] = {"BOOL": {bool}, TEXT: {str}}
_WORDS |= {name: {int, float} for name in ("FP16", "FP32", "FP64")}
"""What Python makes of an element in JSON; int where nothing is said."""


class Tensor(NamedTuple):
    """What a server's metadata says of an input or output; `shape` with the row axis, -1 where it varies, None where unsaid."""

    name: str
    datatype: str
    shape: tuple[int, ...] | None

    def fits(self, shape: Sequence[int]) -> bool:
        """Whether an array of this shape, rows first, is what was stated, with or without the axis of rows."""
        return self.shape is None or any(_same(self.shape, way) for way in (tuple(shape), tuple(shape[1:])))


def datatype_of(dtype: Any) -> str:
    """The protocol's name of a numpy type; text is BYTES. Raises `Unsupported` where it has none."""
    kind = np.dtype(dtype)
    if kind.kind in "OUT":
        return TEXT
    named = [name for name, one in NUMBERS.items() if np.dtype(one) == kind.newbyteorder("<")]
    if not named:
        raise Unsupported(f"the Open Inference Protocol has no datatype for {kind}")
    return named[0]


def request(values: Mapping[str, Array], datatypes: Mapping[str, str], outputs: Sequence[str], binary: bool) -> tuple[bytes, dict[str, str]]:  # fmt: skip
    """The body of an inference request and its headers. Raises `ModelError` for what JSON can't hold."""
    pieces, inputs = [], []
    for name, array in values.items():
        one: dict[str, Any] = {"name": name, "shape": list(array.shape), "datatype": datatypes[name]}
        if binary:
            pieces.append(_packed(array, datatypes[name]))
            one["parameters"] = {"binary_data_size": len(pieces[-1])}
        else:
            one["data"] = _listed(array, name, datatypes[name])
        inputs.append(one)
    wanted: list[dict[str, Any]] = [{"name": name} for name in outputs]
    if not binary:
        return json.dumps({"inputs": inputs, "outputs": wanted}, separators=(",", ":")).encode(), {}
    wanted = [one | {"parameters": {"binary_data": True}} for one in wanted]
    whole = {"inputs": inputs, "outputs": wanted, "parameters": {"binary_data_output": True}}
    head = json.dumps(whole, separators=(",", ":")).encode()
    headers = {"Content-Type": "application/octet-stream", "Accept": "*/*", LENGTH: str(len(head))}
    return b"".join([head, *pieces]), headers


def parts(body: bytes, length: str | None, who: str) -> tuple[bytes, memoryview]:
    """The JSON of an answer, and the bytes after it. Raises `ModelError` where the stated length can't be."""
    if length is None:
        return body, memoryview(b"")
    if not (length.isascii() and length.isdigit() and len(length) < 20) or int(length) > len(body):
        raise ModelError(f"{who} says that {length[:40]} bytes are JSON, of an answer of {len(body)} bytes")
    return body[: int(length)], memoryview(body)[int(length) :]


def tensors(content: Any, rest: memoryview, who: str) -> dict[str, tuple[str, Array]]:
    """Datatype and array of each output of an answer, by name. Raises `ModelError` for all that doesn't hold together."""
    outputs = content.get("outputs") if isinstance(content, Mapping) else None
    if not isinstance(outputs, list) or not all(isinstance(one, Mapping) for one in outputs):
        there = ", ".join(map(str, list(content)[:5])) if isinstance(content, Mapping) else type(content).__name__
        raise ModelError(
            f"{who} answered with {there or 'nothing'}, not with `outputs`", next_step="is it a v2 server?"
        )
    found: dict[str, tuple[str, Array]] = {}
    at = 0
    for one in outputs:
        name, datatype, shape = _stated(one, who)
        given = one.get("parameters")
        size = given.get("binary_data_size") if isinstance(given, Mapping) else None
        if size is None:
            array = _from_json(one.get("data"), name, datatype, math.prod(shape), who)
        else:
            array = _from_bytes(_taken(rest, at, size, name, who), name, datatype, math.prod(shape), who)
            at += size
        found[name] = (datatype, _shaped(array, shape, name, who))
    if at != len(rest):
        raise ModelError(f"{who} sent {len(rest)} bytes after the JSON and announced {at}")
    return found


def _shaped(array: Array, shape: tuple[int, ...], name: str, who: str) -> Array:
    try:
        return array.reshape(shape)
    except (ValueError, OverflowError) as error:  # nothing in too many axes, or in ones that are too long
        raise ModelError(f"{who} gave `{name}` a shape that no array has: {str(shape)[:80]}") from error


def _same(stated: Sequence[int], shape: Sequence[int]) -> bool:
    return len(stated) == len(shape) and all(one in (-1, other) for one, other in zip(stated, shape, strict=True))


def _stated(one: Mapping[str, Any], who: str) -> tuple[str, str, tuple[int, ...]]:
    name, datatype, shape = one.get("name"), one.get("datatype"), one.get("shape")
    if not isinstance(name, str):
        raise ModelError(f"{who} gave an output without a name")
    if datatype not in (*NUMBERS, BF16, TEXT):
        raise ModelError(f"{who} gave `{name}` in the datatype {str(datatype)[:40]}, which the protocol doesn't know")
    if not isinstance(shape, list) or not all(type(size) is int and size >= 0 for size in shape):
        raise ModelError(f"{who} gave `{name}` without a shape of whole numbers: {str(shape)[:80]}")
    return name, datatype, tuple(shape)


def _taken(rest: memoryview, at: int, size: Any, name: str, who: str) -> memoryview:
    if type(size) is not int or size < 0:
        raise ModelError(f"{who} gave `{name}` a size that is none: {str(size)[:40]}")
    if at + size > len(rest):
        raise ModelError(f"{who} sent {len(rest) - at} bytes of `{name}` and announced {size}")
    return rest[at : at + size]


def _listed(array: Array, name: str, datatype: str) -> list[Any]:
    """The elements as JSON has them, row by row."""
    if datatype == BF16:
        raise ModelError(f"`{name}` is {BF16}, which can't be written in JSON", next_step="say `tensors: binary`")
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise ModelError(f"`{name}` holds values that JSON can't: NaN or infinity", next_step="say `tensors: binary`")
    return [str(one) for one in array.ravel()] if datatype == TEXT else array.ravel().tolist()


def _packed(array: Array, datatype: str) -> bytes:
    if datatype == TEXT:
        encoded = [str(one).encode("utf-8", "surrogateescape") for one in array.ravel()]
        return b"".join(piece for one in encoded for piece in (struct.pack("<I", len(one)), one))
    if datatype == BF16:
        return _as_bf16(array).tobytes()
    return np.ascontiguousarray(array, NUMBERS[datatype]).tobytes()


def _as_bf16(array: Array) -> Array:
    """The upper halves of float32, rounded to the nearest, ties to even; NaN stays NaN."""
    bits = np.ascontiguousarray(array, "<f4").view("<u4")
    rounded = (bits + np.uint32(0x7FFF) + ((bits >> np.uint32(16)) & np.uint32(1))) >> np.uint32(16)
    return np.where(np.isnan(array), (bits >> np.uint32(16)) | np.uint32(0x40), rounded).astype("<u2")


def _from_json(data: Any, name: str, datatype: str, count: int, who: str) -> Array:
    """Elements from a list, flat or nested."""
    if not isinstance(data, list):
        raise ModelError(f"{who} gave `{name}` without `data`")
    if datatype == BF16:
        raise ModelError(f"{who} gave `{name}` as {BF16} in JSON", next_step="say `tensors: binary`")
    flat = np.array(data, dtype=object).ravel().tolist() if data and isinstance(data[0], list) else data
    if len(flat) != count:
        raise ModelError(f"{who} gave {len(flat)} elements of `{name}`, its shape holds {count}")
    if wrong := set(map(type, flat)) - _WORDS.get(datatype, {int}):
        raise ModelError(f"{who} gave `{name}` as {datatype} with elements of the type {sorted(w.__name__ for w in wrong)[0]}")  # fmt: skip
    try:
        return np.array(flat, object if datatype == TEXT else NUMBERS[datatype])
    except OverflowError as error:
        raise ModelError(f"{who} gave `{name}` as {datatype} with numbers that it can't hold") from error


def _from_bytes(given: memoryview, name: str, datatype: str, count: int, who: str) -> Array:
    if datatype == TEXT:
        return _texts(given, name, count, who)
    kind = np.dtype("<u2" if datatype == BF16 else NUMBERS[datatype])
    if len(given) != count * kind.itemsize:
        raise ModelError(f"{who} sent {len(given)} bytes of `{name}`, its shape and {datatype} need {count * kind.itemsize}")  # fmt: skip
    array = np.frombuffer(given, kind)
    if datatype == BF16:
        return (array.astype("<u4") << np.uint32(16)).view("<f4")
    return array.copy()


def _texts(given: memoryview, name: str, count: int, who: str) -> Array:
    """Elements that are text; bytes that are no UTF-8 are kept as lone surrogates."""
    found: list[str] = []
    at = 0
    while at + 4 <= len(given) and len(found) < count:
        (size,) = struct.unpack_from("<I", given, at)
        found.append(bytes(given[at + 4 : at + 4 + size]).decode("utf-8", "surrogateescape"))
        at += 4 + size
    if at != len(given) or len(found) != count:
        raise ModelError(f"{who} sent {TEXT} of `{name}` that don't hold together: {count} elements are wanted")
    made = np.empty(count, object)
    made[:] = found
    return made
