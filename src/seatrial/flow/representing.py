"""Figures as they would be, did the rows that judge stand for the stated population: every metric again, with weights.

reweighted.<what> {...}      beside `<what>` of the rows as they are
reweighted.rows              how many rows of equal weight the weighted ones are worth (Kish 1965)

Weights are raked over the columns of `audit.population`, from the rows' own weights on where they have some. That a level's rows stand for
all of the population at that level is assumed: weights mend shares, not a choice of odd rows within a level.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from seatrial.contracts.finding import Finding, State, missing
from seatrial.contracts.study import Study
from seatrial.errors import DataError
from seatrial.flow import arrays
from seatrial.flow._inputs import Array
from seatrial.flow._match import nearest
from seatrial.flow._picks import chosen, data_sets, judging
from seatrial.flow.cleaned import Doubts
from seatrial.flow.counted import Judged
from seatrial.flow.slices import Sliced
from seatrial.flow.trial import now
from seatrial.numerics.raking import rake

REWEIGHTED = "reweighted."


def representing(study: Study, folder: Path, cache: Path, judged: Judged) -> tuple[Judged | None, list[Finding]]:
    """The same rows, weighted like the stated population, without slices; None where none is stated or no weights have its shares.

    Raises `DataError` for a stated column that a data set that judges lacks.
    """
    stated = study.audit.population if study.audit is not None else {}
    if not stated:
        return None, []
    kinds, place = _kinds(study, folder, stated)
    own = judged.sampling.weight(0, len(place))
    base = np.ones(len(place)) if own is None else np.asarray(own, np.float64)
    counts = np.bincount(place, base, len(kinds))
    kept = counts > 0
    try:
        found = np.zeros(len(kinds))
        found[kept] = rake(kinds[kept], counts[kept], [_shares(levels) for levels in stated.values()])
    except ValueError as error:
        return None, [missing("reweighted.rows", State.UNSUPPORTED, str(error), measured_at=now())]
    weights = base * found[place]
    weights *= len(weights) / weights.sum()
    worth = float(len(weights) / (weights**2).sum())
    sampling = replace(judged.sampling, weights=arrays.save(cache, weights), worth=worth)
    told = Finding(
        what="reweighted.rows",
        value=worth * len(weights),
        unit="rows",
        better="higher",
        n=len(weights),
        unit_of_replication="rows",
        method=f"raking over {', '.join(stated)}; square of the sum of weights over the sum of their squares",
        note=f"the largest weight is {float(weights.max()):.3g} of the average",
        measured_at=now(),
    )
    return replace(judged, sampling=sampling, sliced=Sliced(), doubts=Doubts(), halves=False, known={}), [told]


def reweighted(found: Sequence[Finding]) -> list[Finding]:
    """Figures of weighted rows under a name of their own."""
    return [one.model_copy(update={"what": REWEIGHTED + one.what}) for one in found]


def _shares(levels: Mapping[str, float]) -> NDArray[np.float64]:
    return np.array(list(levels.values()), np.float64)


def _kinds(
    study: Study, folder: Path, stated: Mapping[str, Mapping[str, float]]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The kinds of rows that there are (kinds, columns) as places among the stated levels, and the kind of each row."""
    places = {name: {level: at for at, level in enumerate(levels)} for name, levels in stated.items()}
    pieces = []
    for pick in judging(data_sets(study, folder)):
        there = pick.source.names()
        for name in stated:
            if name not in there:
                where = f"data `{pick.source.name}`, audit.population"
                raise DataError(f"there is no column `{name}`", where=where, next_step=nearest(name, there))
        pieces += [
            np.stack([_placed(chunk[name], places[name]) for name in stated], axis=1)
            for chunk in chosen(pick, list(stated))
        ]
    kinds, place = np.unique(np.concatenate(pieces), axis=0, return_inverse=True)
    return kinds, place.reshape(-1)


def _placed(values: Array, levels: Mapping[str, int]) -> NDArray[np.int64]:
    """The place of each cell among the levels, -1 for others."""
    different, inverse = np.unique(values.astype(str), return_inverse=True)
    return np.array([levels.get(one, -1) for one in different.tolist()], np.int64)[inverse.reshape(-1)]
