"""What is searched for backdoors and how, the same for every candidate of a model: rows, their range, and the searches."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seatrial import catalog
from seatrial.contracts.candidate import PartRef
from seatrial.contracts.messages import ArrayRef
from seatrial.contracts.record import digest
from seatrial.contracts.study import Study, classes_of
from seatrial.errors import DataError, Unsupported
from seatrial.flow import arrays
from seatrial.flow.changed import drawn, kept_rows
from seatrial.flow.reach import reach


@dataclass(frozen=True)
class Inquiry:
    """What every candidate of a model is searched with: parts with their versions. `why` says why it can't be, and then there is nothing else."""

    values: Mapping[str, ArrayRef]
    labels: NDArray[np.int64]
    reach: Mapping[str, Any]
    searches: tuple[tuple[PartRef, int], ...]
    classes: tuple[str, ...] = ()
    index: float = 0.0
    flips: float = 0.0
    pictures: bool = False
    why: str = ""

    def key(self, *more: Any) -> str:
        """What results rest on, beside the candidate."""
        return digest([{name: ref.hash for name, ref in self.values.items()}, self.reach, self.labels.tolist(), *more])


def inquiry(
    study: Study, folder: Path, model_name: str, inputs: Mapping[str, ArrayRef], labels: Any, cache: Path
) -> Inquiry | None:
    """The searches that the study asks for; None where it asks for none."""
    asked, model = study.measure.poisoning, study.models[model_name]
    if asked is None:
        return None
    try:
        if not inputs:
            raise Unsupported("its outputs were made elsewhere, so nobody can ask it anything")
        if labels is None or np.ndim(labels) != 1 or not np.issubdtype(labels.dtype, np.integer):
            raise Unsupported("a backdoor leads to a class, and there is no one class a row")
        found = reach(study, folder, model, inputs)
    except Unsupported as error:
        return Inquiry({}, np.zeros(0, np.int64), {}, (), why=error.what)
    rows = drawn(next(iter(inputs.values())).shape[0], asked.rows, study.measure.seed)
    return Inquiry(
        values={name: kept_rows(ref, rows, cache) for name, ref in inputs.items()},
        labels=np.asarray(labels[rows], np.int64),
        reach=arrays.pack(found, cache),
        searches=tuple((ref, _version(ref, folder)) for ref in asked.look_for),
        classes=classes_of(model.outputs),
        index=asked.index,
        flips=asked.flips,
        pictures=asked.pictures,
    )


def _version(ref: PartRef, folder: Path) -> int:
    """Of a part that can be used. Raises for one that can't, or whose options don't fit."""
    info = catalog.find("poisoning", ref.name, folder)
    catalog.require(info)
    catalog.options(info, ref.options)
    if "search" not in info.gives.get("way", ()):
        raise DataError(f"`{ref}` looks for nothing in a model", where="measure.poisoning.look_for")
    return info.version
