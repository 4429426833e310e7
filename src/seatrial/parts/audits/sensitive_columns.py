"""Columns that decisions mustn't rest on (sex, race, religion ...), and other columns that tell them: their proxies.

Leaving a column out changes little where another one says the same. Those the study names under `sensitive` are taken, and those whose names
say so. How strongly columns go together is told by Cramer's V, from 0 (not at all) to 1 (one says the other), corrected for chance; numbers are
cut into ten bins of equally many rows.

audit.sensitive_columns             columns that are sensitive
audit.sensitive_columns.proxy       how strongly a column tells a sensitive one {sensitive, column}
audit.sensitive_columns.label       how strongly the label goes with a sensitive column {sensitive}
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np
from pydantic import Field

from seatrial.contracts.audit import Chunk, Ground, Table
from seatrial.contracts.finding import Finding, Severity
from seatrial.contracts.part import PartOptions
from seatrial.errors import DataError
from seatrial.numerics.distributions import chi2_sf
from seatrial.parts.audits._shared import MOST_COLUMNS, Coder, cramers_v, grade, listed, pooled, result

ACCEPTS = {"tables": ("one",)}
CANNOT = {"proxies of several columns together": ("not yet ours", "a model of all columns would find them")}
NAMES = re.compile(
    r"(^|_)(sex|gender|race|racial|ethnic\w*|religio\w*|faith|caste|age|birth\w*|disab\w*|handicap\w*|pregnan\w*|nationalit\w*|citizen\w*|"
    r"country_of_birth|mother_tongue|marital\w*|married|sexual\w*|orientation|political\w*|union_member\w*|genetic\w*|hiv|health_status|skin\w*)(_|$)"
)


class Options(PartOptions):
    """From where on a column is a proxy."""

    minor: float = Field(default=0.3, gt=0, le=1, description="Cramer's V above which a column is a proxy")
    serious: float = Field(default=0.7, gt=0, le=1, description="Cramer's V from which on it nearly says the same")


def begin(table: Table, ground: Ground, options: Options) -> _Look | None:
    """Looks at sensitive columns and all others. Raises `DataError` for a sensitive column that no table has."""
    for name in ground.sensitive:
        if not any(name in one.columns for one in ground.tables.values()):
            raise DataError(f"there is no column `{name}`, which is named as sensitive")
    sensitive = [name for name in table.columns if name in ground.sensitive or _by_name(name)]
    return _Look(table, ground, options, sensitive)


def _by_name(name: str) -> bool:
    return bool(NAMES.search(re.sub(r"\W+", "_", re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name)).lower()))


class _Look:
    again = False

    def __init__(self, table: Table, ground: Ground, options: Options, sensitive: list[str]) -> None:
        self.table, self.ground, self.options, self.sensitive = table, ground, options, sensitive
        names = [name for name, words in table.columns.items() if " " not in words and name not in table.ignored]
        self.coders = {name: Coder(bins=10) for name in names} if sensitive else {}
        pairs = [(one, other) for one in sensitive for other in names if one in names and other != one]
        self.tables = {
            pair: np.zeros((self.coders[pair[0]].width, self.coders[pair[1]].width), np.int64) for pair in pairs
        }
        self.rows = 0

    def see(self, chunk: Chunk) -> None:
        """Count each sensitive column against each other column."""
        self.rows += len(chunk)
        codes = {name: coder.codes(chunk.columns[name]) for name, coder in self.coders.items()}
        for (one, other), table in self.tables.items():
            wide = table.shape[1]
            table += np.bincount(codes[one] * wide + codes[other], minlength=table.size).reshape(table.shape)

    def findings(self) -> Iterator[Finding]:
        """Which are sensitive; what tells them; whether the label goes with them."""
        severity = Severity.MINOR if self.sensitive else Severity.FINE
        method = "named by the study, or by a name such as sex, race, age"
        yield from result(
            "sensitive_columns", len(self.sensitive), len(self.table.columns), severity, method, self.table, self.ground, unit="columns", note=listed(self.sensitive)
        )  # fmt: skip
        found = {pair: (cramers_v(pooled(table))) for pair, table in self.tables.items() if table.any()}
        chance = self.ground.alarm / max(1, len(found))
        sure = {
            pair: v for pair, (v, chi, freedom) in found.items() if freedom and v > 0 and chi2_sf(chi, freedom) < chance
        }
        method = f"Cramer's V, corrected for chance (Bergsma 2013); chi-square, {self.ground.alarm:.2g} over {len(found)} pairs (Bonferroni)"
        shown = 0
        for (one, other), value in sorted(sure.items(), key=lambda item: -item[1]):
            if other == self.table.label:
                yield self._strength("label", value, {"sensitive": one}, grade(value, 0.05, 1.1), method)
            elif value > self.options.minor and shown < MOST_COLUMNS:
                shown += 1
                severity = grade(value, self.options.minor, self.options.serious)
                yield self._strength("proxy", value, {"sensitive": one, "column": other}, severity, method)

    def _strength(self, what: str, value: float, at: dict[str, str], severity: Severity, method: str) -> Finding:
        return Finding(
            what=f"audit.sensitive_columns.{what}",
            at={"table": self.table.name, **at},
            value=value,
            better="lower",
            n=self.rows,
            unit_of_replication="rows",
            severity=severity,
            method=method,
        )
