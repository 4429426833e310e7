"""Artefacts: each is made once, hashed and kept; two forms of one model are proved equal before either is used."""

from __future__ import annotations

import contextlib
import hashlib
import os
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from seatrial import catalog
from seatrial.contracts.artefact import Artefact, Signature, Step, TensorSpec
from seatrial.contracts.candidate import PartRef
from seatrial.contracts.finding import Finding, State, missing
from seatrial.contracts.messages import ArrayRef, Order
from seatrial.contracts.part import PartInfo
from seatrial.contracts.plan import Planned
from seatrial.contracts.protocols import Link
from seatrial.contracts.record import digest
from seatrial.contracts.study import Model, classes_of
from seatrial.contracts.values import ValueKind
from seatrial.errors import SeatrialError, Unsupported, WorkerError
from seatrial.flow import arrays, chains
from seatrial.flow._unfinished import finished, unfinished
from seatrial.flow.keep import ARTEFACT
from seatrial.flow.machines import LOCAL
from seatrial.flow.reach import reach
from seatrial.flow.rows import ModelRows, Rows
from seatrial.flow.trial import Voyage


class Maker:
    """Makes artefacts in workers of its own, one a thread, begun when the first is needed and anew after a crash."""

    def __init__(self, voyage: Voyage) -> None:
        self._voyage = voyage
        self._own = threading.local()
        self._links: list[Link] = []
        self._lock = threading.RLock()
        self._gates: dict[str, threading.Lock] = {}
        self._base: dict[tuple[str, str], Artefact] = {}
        self._made: dict[str, Artefact | Finding] = {}

    def __enter__(self) -> Maker:
        return self

    def __exit__(self, *error: object) -> None:
        self._close_all()

    def ahead(self, candidates: Sequence[Planned], data: Mapping[str, ModelRows]) -> None:
        """Make what these candidates need side by side, one artefact a processor; `artefact` then finds it made.

        Each is made once, what two chains begin with too. A worker dies with the thread that started it, so none is kept.
        """
        distinct = {(one.candidate.model, one.route, str(one.candidate.variant)): one for one in candidates}
        count = min(len(distinct), len(os.sched_getaffinity(0)))
        if count < 2 or self._voyage.machine != LOCAL:
            return
        for one in distinct.values():
            self.base(one.candidate.model, one.form)
        pool = ThreadPoolExecutor(count)
        try:
            list(pool.map(lambda one: self.artefact(one, data[one.candidate.model]), distinct.values()))
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
            self._close_all()
            pool.shutdown(wait=True)

    def base(self, model: str, form: str) -> Artefact:
        """The model as it arrived in this form. Raises a `SeatrialError` when it can't be used."""
        if (model, form) not in self._base:
            stated = self._voyage.plan.study.models[model]
            info = self._voyage.find("subjects", form)
            catalog.require(info)
            read = catalog.load(info).read(catalog.options(info, stated.forms[form]), self._voyage.folder)
            self._base[model, form] = _signed(read, stated)
        return self._base[model, form]

    def artefact(self, planned: Planned, rows: ModelRows) -> Artefact | Finding:
        """The variant of a candidate, from the store or made now; a finding that says why when it can't be.

        A chain is made link by link, each of what the one before gave, and each kept for itself.
        """
        made = self.start(planned)
        links = planned.candidate.variant.links
        infos = [self._voyage.find("variants", link.name) for link in links]
        runtime = self._voyage.find("runtimes", planned.candidate.runtime.name)
        ways = () if isinstance(made, Finding) else chains.formats(infos, made.format, runtime)
        for index, (link, info) in enumerate(zip(links, infos, strict=True)):
            if isinstance(made, Finding):
                return made
            wanted = made.format if isinstance(ways, str) else ways[index]
            if "after" in info.gives.get("step", ()):
                made = self._answering(planned, link, made if index else None, rows)
            else:
                made = self._link(planned, link, wanted, made, rows, index > 0)
        return made

    def _link(self, planned: Planned, link: PartRef, wanted: str, base: Artefact, rows: ModelRows, later: bool) -> Artefact | Finding:  # fmt: skip
        """One variant of this artefact in the format that is wanted; what was done before stays in its lineage."""
        info = self._voyage.find("variants", link.name)
        seed = self._voyage.plan.study.measure.seed
        versions = {package: self._voyage.version(package) for package in info.needs}
        fits = info.accepts.get("rows", ())
        calibration = rows.calibration if "calibrate" in fits else None
        train = rows.train if "train" in fits else None
        rows_hash = "+".join(one.rows_hash for one in (calibration, train) if one) or None
        own = getattr(catalog.load(info), "files", None)
        read = own(catalog.options(info, link.options), self._voyage.folder) if own else {}
        made_of = [base.hash, wanted, str(link), catalog.code(info), read]
        try:
            ranges = self._ranges(planned, info, train or calibration or rows.evaluation)
        except Unsupported as error:
            return missing("run", State.UNSUPPORTED, f"the variant {link} could not be made: {error.what}")
        known = self._known(planned, info, bool(train))
        made_of += [one for one in (ranges, known) if one]
        key = digest([*made_of, info.version, versions, rows_hash, seed])

        def make() -> Artefact | Finding:
            order = Order(
                order="make",
                part=link,
                artefact=base,
                values=dict(calibration.inputs) if calibration else {},
                seed=seed,
                settings={"rows_hash": rows_hash, "wanted": wanted} | ranges | known | _labels(known, calibration),
                train=self._training(planned, train) if train else {},
            )
            of = f"{planned.candidate.model} ({planned.route})"
            return self._ordered(order, key, of, base if later else None)

        return self._once(key, make)

    def _answering(self, planned: Planned, link: PartRef, made: Artefact | None, rows: ModelRows) -> Artefact | Finding:
        """The artefact whose answers a step is to change, with that step; it is fitted once the artefact has answered.

        That artefact is what a chain made so far, else the variant that the step is `of`.
        """
        info = self._voyage.find("variants", link.name)
        given = catalog.options(info, link.options)
        if made is None:
            inner = planned.candidate.model_copy(update={"variant": given.of})
            of = self.artefact(planned.model_copy(update={"candidate": inner}), rows)
            if isinstance(of, Finding):
                return of
            made = of
        rows_hash = rows.calibration.rows_hash if rows.calibration else None
        step = Step(
            name=info.name, options=given.model_dump(mode="json") | {"version": info.version, "rows": rows_hash}
        )
        return made.model_copy(update={"after": (*made.after, step)})

    def start(self, planned: Planned, examples: Mapping[str, ArrayRef] | None = None) -> Artefact | Finding:
        """What the variant of a candidate is made of: the form, converted where its runtime doesn't take it as it is.

        A conversion that can't be made is a finding that says why. Its answers are yet to be compared with the form's.
        """
        made: Artefact | Finding = self.base(planned.candidate.model, planned.form)
        for index, link in enumerate(planned.conversion.links if planned.conversion else ()):
            if isinstance(made, Finding):
                return made
            made = self.converted(made, link, f"{planned.candidate.model} ({planned.form})", examples, index > 0)
        return made

    def converted(
        self,
        base: Artefact,
        conversion: PartRef,
        of: str,
        examples: Mapping[str, ArrayRef] | None = None,
        later: bool = False,
    ) -> Artefact | Finding:
        """An artefact in another format, from the store or made now; a finding that says why when it can't be.

        `of` is what it is called; `later` says that the artefact was itself made, which its lineage then tells.
        """
        info = self._voyage.find("conversions", conversion.name)
        seed = self._voyage.plan.study.measure.seed
        versions = {package: self._voyage.version(package) for package in info.needs}
        identity = [
            base.hash,
            base.signature.model_dump(),
            str(conversion),
            catalog.code(info),
            info.version,
            versions,
            seed,
        ]
        key = digest(["conversion", *identity])
        order = Order(order="convert", part=conversion, artefact=base, values=dict(examples or {}), seed=seed)
        return self._once(key, lambda: self._ordered(order, key, of, base if later else None))

    def _once(self, key: str, make: Callable[[], Artefact | Finding]) -> Artefact | Finding:
        """What is kept under this key, or is made now, by whoever comes first: others wait for it."""
        with self._lock:
            gate = self._gates.setdefault(key, threading.Lock())
        with gate:
            if key not in self._made:
                self._made[key] = self._kept(key) or make()
        return self._made[key]

    def _kept(self, key: str) -> Artefact | None:
        body = self._voyage.keeper.get(ARTEFACT, key)
        artefact = Artefact.model_validate(body) if body else None
        if artefact is None or any(_hash(Path(file)) != artefact.hashes[role] for role, file in artefact.files.items()):
            return None
        return artefact

    def _known(self, planned: Planned, info: PartInfo, trains: bool) -> dict[str, Any]:
        """What a variant that trains or tries things out is told of the answers: what outputs mean and, to try, the task."""
        if not trains and "runtimes" not in info.uses:
            return {}
        model = self._voyage.plan.study.models[planned.candidate.model]
        outputs = {name: output.model_dump(mode="json") for name, output in model.outputs.items()}
        return {"outputs": outputs} | ({"task": model.task.name} if "runtimes" in info.uses else {})

    def _ranges(self, planned: Planned, info: PartInfo, rows: Rows) -> dict[str, Any]:
        """For a variant that counts in shares of ranges: those that security counts by, and what the outputs mean."""
        if "ranges" not in info.accepts:
            return {}
        study = self._voyage.plan.study
        model = study.models[planned.candidate.model]
        found = reach(study, self._voyage.folder, model, rows.inputs)
        space = {name: found[name] for name in ("low", "span", "free", "axes")}
        outputs = {name: output.model_dump(mode="json") for name, output in model.outputs.items()}
        return {"space": arrays.pack(space, self._voyage.keeper.arrays), "outputs": outputs}

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

    def _ordered(self, order: Order, key: str, of: str, before: Artefact | None = None) -> Artefact | Finding:
        """What a worker makes, kept under this key; a finding that says why where it can't, and then nothing of it stays.

        `before` is what a chain made first: how, is noted in the lineage.
        """
        voyage = self._voyage
        with self._lock:
            voyage.tell("make", label=str(order.part), note=of)
        with unfinished(voyage.keeper.home / "artefacts" / key) as folder:
            placed = order.model_copy(update={"base": str(voyage.folder), "folder": str(folder)})
            try:
                answer = self._worker().ask(placed, voyage.plan.study.measure.limits.make)
            except WorkerError as error:
                self._close()
                kind = "conversion" if order.order == "convert" else "variant"
                told = f"the {kind} {order.part} could not be made: {error.what}"
                return missing("run", State(error.state), told, method=error.next_step)
            artefact = finished(
                Artefact.model_validate(answer["artefact"]), folder, voyage.keeper.home / "artefacts" / key
            )
        if before is not None and artefact != before:
            earlier = (*before.lineage.earlier, before.lineage.model_copy(update={"earlier": ()}))
            artefact = artefact.model_copy(update={"lineage": artefact.lineage.model_copy(update={"earlier": earlier})})
        voyage.keeper.put((ARTEFACT, key, artefact.model_dump(mode="json")))
        return artefact

    def _worker(self) -> Link:
        """The worker of this thread."""
        if getattr(self._own, "link", None) is None:
            self._own.link = self._voyage.start(f"making {threading.current_thread().name}")
            with self._lock:
                self._links.append(self._own.link)
        link: Link = self._own.link
        return link

    def _close(self) -> None:
        if getattr(self._own, "link", None) is not None:
            self._own.link.close()
            self._own.link = None

    def _close_all(self) -> None:
        with self._lock:
            links, self._links = self._links, []
        for link in links:
            link.close()
        self._own.link = None


