"""The base of all records: frozen, closed to unknown fields, written as JSON in a stable order."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from pydantic import BaseModel, ConfigDict

Scalar = str | int | float | bool


class Record(BaseModel):
    """A frozen record. Unknown fields are refused; `digest()` is the same everywhere for the same content."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True, serialize_by_alias=True)

    def digest(self) -> str:
        """First 16 hex digits of the SHA-256 of the record's canonical JSON."""
        return digest(self.model_dump(mode="json"))


def digest(content: Any) -> str:
    """First 16 hex digits of the SHA-256 of `content` (anything JSON can hold) in canonical JSON."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def listed(given: Any) -> Any:
    """A list or tuple as it is, anything else as the only one of a list: what a study may say with or without brackets."""
    return given if isinstance(given, list | tuple) else [given]
