"""A dossier that shows itself: in a notebook as a table and a picture, in code as a data frame.

What it shows is made by the reports `notebook` and `picture`; nothing heavy is loaded before it is asked for.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seatrial.contracts import dossier as contract
from seatrial.contracts.candidate import Candidate

if TYPE_CHECKING:
    import polars as pl


class Dossier(contract.Dossier):
    """All that a report may read, and how it is looked at. `run` and `load` give this one.

    It is equal to any dossier of the same content.
    """

    def __eq__(self, other: object) -> bool:
        return isinstance(other, contract.Dossier) and dict(self) == dict(other)

    __hash__ = contract.Dossier.__hash__

    def frame(self) -> pl.DataFrame:
        """The findings as a polars data frame, a row each.

        `candidate` is the short name (null for the study as a whole), `value` a number where it is one and `word` the text where
        it is not; `at` and `slice` are written out; the candidate's coordinates follow.
        """
        import polars as pl

        return pl.DataFrame(list(self._rows()), schema=_columns(), orient="row")

    def plot(self, width: int = 820, most: int = 40) -> Picture:
        """Speed against lost answers, with intervals, of the best `most` candidates; `width` in pixels."""
        from seatrial.flow.publish import render

        return Picture(render(self, "picture", {"width": width, "most": most}))

    def _repr_html_(self) -> str:
        from seatrial.flow.publish import render

        return render(self, "notebook")

    def _rows(self) -> Iterator[dict[str, Any]]:
        entries = {entry.id: entry for entry in self.candidates}
        for finding in self.findings:
            entry = entries.get(finding.candidate or "")
            number = finding.value if isinstance(finding.value, int | float) else None
            yield {
                "candidate": entry.label if entry else None,
                "what": finding.what,
                "at": ", ".join(f"{key}={value}" for key, value in finding.at.items()),
                "slice": " and ".join(map(str, finding.slice)),
                "value": None if number is None else float(number),
                "word": finding.value if isinstance(finding.value, str) else None,
                **{name: getattr(finding, name) for name in _PLAIN},
                "origin": str(finding.origin),
                "state": str(finding.state),
                "reference": entry.reference if entry else None,
                **(entry.candidate.fields() if entry else dict.fromkeys(Candidate.model_fields)),
                "id": finding.candidate,
            }


class Picture:
    """A picture as SVG: a notebook draws it, `save` writes it."""

    def __init__(self, svg: str) -> None:
        self.svg = svg

    def save(self, file: str | Path) -> Path:
        """Write it; returns the path."""
        Path(file).write_text(self.svg, encoding="utf-8")
        return Path(file)

    def _repr_svg_(self) -> str:
        return self.svg

    def _repr_html_(self) -> str:
        return self.svg


def shown(dossier: contract.Dossier) -> Dossier:
    """The same dossier, able to show itself."""
    return Dossier.model_construct(**dict(dossier))


_PLAIN = (
    "low",
    "high",
    "level",
    "unit",
    "better",
    "n",
    "unit_of_replication",
    "against",
    "method",
    "note",
    "measured_at",
)


def _columns() -> dict[str, Any]:
    """Names and types, in order: the same whatever the dossier holds."""
    import polars as pl

    real, whole = ("value", "low", "high", "level"), ("n", "threads", "batch", "instances")
    names = ("candidate", "what", "at", "slice", "value", "word", *_PLAIN, "origin", "state", "reference", *Candidate.model_fields, "id")  # fmt: skip
    types = dict.fromkeys(names, pl.String) | dict.fromkeys(real, pl.Float64) | dict.fromkeys(whole, pl.Int64)
    return types | {"reference": pl.Boolean}
