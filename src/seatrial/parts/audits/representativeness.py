"""Whether rows stand for the stated population: the share of each part among them beside the one stated, and weights that mend it.

The study states shares (`audit: {population: {sex: {F: 0.51, M: 0.49}}}`); a rest that isn't stated is one part more. Figures weighted like
the population stand beside the plain ones in a study's report. Weights mend shares; they don't mend odd rows within a part.

audit.representativeness          columns that differ from what is stated by more than `minor` and more than chance
audit.representativeness.column   share of the rows that would have to be others {column}
audit.representativeness.level    share of a part among the rows, with an interval {column, level}
audit.representativeness.weight   by how much each of its rows would have to count {column, level}
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

import numpy as np
from pydantic import Field

from seatrial.contracts.audit import Chunk, Ground, Piece, Table
from seatrial.contracts.finding import Finding, Severity, State, missing
from seatrial.contracts.part import PartOptions
from seatrial.errors import DataError
from seatrial.numerics.distributions import chi2_sf
from seatrial.numerics.proportions import proportion
from seatrial.parts.audits._shared import INDEPENDENT, grade, listed

ACCEPTS = {"tables": ("one",)}
CANNOT = {
    "numbers in ranges": ("not yet ours", "shares are of single values: make a column of ranges, such as `age_group`"),
}
REST = "any other"


class Options(PartOptions):
    """From where on rows are unlike the population."""

    minor: float = Field(
        default=0.05, gt=0, lt=1, description="share of rows that would have to be others, above which they are unlike"
    )
    serious: float = Field(default=0.2, gt=0, lt=1, description="the share from which it is serious")


def begin(table: Table, ground: Ground, options: Options) -> _Look | None:
    """Looks at the columns that a population is stated of. Raises `DataError` for one that no table has, and for shares above 1."""
    for name, levels in ground.population.items():
        if not any(name in one.columns for one in ground.tables.values()):
            raise DataError(f"there is no column `{name}`, of which a population is stated")
        if min(levels.values(), default=0.0) < 0 or sum(levels.values()) > 1 + 1e-6:
            raise DataError(f"the shares stated of `{name}` are below 0 or above 1 together")
    names = [name for name in ground.population if name in table.columns]
    return _Look(table, ground, options, names) if names else None


class _Look:
    again = False

    def __init__(self, table: Table, ground: Ground, options: Options, names: list[str]) -> None:
        self.table, self.ground, self.options = table, ground, options
        self.counts: dict[str, Counter[str]] = {name: Counter() for name in names}

    def see(self, chunk: Chunk) -> None:
        """Count the stated values, and all others as one."""
        for name, counts in self.counts.items():
            counts.update(_counted(chunk.columns[name], self.ground.population[name]))

    def findings(self) -> Iterator[Finding]:
        """Columns unlike the population; of each its distance; of each part its share and weight."""
        judged = {name: self._judged(name, counts) for name, counts in self.counts.items()}
        unlike = [name for name, (_, severity, _) in judged.items() if severity is not Severity.FINE]
        order = list(Severity)
        yield Finding(
            what="audit.representativeness",
            at={"table": self.table.name},
            value=len(unlike),
            unit="columns",
            better="lower",
            n=len(judged),
            unit_of_replication="columns",
            severity=max((one[1] for one in judged.values()), key=order.index, default=Severity.FINE),
            method=f"half the sum of differences of shares above {self.options.minor:g}, and chi-square beyond chance ({self.ground.alarm:.2g} over all columns)",
            note=listed(unlike),
        )
        for name, (distance, severity, stated) in judged.items():
            yield from self._column(name, distance, severity, stated)

    def _judged(self, name: str, counts: Counter[str]) -> tuple[float, Severity, dict[str, float]]:
        """The distance of a column from what is stated, how bad that is, and the stated shares with the rest."""
        stated = dict(self.ground.population[name])
        rest = 1 - sum(stated.values())
        stated |= {REST: max(0.0, rest)} if rest > 1e-6 or counts[REST] else {}
        n = sum(counts[level] for level in stated)
        if not n:
            return 0.0, Severity.FINE, stated
        shares = np.array([counts[level] / n for level in stated])
        wanted = np.array(list(stated.values()))
        distance = float(np.abs(shares - wanted).sum() / 2)
        possible = wanted > 0
        chi = float((n * (shares - wanted)[possible] ** 2 / wanted[possible]).sum())
        freedom = int(possible.sum()) - 1
        beyond = bool(shares[~possible].any()) or (
            freedom > 0 and chi2_sf(chi, freedom) < self.ground.alarm / len(self.counts)
        )
        grades = grade(distance, self.options.minor, self.options.serious)
        return distance, grades if beyond else Severity.FINE, stated

    def _column(self, name: str, distance: float, severity: Severity, stated: Mapping[str, float]) -> Iterator[Finding]:
        counts = self.counts[name]
        n = sum(counts[level] for level in stated)
        at = {"table": self.table.name, "column": name}
        if not n:
            yield missing("audit.representativeness.column", State.TOO_FEW, f"`{name}` holds no value", at=at)
            return
        yield Finding(
            what="audit.representativeness.column",
            at=at,
            value=distance,
            better="lower",
            n=n,
            unit_of_replication="rows",
            severity=severity,
            method="half the sum of the differences between shares of rows and of the population",
        )
        for level, wanted in stated.items():
            found = proportion(counts[level], n, self.ground.level)
            common = {"n": n, "unit_of_replication": "rows"}
            yield Finding(
                what="audit.representativeness.level",
                at={**at, "level": level},
                value=found.value,
                low=found.low,
                high=found.high,
                level=found.level,
                method=f"{found.method}, {INDEPENDENT}",
                note=f"stated: {wanted:g}",
                **common,
            )
            if counts[level]:
                yield Finding(
                    what="audit.representativeness.weight",
                    at={**at, "level": level},
                    value=wanted / found.value,
                    method="stated share over the share among rows (post-stratification)",
                    **common,
                )


def _counted(piece: Piece, stated: Mapping[str, float]) -> Counter[str]:
    """Rows of each stated value, those of any other together, missing ones not at all."""
    if piece.kind == "text":
        counts = np.bincount(piece.values[~piece.holes], minlength=len(piece.words)).tolist()
        cells = dict(zip(piece.words, counts, strict=False))
    else:
        values, numbers = np.unique(piece.values[~piece.holes], return_counts=True)
        cells = dict(zip(map(str, values.tolist()), numbers.tolist(), strict=True))
    made = Counter({level: cells[level] for level in stated if level in cells})
    made[REST] = sum(count for cell, count in cells.items() if cell not in stated)
    return made
