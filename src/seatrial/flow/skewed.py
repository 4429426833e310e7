"""Whether two data sets say the same of the same things, row by row: training-serving skew.

skew.rows       {column, from, to}   share of the matched rows in which the column differs
skew.largest    {column, from, to}   of numbers, how far apart they lie at most
skew.unmatched  {from, to}           rows whose key only one of them has

Rows are matched by a key; of several with one key the first counts. Memory: 16 bytes a row for its key, and the compared columns of both.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seatrial import catalog
from seatrial.contracts.audit import Piece
from seatrial.contracts.finding import Finding, State, missing
from seatrial.contracts.selecting import Skew
from seatrial.contracts.study import Study
from seatrial.errors import DataError
from seatrial.flow._inputs import Array
from seatrial.flow._match import nearest
from seatrial.flow.contents import Source, matched
from seatrial.flow.trial import now
from seatrial.numerics.content import as_keys, cells, row_digests
from seatrial.numerics.proportions import proportion

Side = tuple[NDArray[Any], dict[str, Array], dict[str, Array]]
"""Keys, the cells of each column in bytes, and those of columns of numbers as numbers."""


def skew_findings(study: Study, folder: Path, level: float) -> list[Finding]:
    """What is asked under `measure.skew`. Raises `DataError` for a data set or column that isn't there; what else goes wrong is a finding."""
    if (asked := study.measure.skew) is None:
        return []
    sides = [_source(study, folder, name) for name in asked.between]
    names = _compared(sides, asked)
    at = {"from": asked.between[0], "to": asked.between[1]}
    try:
        one, other = (_read(side, asked.key, names) for side in sides)
        found = list(_stated(one, other, asked, at, level))
    except DataError as error:
        found = [missing("skew.rows", State.FAILED, error.what, at=at, method=error.next_step)]
    return [each.model_copy(update={"measured_at": now()}) for each in found]


def _source(study: Study, folder: Path, name: str) -> Source:
    if name not in study.data:
        step = nearest(name, list(study.data)).replace("its columns are", "its data sets are")
        raise DataError(f"the study has no data set `{name}`", where="measure.skew.between", next_step=step)
    info = catalog.find("datasets", study.data[name].source.name, folder)
    catalog.require(info)
    return Source(catalog.load(info), catalog.options(info, study.data[name].source.options), folder, name)


def _compared(sides: Sequence[Source], asked: Skew) -> list[str]:
    for one in sides:
        for name in (*asked.key, *asked.columns):
            if name not in one.columns:
                raise DataError(
                    f"data `{one.name}` has no column `{name}`",
                    where="measure.skew",
                    next_step=nearest(name, list(one.columns)),
                )
    shared = [name for name in sides[0].columns if name in sides[1].columns and name not in asked.key]
    if not (asked.columns or shared):
        raise DataError("the two data sets share no column but the key", where="measure.skew")
    return list(asked.columns) or shared


def _read(source: Source, key: Sequence[str], names: Sequence[str]) -> Side:
    keys = list[bytes]()
    bytes_: dict[str, list[Array]] = {name: [] for name in names}
    numbers: dict[str, list[Array]] = {name: [] for name in names}
    for pieces in source.pieces([*key, *names]):
        keys += row_digests({name: cells(pieces[name]) for name in key}, b"")
        for name in names:
            bytes_[name].append(cells(pieces[name]))
            numbers[name].append(_numbers(pieces[name]))
    whole = {name: np.concatenate(held) for name, held in numbers.items() if held and all(one.size for one in held)}
    return as_keys(keys), {name: np.concatenate(held) for name, held in bytes_.items()}, whole


def _numbers(piece: Piece) -> Array:
    return piece.numbers() if piece.kind in ("number", "truth") else np.empty(0)


def _stated(one: Side, other: Side, asked: Skew, at: dict[str, str], level: float) -> Iterator[Finding]:
    alone, new, mine, theirs = matched(one[0], other[0])
    rows: dict[str, Any] = {"n": len(mine), "unit_of_replication": "rows", "better": "lower"}
    yield Finding(
        what="skew.unmatched",
        at=at,
        value=len(alone) + len(new),
        unit="rows",
        method="rows whose key only one of the two has, exact count",
        note=f"{len(alone)} in `{at['from']}` alone, {len(new)} in `{at['to']}` alone" if len(alone) + len(new) else "",
        **rows,
    )
    for name in one[1]:
        place = at | {"column": name}
        if not len(mine):
            yield missing(
                "skew.rows", State.TOO_FEW, "no row of one has its key in the other", at=place, better="lower"
            )
            continue
        apart = (one[1][name][mine] != other[1][name][theirs]).any(axis=1)
        if name in one[2] and name in other[2]:
            first, second = one[2][name][mine], other[2][name][theirs]
            off = np.abs(first - second)
            near = off <= asked.tolerance * np.maximum(np.abs(first), np.abs(second))
            apart &= ~near
            known = off[np.isfinite(off)]
            if len(known):
                method = "largest absolute difference of matched rows in which both say a number"
                yield Finding(what="skew.largest", at=place, value=float(known.max()), method=method, **rows)
        found = proportion(int(apart.sum()), len(mine), level)
        how = f"numbers within {asked.tolerance:g} of each other are the same; " if asked.tolerance else ""
        bounds = {"low": found.low, "high": found.high, "level": found.level}
        yield Finding(what="skew.rows", at=place, value=found.value, method=f"{how}{found.method}", **bounds, **rows)
