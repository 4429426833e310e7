"""What subjects share about weights in safetensors: a file is taken only if it is whole and can't run anything."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from seatrial.errors import ModelError
from seatrial.parts.subjects._files import looks_pickled

MOST_HEADER = 100_000_000
"""Bytes; the bound that safetensors itself sets."""
_CONVERT = (
    "where you trust the file: "
    "`python -c \"import torch, safetensors.torch as s; s.save_file(torch.load('{0}', weights_only=True), '{1}')\"`"
)


def whole(path: Path) -> Path:
    """The path, if it holds whole safetensors: 8 bytes of length, a JSON header, and as many bytes as that promises."""
    if looks_pickled(path):
        raise ModelError(
            f"{path}: pickled weights can run code when they are loaded, so they aren't",
            next_step=_CONVERT.format(path.name, path.with_suffix(".safetensors").name),
        )
    size = path.stat().st_size
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        header = file.read(length) if length < min(size, MOST_HEADER) else b""
    try:
        end = _end(json.loads(header))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise ModelError(
            f"{path} isn't a safetensors file: its header can't be true",
            next_step="save it with safetensors.torch.save_file",
        ) from error
    if size != 8 + length + end:
        raise ModelError(
            f"{path} is cut off or lies: {size} bytes where its header promises {8 + length + end}",
            next_step="copy or save the file again",
        )
    return path


def _end(header: dict[str, Any]) -> int:
    """Where the last tensor ends. Raises `ValueError` unless tensors follow each other without overlap or gap."""
    spans = sorted(tuple(tensor["data_offsets"]) for name, tensor in header.items() if name != "__metadata__")
    reached = 0
    for start, end in spans:
        if type(start) is not int or type(end) is not int or start != reached or end < start:
            raise ValueError(f"a tensor lies from {start} to {end}, after one that ends at {reached}")
        reached = end
    return reached
