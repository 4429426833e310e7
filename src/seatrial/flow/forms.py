"""Two forms of one model are the same model only when their outputs say so."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from seatrial import catalog
from seatrial.contracts.artefact import Artefact
from seatrial.contracts.candidate import PartRef
from seatrial.contracts.finding import Finding, State, missing
from seatrial.contracts.messages import ArrayRef, Order
from seatrial.contracts.part import PartInfo
from seatrial.contracts.plan import Planned
from seatrial.contracts.record import digest
from seatrial.contracts.recorded import made_elsewhere
from seatrial.errors import SeatrialError, WorkerError, WorkerFailed
from seatrial.flow import arrays
from seatrial.flow.keep import FORM
from seatrial.flow.making import LEAST, Maker, differ, most
from seatrial.flow.trial import Voyage, asks_a_server, now

DIFFERENCE = "forms.difference"
ROWS = 256
"""Rows that are compared, spread over all that judge: what is sorted has its branches far from each other."""
BATCH = 64
FEW = (7, 1)
"""Rows of two further queries: what was written down for one number of rows answers others wrongly."""


class _Way(NamedTuple):
    """How a model gets to its runtimes: `planned` is a candidate that goes it. `native` is the form as it arrived."""

    name: str
    planned: Planned

    @property
    def native(self) -> _Way:
        return _Way(self.planned.form, self.planned.model_copy(update={"conversion": None}))


def prove_forms(
    voyage: Voyage, maker: Maker, values: Mapping[str, Mapping[str, ArrayRef]]
) -> dict[tuple[str, str], Finding]:
    """Which ways are refused, by model and `Planned.route`, with the reason. All that was found is noted.

    Every form, and every form that was converted, is compared with the one that the reference takes; what was converted is
    compared with the form as it arrived, too, where anything here can run that.
    """
    refused: dict[tuple[str, str], Finding] = {}
    for model, inputs in values.items():
        for one, other in _pairs(voyage, model):
            made = maker.start(other.planned, inputs)
            if isinstance(made, Finding):
                refused.setdefault((model, other.name), made)
                continue
            if unproved := _unproved(voyage, maker, one, other, inputs):
                voyage.findings.append(unproved)
                continue
            found = _compare(voyage, maker, one, other, inputs)
            voyage.findings.append(found)
            if found.state is not State.OK:
                step = found.method if found.value is None else ""
                refused.setdefault((model, other.name), missing("run", found.state, found.note, method=step))
    return refused


def _pairs(voyage: Voyage, model: str) -> list[tuple[_Way, _Way]]:
    """What is compared: the first is held to be the model, the second has to prove that it is the same."""
    ways: dict[str, _Way] = {}
    for one in (voyage.plan.reference, *voyage.plan.candidates):
        if one.candidate.model == model and not made_elsewhere(voyage.find("runtimes", one.candidate.runtime.name)):
            ways.setdefault(one.route, _Way(one.route, one))
    known = list(ways.values())
    pairs = [(way.native, way) for way in known if way.planned.conversion] + [(known[0], way) for way in known[1:]]
    return list({(one.name, other.name): (one, other) for one, other in pairs}.values())


def _unproved(voyage: Voyage, maker: Maker, main: _Way, way: _Way, inputs: Mapping[str, ArrayRef]) -> Finding | None:
    """That nothing here can tell whether they are the same: said, and not held against the second."""
    made = maker.start(main.planned, inputs)
    if isinstance(made, Finding):
        state, reason = made.state, made.note
    elif main.name == way.native.name and (why := _nothing_runs(voyage, made.format)):
        state, reason = why
    else:
        return None
    note = f"`{way.name}` was not compared with `{main.name}`: {reason}; it is used unproved"
    return missing(DIFFERENCE, state, note, at=_at(way), measured_at=now())


def _at(way: _Way) -> dict[str, Any]:
    return {"model": way.planned.candidate.model, "form": way.name}


def _compare(voyage: Voyage, maker: Maker, main: _Way, way: _Way, inputs: Mapping[str, ArrayRef]) -> Finding:
    model, at = way.planned.candidate.model, _at(way)
    both = (maker.start(one.planned, inputs) for one in (main, way))
    artefacts = [made for made in both if isinstance(made, Artefact)]
    pieces = _pieces(next(iter(inputs.values())).shape[0])
    rows = {name: ref.hash for name, ref in inputs.items()}
    content = [*(one.hash for one in artefacts), rows, pieces, voyage.fingerprint]
    key = digest([*content, *_anew(voyage, main, way)])
    kept = voyage.keeper.get(FORM, key)
    if kept is None:
        voyage.tell("forms", label=model, note=f"{way.name} against {main.name}")
        tried = way
        try:
            sides = []
            for tried, artefact in zip((main, way), artefacts, strict=True):
                sides.append(_answers(voyage, tried, artefact, inputs))
            stated = voyage.plan.study.models[model].outputs
            difference, scale = most(differ(*_without_extras(a, b, stated)) for a, b in zip(*sides, strict=True))
        except WorkerError as error:
            told = f"`{tried.name}` could not be tried: {error.what}"
            return missing(DIFFERENCE, State(error.state), told, at=at, method=error.next_step)
        except SeatrialError as error:
            return missing(DIFFERENCE, State.REFUSED, f"`{way.name}` is not the same model: {error.what}", at=at)
        kept = {"difference": difference, "scale": scale, "at": now()}
        voyage.measured += 1
        voyage.keeper.put((FORM, key, kept))
    else:
        voyage.reused += 1
    count = min(ROWS, next(iter(inputs.values())).shape[0])
    return _finding(at, way.name, main.name, voyage.plan.study.models[model].tolerance, count, kept)


def _pieces(count: int) -> list[tuple[int, int, int]]:
    """From which row up to which, and how many of them a query: full batches, seven rows, and the last row alone."""
    parts = ROWS // BATCH
    starts = [part * (count - BATCH) // (parts - 1) for part in range(parts)]
    full = [(0, count, BATCH)] if count <= ROWS else [(first, first + BATCH, BATCH) for first in starts]
    return [*full, *((max(0, count - size), count, size) for size in FEW)]


def _without_extras(one: Mapping[str, Any], other: Mapping[str, Any], stated: Iterable[str]) -> list[dict[str, Any]]:
    """Both forms' outputs, less those that one form alone gives and the study doesn't name: nothing is made of them."""
    extras = (set(one) ^ set(other)) - set(stated)
    return [{name: array for name, array in side.items() if name not in extras} for side in (one, other)]


def _anew(voyage: Voyage, *ways: _Way) -> list[str]:
    """What makes the key of this run its own, where a runtime says that what it runs may change without a sign."""
    used = [voyage.find("runtimes", way.planned.candidate.runtime.name) for way in ways]
    return [voyage.run] if any("reuse" in runtime.cannot for runtime in used) else []


def _answers(voyage: Voyage, way: _Way, artefact: Artefact, inputs: Mapping[str, ArrayRef]) -> list[dict[str, Any]]:
    """Outputs of the model without a variant, in full precision, on one runtime that takes it, for each piece of rows."""
    runtime = _runtime(voyage, way, artefact.format)
    network = asks_a_server(voyage.find("runtimes", runtime.name))
    link = voyage.start(f"form {way.planned.candidate.model} {way.name}", network)
    try:
        limits, folder, base = voyage.plan.study.measure.limits, str(voyage.keeper.arrays), str(voyage.folder)
        common: dict[str, Any] = {"base": base, "values": dict(inputs), "folder": folder}
        setting = _usual(voyage.find("runtimes", runtime.name)) | {"threads": 1, "batch": BATCH}
        link.ask(Order(order="open", part=runtime, artefact=artefact, setting=setting, **common), limits.open)
        answers = []
        for first, last, size in _pieces(next(iter(inputs.values())).shape[0]):
            order = Order(order="predict", rows=(first, last), samples=size, settings={"unchecked": True}, **common)
            answers.append(link.ask(order, limits.predict)["outputs"])
    finally:
        link.close()
    return [{name: arrays.load(ArrayRef(**ref)) for name, ref in outputs.items()} for outputs in answers]


def _runtime(voyage: Voyage, way: _Way, format: str) -> PartRef:
    """A runtime of the study that takes the form without options, else any that is installed."""
    model = way.planned.candidate.model
    plain = [
        one.candidate.runtime.name
        for one in voyage.plan.candidates
        if one.route == way.name and one.candidate.model == model
    ]
    for name in [*plain, *catalog.parts("runtimes")]:
        info = voyage.find("runtimes", name)
        if _runs(info, format) and not catalog.absent(info):
            return PartRef(name=name)
    raise WorkerFailed(f"no installed runtime takes {format}")


def _runs(runtime: PartInfo, format: str) -> bool:
    if made_elsewhere(runtime) or not runtime.takes("format", format):
        return False
    return catalog.load(runtime).absent(_usual(runtime)["device"]) is None


def _usual(runtime: PartInfo) -> dict[str, Any]:
    """The processor and full precision, or what a runtime takes that knows of one device or precision alone."""
    usual = (("device", "cpu"), ("precision", "fp32"))
    return {aspect: runtime.only(aspect) or value for aspect, value in usual}


def _nothing_runs(voyage: Voyage, format: str) -> tuple[State, str] | None:
    """Why no runtime can run this format here; None where one can."""
    names = {*catalog.parts("runtimes"), *(one.candidate.runtime.name for one in voyage.plan.candidates)}
    able = [info for name in sorted(names) if _runs(info := voyage.find("runtimes", name), format)]
    if not able:
        return State.UNSUPPORTED, f"no runtime takes {format}"
    if all(catalog.absent(info) for info in able):
        step = f"`{able[0].install()}` adds one"
        return State.NOT_INSTALLED, f"no runtime that takes {format} is installed ({step})"
    return None


def _finding(at: dict[str, Any], name: str, main: str, tolerance: float, rows: int, kept: Mapping[str, Any]) -> Finding:
    equal = kept["difference"] <= tolerance * max(LEAST, kept["scale"])
    spread = f"{rows} rows spread over all, {BATCH} a query, and {' and '.join(map(str, FEW))} a query"
    return Finding(
        what=DIFFERENCE,
        at=at,
        value=kept["difference"],
        better="lower",
        n=rows,
        unit_of_replication="rows",
        method=f"largest absolute difference from the form `{main}` on {spread}; tolerance {tolerance:g} of the largest number in the same output",
        state=State.OK if equal else State.REFUSED,
        note=""
        if equal
        else f"`{name}` is not the same model as `{main}`: outputs differ by {kept['difference']:.3g} where the largest is {kept['scale']:.3g}",
        measured_at=kept["at"],
    )