def _labels(known: Mapping[str, Any], calibration: Rows | None) -> dict[str, Any]:
    """The labels of the rows that a variant answers to try things out."""
    if "task" not in known:
        return {}
    found = calibration.labels if calibration else None
    return {"labels": None if found is None else {"$array": found.ref.model_dump()}}


def fits_anew(voyage: Voyage, variant: PartRef) -> bool:
    """Whether a variant, a link of a chain, or the one that a step is of, wants rows to train with."""
    return any(_trains(voyage, link) for link in variant.links)


def _trains(voyage: Voyage, link: PartRef) -> bool:
    info = voyage.find("variants", link.name)
    if "train" in info.accepts.get("rows", ()):
        return True
    return "after" in info.gives.get("step", ()) and fits_anew(voyage, catalog.options(info, link.options).of)


LEAST = 1e-12
"""What an output is taken to be as large as, where all of it is nought."""


def differ(one: Mapping[str, Any], other: Mapping[str, Any]) -> tuple[float, float]:
    """The largest absolute difference and the largest absolute value, both of the output that differs by the largest share of its own.

    NaN and infinity are the same where both have them. Raises `SeatrialError` where names, shapes or those places differ.
    """
    if set(one) != set(other) or any(one[name].shape != other[name].shape for name in one):
        shapes = [{name: array.shape for name, array in side.items()} for side in (one, other)]
        raise SeatrialError(f"the outputs have other names or shapes: {shapes[0]} and {shapes[1]}")
    return most(_apart(name, one[name], other[name]) for name in one)


