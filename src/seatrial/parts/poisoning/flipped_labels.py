"""Rows get another class's label: what careless or hostile labelling does to a model.

By chance each drawn row gets any other class; or, with `source` and `target`, rows of one class get another's, which is what somebody
would do who wants those two confused. Source: Biggio, Nelson & Laskov (2011), "Support vector machines under adversarial label noise".
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Self

from pydantic import Field, model_validator

from seatrial.contracts.part import PartOptions
from seatrial.contracts.poisoning import Poisoned
from seatrial.errors import Unsupported

if TYPE_CHECKING:
    from seatrial.contracts.values import Array

GIVES = {"way": ("poison",)}
CANNOT = {"numbers": ("not yet ours", "labels that are values, such as prices, aren't changed")}


class Options(PartOptions):
    """Whose labels become which; any other class by chance if left out."""

    source: int | None = Field(default=None, ge=0, description="the number of the class whose rows are relabelled")
    target: int | None = Field(default=None, ge=0, description="the number of the class that they are said to be")

    @model_validator(mode="after")
    def _both(self) -> Self:
        if (self.source is None) != (self.target is None) or (self.source is not None and self.source == self.target):
            raise ValueError("say both `source` and `target`, two different classes, or neither")
        return self


def fits(labels: Array, options: Options) -> Array:
    """Rows of the source, or all."""
    return labels == options.source if options.source is not None else labels >= 0


def poisoned(rows: Poisoned, chance: Any, options: Options) -> Poisoned:
    """The same rows with other labels. Raises `Unsupported` for a class that there isn't."""
    if options.target is None:
        return replace(rows, labels=(rows.labels + chance.integers(1, rows.classes, len(rows.labels))) % rows.classes)
    if options.target >= rows.classes:
        raise Unsupported(f"there is no class {options.target}: they are 0 to {rows.classes - 1}")
    return replace(rows, labels=0 * rows.labels + options.target)


def shown(rows: Poisoned, options: Options) -> Poisoned | None:
    """Nothing is shown later: the harm is done."""
    return None
