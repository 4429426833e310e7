"""Entries of a JSON file that is one list of objects, one after another: the file is never held whole."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from seatrial.errors import DataError

BLOCK = 2**20
_BETWEEN = re.compile(r"[\s,]*")
MOST_ENTRY = 2**29
"""Characters of one entry; what is longer is taken for a file that lies."""


def entries(file: Path) -> Iterator[dict[str, Any]]:
    """Each object of the list, in order. Raises `DataError` for anything else, with the number of the entry."""
    decoder, count = json.JSONDecoder(), 0
    with file.open(encoding="utf-8-sig") as stream:
        text = stream.read(BLOCK).lstrip()
        if not text.startswith("["):
            raise DataError("this is no JSON list", where=file.name)
        at = 1
        while True:
            at = _BETWEEN.match(text, at).end()  # type: ignore[union-attr]
            if text.startswith("]", at):
                return
            try:
                entry, at = decoder.raw_decode(text, at)
            except (json.JSONDecodeError, RecursionError) as error:
                more = stream.read(max(BLOCK, len(text) - at)) if len(text) - at < MOST_ENTRY else ""
                if not more:
                    raise DataError(
                        _fault(text[at:], count), where=file.name, next_step="copy it again, whole"
                    ) from error
                text, at = text[at:] + more, 0
                continue
            if not isinstance(entry, dict):
                raise DataError(f"entry {count} is a {type(entry).__name__}, not an object", where=file.name)
            yield entry
            count += 1


def _fault(text: str, count: int) -> str:
    if not text:
        return f"the list ends within, after {count} entries"
    return f"entry {count} is no JSON, or is cut off: {' '.join(text[:60].split())}"