def most(found: Iterable[tuple[float, float]]) -> tuple[float, float]:
    """Of several differences, each with the size of what differs, the one that is the largest share of its size."""
    return max(found, key=lambda pair: pair[0] / max(pair[1], LEAST), default=(0.0, 0.0))


def _apart(name: str, one: Any, other: Any) -> tuple[float, float]:
    import numpy as np

    a, b = np.asarray(one, np.float64), np.asarray(other, np.float64)
    both = np.isfinite(a) & np.isfinite(b)
    odd = ~both & (a != b) & ~(np.isnan(a) & np.isnan(b))
    if odd.any():
        raise SeatrialError(f"where one gives {a[odd][0]:g} in `{name}`, the other gives {b[odd][0]:g}")
    return float(np.abs(a[both] - b[both]).max(initial=0.0)), float(np.abs(a[both]).max(initial=0.0))


def _signed(artefact: Artefact, stated: Model) -> Artefact:
    """A file that says nothing of inputs and outputs (torch weights) is given those that the study states."""
    if artefact.signature.inputs and artefact.signature.outputs:
        return artefact
    inputs = tuple(
        TensorSpec(name=name, kind=one.kind, dtype="string" if one.kind is ValueKind.TEXT else one.dtype)
        for name, one in stated.inputs.items()
    )
    outputs = tuple(TensorSpec(name=name) for name in stated.outputs)
    return artefact.model_copy(update={"signature": Signature(inputs=inputs, outputs=outputs)})


def _hash(file: Path) -> str:
    digest = hashlib.sha256()
    with contextlib.suppress(OSError), file.open("rb") as opened:
        while piece := opened.read(1 << 20):
            digest.update(piece)
    return digest.hexdigest()
