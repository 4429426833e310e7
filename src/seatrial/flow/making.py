"""Artefacts: each is made once, hashed and kept; two forms of one model are proved equal before either is used."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from seatrial import catalog
from seatrial.contracts.artefact import Artefact, Signature, Step, TensorSpec
from seatrial.contracts.finding import Finding, State, missing
from seatrial.contracts.messages import ArrayRef, Order
from seatrial.contracts.part import PartInfo
from seatrial.contracts.plan import Planned
from seatrial.contracts.protocols import Link
from seatrial.contracts.record import digest
from seatrial.contracts.study import Model, classes_of
from seatrial.errors import SeatrialError, WorkerError
from seatrial.flow import arrays
from seatrial.flow.keep import ARTEFACT
from seatrial.flow.rows import Rows
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
        self,
        planned: Planned,
        calibration: Mapping[str, ArrayRef],
        rows_hash: str | None,
        train: Rows | None = None,
        labels: arrays.Column | None = None,
    ) -> Artefact | Finding:
        """The variant of a candidate, from the store or made now; a finding that says why when it can't be."""
        candidate = planned.candidate
        base = self.start(planned)
        if isinstance(base, Finding):
            return base
        info = self._voyage.find("variants", candidate.variant.name)
        if "after" in info.gives.get("step", ()):
            return self._answering(planned, info, calibration, rows_hash, train, labels)
        seed = self._voyage.plan.study.measure.seed
        versions = {package: self._voyage.version(package) for package in info.needs}
        fits = info.accepts.get("rows", ())
        calibration, rows_hash = (calibration, rows_hash) if "calibrate" in fits else ({}, None)
        train = train if "train" in fits else None
        rows = "+".join(filter(None, (rows_hash, train.rows_hash if train else None))) or None
        key = digest([base.hash, str(candidate.variant), info.version, versions, rows, seed])
        if key not in self._made:
            kept = self._kept(key)
            tried = self._trying(planned, labels) if calibration and "runtimes" in info.uses else {}
            self._made[key] = kept or self._make(planned, base, key, calibration, rows, train, tried)
        return self._made[key]

    def _answering(
        self,
        planned: Planned,
        info: PartInfo,
        calibration: Mapping[str, ArrayRef],
        rows_hash: str | None,
        train: Rows | None,
        labels: arrays.Column | None,
    ) -> Artefact | Finding:
        """The artefact whose answers a step is to change, with that step; it is fitted once the artefact has answered."""
        given = catalog.options(info, planned.candidate.variant.options)
        inner = planned.candidate.model_copy(update={"variant": given.of})
        made = self.artefact(planned.model_copy(update={"candidate": inner}), calibration, rows_hash, train, labels)
        if isinstance(made, Finding):
            return made
        step = Step(
            name=info.name, options=given.model_dump(mode="json") | {"version": info.version, "rows": rows_hash}
        )
        return made.model_copy(update={"after": (*made.after, step)})

    def start(self, planned: Planned, examples: Mapping[str, ArrayRef] | None = None) -> Artefact | Finding:
        """What the variant of a candidate is made of: the form, converted where its runtime doesn't take it as it is.

        A conversion that can't be made is a finding that says why. Its answers are yet to be compared with the form's.
        """
        base, conversion = self.base(planned.candidate.model, planned.form), planned.conversion
        if conversion is None:
            return base
        info = self._voyage.find("conversions", conversion.name)
        seed = self._voyage.plan.study.measure.seed
        versions = {package: self._voyage.version(package) for package in info.needs}
        identity = [base.hash, base.signature.model_dump(), str(conversion), _code(info), info.version, versions, seed]
        key = digest(["conversion", *identity])
        if key not in self._made:
            order = Order(order="convert", part=conversion, artefact=base, values=dict(examples or {}), seed=seed)
            self._made[key] = self._kept(key) or self._ordered(
                order, key, f"{planned.candidate.model} ({planned.form})"
            )
        return self._made[key]

    def _kept(self, key: str) -> Artefact | None:
        body = self._voyage.keeper.get(ARTEFACT, key)
        artefact = Artefact.model_validate(body) if body else None
        if artefact is None or any(_hash(Path(file)) != artefact.hashes[role] for role, file in artefact.files.items()):
            return None
        return artefact

    def _make(
        self,
        planned: Planned,
        base: Artefact,
        key: str,
        values: Mapping[str, ArrayRef],
        rows: str | None,
        train: Rows | None,
        tried: dict[str, Any],
    ) -> Artefact | Finding:
        order = Order(
            order="make",
            part=planned.candidate.variant,
            artefact=base,
            values=dict(values),
            seed=self._voyage.plan.study.measure.seed,
            settings={"rows_hash": rows} | tried,
            train=self._training(planned, train) if train else {},
        )
        return self._ordered(order, key, f"{planned.candidate.model} ({planned.route})")

    def _trying(self, planned: Planned, labels: arrays.Column | None) -> dict[str, Any]:
        """What a worker needs to answer rows for a variant that tries things out: the task, its outputs, the rows' labels."""
        model = self._voyage.plan.study.models[planned.candidate.model]
        outputs = {name: output.model_dump(mode="json") for name, output in model.outputs.items()}
        known = None if labels is None else {"$array": labels.ref.model_dump()}
        return {"task": model.task.name, "outputs": outputs, "labels": known}

    def _training(self, planned: Planned, train: Rows) -> dict[str, Any]:
        """Rows to train with, as a worker reads them."""
        cache, outputs = self._voyage.keeper.arrays, self._voyage.plan.study.models[planned.candidate.model].outputs
        refs = {
            "inputs": train.inputs,
            "groups": {name: arrays.save(cache, column) for name, column in train.columns.items()},
        }
        packed = {name: {one: {"$array": ref.model_dump()} for one, ref in of.items()} for name, of in refs.items()}
        labels = None if train.labels is None else {"$array": train.labels.ref.model_dump()}
        return {**packed, "labels": labels, "classes": list(classes_of(outputs))}

    def _ordered(self, order: Order, key: str, of: str) -> Artefact | Finding:
        """What a worker makes, kept under this key; a finding that says why where it can't."""
        voyage = self._voyage
        folder = voyage.keeper.home / "artefacts" / key
        folder.mkdir(parents=True, exist_ok=True)
        voyage.tell("make", label=str(order.part), note=of)
        placed = order.model_copy(update={"base": str(voyage.folder), "folder": str(folder)})
        try:
            self._link = self._link or voyage.start("making")
            answer = self._link.ask(placed, voyage.plan.study.measure.limits.make)
        except WorkerError as error:
            self._close()
            kind = "conversion" if order.order == "convert" else "variant"
            told = f"the {kind} {order.part} could not be made: {error.what}"
            return missing("run", State(error.state), told, method=error.next_step)
        artefact = Artefact.model_validate(answer["artefact"])
        voyage.keeper.put((ARTEFACT, key, artefact.model_dump(mode="json")))
        return artefact

    def _close(self) -> None:
        if self._link is not None:
            self._link.close()
            self._link = None


def fits_anew(voyage: Voyage, planned: Planned) -> bool:
    """Whether the variant of a candidate, or the one that it is of, wants rows to train with."""
    info = voyage.find("variants", planned.candidate.variant.name)
    if "train" in info.accepts.get("rows", ()):
        return True
    given = catalog.options(info, planned.candidate.variant.options)
    if "after" not in info.gives.get("step", ()):
        return False
    inner = planned.candidate.model_copy(update={"variant": given.of})
    return fits_anew(voyage, planned.model_copy(update={"candidate": inner}))


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


def _code(part: PartInfo) -> str:
    """What tells a local part from its own earlier self, which has the same name and version."""
    return _hash(Path(part.path)) if part.source == "local file" else ""


def _hash(file: Path) -> str:
    digest = hashlib.sha256()
    with contextlib.suppress(OSError), file.open("rb") as opened:
        while piece := opened.read(1 << 20):
            digest.update(piece)
    return digest.hexdigest()
