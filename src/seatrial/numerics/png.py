"""A picture as the bytes of a PNG file. Source: W3C, "Portable Network Graphics (PNG) specification", third edition."""

from __future__ import annotations

import struct
import zlib

import numpy as np
from numpy.typing import NDArray

KINDS = {1: 0, 3: 2, 4: 6}
"""Of how many channels a picture has: the specification's type of colour."""


def png(pixels: NDArray[np.uint8]) -> bytes:
    """Lines x columns, or lines x columns x 1, 3 or 4 channels, uint8. Raises `ValueError` for anything else."""
    lines = pixels[:, :, None] if pixels.ndim == 2 else pixels
    if lines.ndim != 3 or lines.shape[2] not in KINDS or lines.dtype != np.uint8 or not lines.size:
        raise ValueError(f"a picture is lines x columns x 1, 3 or 4 bytes, not {pixels.dtype} {pixels.shape}")
    height, width, channels = lines.shape
    plain = np.zeros((height, 1 + width * channels), np.uint8)
    plain[:, 1:] = lines.reshape(height, -1)
    head = struct.pack(">IIBBBBB", width, height, 8, KINDS[channels], 0, 0, 0)
    pieces = ((b"IHDR", head), (b"IDAT", zlib.compress(plain.tobytes(), 9)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_piece(name, content) for name, content in pieces)


def _piece(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))
