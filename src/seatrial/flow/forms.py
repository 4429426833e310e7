"""Two forms of one model are the same model only when their outputs say so."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from seatrial import catalog
from seatrial.contracts.candidate import PartRef
from seatrial.contracts.finding import Finding, State, missing
from seatrial.contracts.messages import ArrayRef, Order
from seatrial.contracts.plan import Planned
from seatrial.contracts.record import digest
from seatrial.errors import SeatrialError, WorkerError, WorkerFailed
from seatrial.flow import arrays
from seatrial.flow.keep import FORM
from seatrial.flow.making import Maker, differ
from seatrial.flow.trial import Voyage, now

ROWS = 256
BATCH = 64


def prove_forms(
    voyage: Voyage, maker: Maker, values: Mapping[str, Mapping[str, ArrayRef]]
) -> dict[tuple[str, str], Finding]:
    """For each model that is used in several forms: the forms that are refused, with the reason. All that was found is noted."""
    refused = {}
    for model, inputs in values.items():
        used = list(dict.fromkeys(one.form for one in voyage.plan.candidates if one.candidate.model == model))
        approved = voyage.plan.reference
        main = approved.form if approved.candidate.model == model else used[0]
        for form in (form for form in used if form != main):
            found = _compare(voyage, maker, model, main, form, inputs)
            voyage.findings.append(found)
            if found.state is not State.OK:
                refused[model, form] = missing("run", found.state, found.note)
    return refused


def _compare(voyage: Voyage, maker: Maker, model: str, main: str, form: str, inputs: Mapping[str, ArrayRef]) -> Finding:
    tolerance = voyage.plan.study.models[model].tolerance
    hashes = [maker.base(model, one).hash for one in (main, form)]
    key = digest([*hashes, {name: ref.hash for name, ref in inputs.items()}, voyage.fingerprint])
    kept = voyage.keeper.get(FORM, key)
    if kept is None:
        voyage.tell("forms", label=model, note=f"{form} against {main}")
        try:
            one, other = (_answers(voyage, maker, model, each, inputs) for each in (main, form))
            difference, scale = differ(one, other)
        except WorkerError as error:
            return missing(
                "forms.difference",
                State(error.state),
                f"`{form}` could not be tried: {error.what}",
                at=_at(model, form),
            )
        except SeatrialError as error:
            return missing(
                "forms.difference", State.REFUSED, f"`{form}` is not the same model: {error.what}", at=_at(model, form)
            )
        kept = {"difference": difference, "scale": scale, "at": now()}
        voyage.measured += 1
        voyage.keeper.put((FORM, key, kept))
    else:
        voyage.reused += 1
    return _finding(model, form, main, tolerance, kept)


def _answers(voyage: Voyage, maker: Maker, model: str, form: str, inputs: Mapping[str, ArrayRef]) -> dict[str, Any]:
    """The first rows' outputs of the untouched model in this form, in full precision, on one runtime that takes it."""
    artefact = maker.base(model, form)
    runtime = _runtime(voyage, model, form, artefact.format)
    link = voyage.start(f"form {model} {form}")
    try:
        limits, folder, base = voyage.plan.study.measure.limits, str(voyage.keeper.arrays), str(voyage.folder)
        common: dict[str, Any] = {"base": base, "values": dict(inputs), "folder": folder}
        setting = {"device": "cpu", "precision": "fp32", "threads": 1, "batch": BATCH}
        link.ask(Order(order="open", part=runtime, artefact=artefact, setting=setting, **common), limits.open)
        rows = (0, min(ROWS, next(iter(inputs.values())).shape[0]))
        answer = link.ask(Order(order="predict", rows=rows, samples=BATCH, **common), limits.predict)
    finally:
        link.close()
    return {name: arrays.load(ArrayRef(**ref)) for name, ref in answer["outputs"].items()}


def _runtime(voyage: Voyage, model: str, form: str, format: str) -> PartRef:
    """A runtime of the study that takes the form without options, else any that is installed."""
    planned: list[Planned] = [
        one for one in voyage.plan.candidates if one.form == form and one.candidate.model == model
    ]
    plain = [one.candidate.runtime.name for one in planned]
    for name in [*plain, *catalog.parts("runtimes")]:
        info = voyage.find("runtimes", name)
        if info.takes("format", format) and not catalog.absent(info):
            return PartRef(name=name)
    raise WorkerFailed(f"no installed runtime takes {format}")


def _at(model: str, form: str) -> dict[str, Any]:
    return {"model": model, "form": form}


def _finding(model: str, form: str, main: str, tolerance: float, kept: Mapping[str, Any]) -> Finding:
    equal = kept["difference"] <= tolerance * max(1.0, kept["scale"])
    return Finding(
        what="forms.difference",
        at=_at(model, form),
        value=kept["difference"],
        better="lower",
        n=ROWS,
        unit_of_replication="rows",
        method=f"largest absolute difference of outputs from the form `{main}`; tolerance {tolerance:g} of the largest output",
        state=State.OK if equal else State.REFUSED,
        note="" if equal else f"`{form}` is not the same model as `{main}`: outputs differ by {kept['difference']:.3g}",
        measured_at=kept["at"],
    )
