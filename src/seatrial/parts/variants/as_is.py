"""The model as it came, unchanged."""

from __future__ import annotations

from seatrial.contracts.artefact import Artefact
from seatrial.contracts.part import PartOptions
from seatrial.contracts.protocols import Making


class Options(PartOptions):
    """There is nothing to set."""


def make(artefact: Artefact, making: Making, options: Options) -> Artefact:
    """The artefact itself."""
    return artefact
