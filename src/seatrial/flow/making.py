"""Artefacts: each is made once, hashed and kept; two forms of one model are proved equal before either is used."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from seatrial import catalog
from seatrial.contracts.artefact import Artefact, Signature, TensorSpec
from seatrial.contracts.finding import Finding, State, missing
from seatrial.contracts.messages import ArrayRef, Order
from seatrial.contracts.plan import Planned
from seatrial.contracts.protocols import Link
from seatrial.contracts.record import digest
from seatrial.contracts.study import Model
from seatrial.errors import SeatrialError, WorkerError
from seatrial.flow.environment import version
from seatrial.flow.keep import ARTEFACT
from seatrial.flow.trial import Voyage


class Maker:
    """Makes artefacts in a worker of its own, begun when the first is needed and anew after a crash."""

    def __init__(self, voyage: Voyage) -> None:
        self._voyage = voyage
        self._link: Link | None = None
        self._base: dict[tuple[str, str], Artefact] = {}
        self._made: dict[str, Artefact | Finding] = {}

    def __enter__(self) -> Maker:
        return self

    def __exit__(self, *error: object) -> None:
        self._close()

    def base(self, model: str, form: str) -> Artefact:
        """The model as it arrived in this form. Raises a `SeatrialError` when it can't be used."""
        if (model, form) not in self._base:
            stated = self._voyage.plan.study.models[model]
            info = self._voyage.find("subjects", form)
            catalog.require(info)
            read = catalog.load(info).read(catalog.options(info, stated.forms[form]), self._voyage.folder)
            self._base[model, form] = _signed(read, stated)
        return self._base[model, form]

    def artefact(
        self, planned: Planned, calibration: Mapping[str, ArrayRef], rows_hash: str | None
    ) -> Artefact | Finding:
        """The variant of a candidate, from the store or made now; a finding that says why when it can't be."""
        candidate = planned.candidate
        base = self.base(candidate.model, planned.form)
        info = self._voyage.find("variants", candidate.variant.name)
        seed = self._voyage.plan.study.measure.seed
        versions = {package: version(package) for package in info.needs}
        rows = rows_hash if "calibrate" in info.accepts.get("rows", ()) else None
        key = digest([base.hash, str(candidate.variant), info.version, versions, rows, seed])
        if key not in self._made:
            kept = self._kept(key)
            self._made[key] = kept or self._make(planned, base, key, calibration if rows else {}, rows)
        return self._made[key]

    def _kept(self, key: str) -> Artefact | None:
        body = self._voyage.keeper.get(ARTEFACT, key)
        artefact = Artefact.model_validate(body) if body else None
        if artefact is None or any(_hash(Path(file)) != artefact.hashes[role] for role, file in artefact.files.items()):
            return None
        return artefact

    def _make(
        self, planned: Planned, base: Artefact, key: str, values: Mapping[str, ArrayRef], rows: str | None
    ) -> Artefact | Finding:
        voyage, candidate = self._voyage, planned.candidate
        folder = voyage.keeper.home / "artefacts" / key
        folder.mkdir(parents=True, exist_ok=True)
        voyage.tell("make", label=str(candidate.variant), note=f"{candidate.model} ({planned.form})")
        order = Order(
            order="make",
            part=candidate.variant,
            base=str(voyage.folder),
            artefact=base,
            values=dict(values),
            folder=str(folder),
            seed=voyage.plan.study.measure.seed,
            settings={"rows_hash": rows},
        )
        try:
            self._link = self._link or voyage.start("making")
            answer = self._link.ask(order, voyage.plan.study.measure.limits.make)
        except WorkerError as error:
            self._close()
            return missing(
                "run", State(error.state), f"the variant {candidate.variant} could not be made: {error.what}"
            )
        artefact = Artefact.model_validate(answer["artefact"])
        voyage.keeper.put((ARTEFACT, key, artefact.model_dump(mode="json")))
        return artefact

    def _close(self) -> None:
        if self._link is not None:
            self._link.close()
            self._link = None


def differ(one: Mapping[str, Any], other: Mapping[str, Any]) -> tuple[float, float]:
    """The largest absolute difference of two sets of outputs by name, and the largest absolute value of the first."""
    import numpy as np

    if set(one) != set(other) or any(one[name].shape != other[name].shape for name in one):
        shapes = [{name: array.shape for name, array in side.items()} for side in (one, other)]
        raise SeatrialError(f"the outputs have other names or shapes: {shapes[0]} and {shapes[1]}")
    pairs = [(np.asarray(one[name], np.float64), np.asarray(other[name], np.float64)) for name in one]
    return max(float(np.max(np.abs(a - b))) for a, b in pairs), max(float(np.max(np.abs(a))) for a, _ in pairs)


def _signed(artefact: Artefact, stated: Model) -> Artefact:
    """A file that says nothing of inputs and outputs (torch weights) is given those that the study states."""
    if artefact.signature.inputs and artefact.signature.outputs:
        return artefact
    inputs = tuple(TensorSpec(name=name, kind=one.kind, dtype=one.dtype) for name, one in stated.inputs.items())
    outputs = tuple(TensorSpec(name=name) for name in stated.outputs)
    return artefact.model_copy(update={"signature": Signature(inputs=inputs, outputs=outputs)})


def _hash(file: Path) -> str:
    digest = hashlib.sha256()
    with contextlib.suppress(OSError), file.open("rb") as opened:
        while piece := opened.read(1 << 20):
            digest.update(piece)
    return digest.hexdigest()
