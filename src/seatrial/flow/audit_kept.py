"""What audits found before, so that it isn't looked for again: findings, rows to look at and rows in doubt, by what they rest on.

An audit's result rests on the rows (the keyed hash of each, in their order) with their columns and roles, on the audit with its version, its
file where it is a local one, its options and the versions of the packages it needs, and on all that is stated for every audit. Whether
rows are the same is seen in one pass over them, which costs a fraction of the audits. What failed isn't kept: it is tried again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seatrial import catalog
from seatrial.contracts.audit import Ground, Table
from seatrial.contracts.finding import Finding, State
from seatrial.contracts.messages import ArrayRef
from seatrial.contracts.part import PartInfo
from seatrial.contracts.record import digest
from seatrial.flow import arrays
from seatrial.flow.audit_rows import few
from seatrial.flow.environment import version
from seatrial.flow.keep import AUDITED, Keeper

ALWAYS = ("seatrial", "numpy")
"""Packages on which every audit rests."""


@dataclass
class Said:
    """All that an audit says of rows while it looks: it is passed on, and noted so that it can be said again."""

    ground: Ground
    files: list[tuple[str, str, NDArray[np.int64], str]] = field(default_factory=list)
    doubts: list[tuple[str, str, NDArray[np.int64]]] = field(default_factory=list)

    @property
    def noted(self) -> Ground:
        """The ground to hand to the audit."""
        return replace(self.ground, keep_rows=self._keep_rows, doubt=self._doubt)

    def _keep_rows(self, name: str, table: Table, rows: Iterable[int]) -> str:
        taken = few(rows)
        path = self.ground.keep_rows(name, table, taken.tolist())
        self.files.append((name, table.name, taken, path))
        return path

    def _doubt(self, kind: str, table: Table, rows: NDArray[np.int64]) -> None:
        self.doubts.append((kind, table.name, np.asarray(rows, np.int64)))
        self.ground.doubt(kind, table, rows)


class Kept:
    """Results of audits in a study's store. Without a keeper nothing is kept and nothing recalled; `fresh` recalls nothing."""

    def __init__(self, keeper: Keeper | None = None, fresh: bool = False) -> None:
        self._keeper, self._fresh = keeper, fresh
        self.measured = 0
        self.reused = 0

    def recall(self, part: PartInfo, options: Any, ground: Ground, tables: Sequence[Table]) -> list[Finding] | None:
        """What this audit found in these very rows, or None. Files of rows are written anew, doubts said again.

        Raises `DataError` where rows can't be read.
        """
        if self._keeper is None or self._fresh:
            return None
        stated = f"{_stated(part, options, ground, tables)}/"
        if not any(body is not None for _, body in self._keeper.store.all(AUDITED, stated)):
            return None
        body = self._keeper.get(AUDITED, stated + _content(tables))
        if body is None:
            return None
        self.reused += 1
        return _again(body, ground)

    def keep(self, part: PartInfo, options: Any, tables: Sequence[Table], said: Said, found: Sequence[Finding]) -> None:
        """Keep what this audit found, unless it failed."""
        if any(one.state is State.FAILED for one in found):
            return
        self.measured += 1
        if self._keeper is None:
            return
        cache = self._keeper.arrays
        body = {
            "findings": [one.model_dump(mode="json") for one in found],
            "files": [[name, table, _array(cache, rows), path] for name, table, rows, path in said.files],
            "doubts": [[kind, table, _array(cache, rows)] for kind, table, rows in said.doubts],
        }
        key = f"{_stated(part, options, said.ground, tables)}/{_content(tables)}"
        self._keeper.put((AUDITED, key, body))


def _array(cache: Any, rows: NDArray[np.int64]) -> dict[str, Any]:
    return {"$array": arrays.save(cache, rows).model_dump()}


def _again(body: Mapping[str, Any], ground: Ground) -> list[Finding]:
    """Say again what was said: the same findings, whose files of rows now lie where this run keeps its own."""
    paths = {}
    for name, table, rows, path in body["files"]:
        paths[path] = ground.keep_rows(name, ground.tables[table], _rows(rows).tolist())
    for kind, table, rows in body["doubts"]:
        ground.doubt(kind, ground.tables[table], _rows(rows))
    found = [Finding.model_validate(one) for one in body["findings"]]
    return [
        one.model_copy(update={"artefacts": {what: paths.get(path, path) for what, path in one.artefacts.items()}})
        for one in found
    ]


def _rows(kept: Mapping[str, Any]) -> NDArray[np.int64]:
    found: NDArray[np.int64] = arrays.load(ArrayRef(**kept["$array"]))
    return found


# --- what a result rests on ------------------------------------------------------------------------------------------------


def _stated(part: PartInfo, options: Any, ground: Ground, tables: Sequence[Table]) -> str:
    """All but the rows."""
    return digest(
        [
            part.kind,
            part.name,
            part.version,
            catalog.code(part),
            {package: version(package) for package in (*ALWAYS, *part.needs)},
            options.model_dump(mode="json"),
            [ground.level, ground.alarm, ground.memory, ground.seed],
            [list(ground.sensitive), list(ground.annotators), ground.population, ground.statistics],
            [_described(one) for one in tables],
        ]
    )


def _described(table: Table) -> list[Any]:
    named = [table.name, table.role, table.label, table.group, table.order, table.weight, table.by_name]
    return [*named, list(table.ignored), list(table.annotators), list(table.columns.items())]


def _content(tables: Sequence[Table]) -> str:
    """The rows of each table, in their order."""
    return digest([hashlib.sha256(one.hashes().tobytes()).hexdigest() for one in tables])
