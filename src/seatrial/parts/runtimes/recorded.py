"""Stands for outputs that were made elsewhere: nothing is run, so nothing is said of speed, memory or what ran.

A candidate with this runtime takes part in everything that is judged from outputs, also as the reference.
"""

from __future__ import annotations

from typing import NoReturn

from seatrial.contracts.artefact import Artefact
from seatrial.contracts.part import PartOptions
from seatrial.contracts.protocols import Setting
from seatrial.errors import Unsupported

ACCEPTS = {"format": ("predictions",), "device": ("unknown",), "precision": ("unknown",)}
GIVES = {"outputs": ("imported",)}
CANNOT = {"speed, memory, size": ("never", "the outputs were made elsewhere; how fast and with what isn't in them")}


class Options(PartOptions):
    """There is nothing to set."""


def import_framework() -> None:
    """Nothing is needed."""


def absent(device: str) -> str | None:
    """Where outputs made elsewhere were made is not known, so no device is looked for."""
    return None if device == "unknown" else f"where these outputs were made isn't known: `unknown`, not `{device}`"


def open(artefact: Artefact, setting: Setting, options: Options) -> NoReturn:
    """Raises `Unsupported`: there is no model that could answer other rows."""
    raise Unsupported("these outputs were made elsewhere; there is no model here that could answer rows")
