"""How a benchmark tells its figures: a table for people, one JSON object with `--json`."""

from __future__ import annotations

import json
import sys
from typing import NamedTuple


class Figure(NamedTuple):
    """One figure of ours beside a rival's (or a baseline's, or a limit's: `note` says what), from `n` repetitions."""

    ours: float
    rival: float | None
    unit: str
    n: int
    note: str = ""

    @property
    def ratio(self) -> float | None:
        """Ours over the rival's; none where there is no rival or it is 0."""
        return self.ours / self.rival if self.rival else None


def tell(figures: dict[str, Figure], arguments: list[str] | None = None) -> None:
    """Print the figures: with `--json` as `{figure: {ours, rival, ratio, unit, n, note}}`, else as a table."""
    if "--json" in (sys.argv[1:] if arguments is None else arguments):
        print(json.dumps({name: _fields(figure) for name, figure in figures.items()}, indent=2))
        return
    rows = [("figure", "ours", "rival", "ratio", "unit", "n", "note")]
    rows += [(name, *map(_short, _fields(figure).values())) for name, figure in figures.items()]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        cells = [
            cell.rjust(width) if 0 < at < 4 else cell.ljust(width)
            for at, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        print("  ".join(cells).rstrip())


def _fields(figure: Figure) -> dict[str, float | int | str | None]:
    return {
        "ours": figure.ours,
        "rival": figure.rival,
        "ratio": figure.ratio,
        "unit": figure.unit,
        "n": figure.n,
        "note": figure.note,
    }


def _short(value: float | str | None) -> str:
    if value is None:
        return "-"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
