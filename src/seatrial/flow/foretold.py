"""What devices that aren't here would do, in a study (`measure.predict`): each model in ONNX, or converted to it, on each of them.

predicted.latency, .throughput, .memory, .limit    {model, variant, device, precision, batch}: `flow/hardware/told.py`
predicted.speedup                                  the same, over the throughput that was measured of the reference here

All are *predicted*: no requirement passes or fails on them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from seatrial.contracts.artefact import Artefact
from seatrial.contracts.candidate import Candidate
from seatrial.contracts.finding import Finding, State, missing, weakest
from seatrial.contracts.plan import Plan
from seatrial.contracts.record import Scalar
from seatrial.errors import SeatrialError
from seatrial.flow.hardware import catalogue, forecast, here, told
from seatrial.flow.hardware.device import Device, of_catalogue
from seatrial.flow.making import Maker
from seatrial.flow.routes import fitting
from seatrial.flow.rows import ModelRows
from seatrial.flow.service import RATE
from seatrial.flow.trial import Trial, Voyage

SPEEDUP = "predicted.speedup"
FORMAT = here.FILES[1:]
"""What is counted."""


class _Subject(NamedTuple):
    """A model as one variant: what counts it, for which numbers of rows a call, and how it came to be in ONNX if it wasn't."""

    at: Mapping[str, Scalar]
    counter: forecast.Count
    batches: tuple[int, ...]
    by: str


def foretell(voyage: Voyage, trials: Sequence[Trial], data: Mapping[str, ModelRows]) -> list[Finding]:
    """Every model and variant of the study on every device that it names; missing, with the reason, where that can't be said."""
    asked = voyage.plan.study.measure.predict
    if asked is None:
        return []
    rows = {row.name: row for row in map(catalogue.find, asked.devices)}
    devices = [of_catalogue(row, asked.precision) for row in rows.values()]
    found: list[Finding] = []
    for one in _subjects(voyage, trials, data):
        if isinstance(one, Finding):
            found.append(one)
            continue
        for device in devices:
            for batch in one.batches:
                found += _on(device, one, batch)
    return found


def bought(plan: Plan, findings: Sequence[Finding]) -> list[Finding]:
    """Each predicted throughput over the one that was measured of the reference, where both are of one model."""
    reference = plan.reference.candidate
    rates = [
        one
        for one in findings
        if one.candidate == reference.id and one.unit == RATE and one.what == one.part and one.value is not None
    ]
    if not rates:
        return []
    here_ = min(rates, key=lambda one: (abs((one.level or 0.0) - plan.levels.describe), -one.number))
    return [
        Finding(
            what=SPEEDUP,
            at=one.at,
            value=one.number / here_.number,
            low=(one.low or one.number) / (here_.high or here_.number),
            high=(one.high or one.number) / (here_.low or here_.number),
            unit="x",
            better="higher",
            origin=weakest((one.origin, here_.origin)),
            inputs=(one.key, here_.key),
            method=f"predicted rows a second over those measured here of the reference, {reference.id}",
            state=here_.state,
            note="; ".join(filter(None, (here_.note, one.note))),
        )
        for one in findings
        if one.what == told.THROUGHPUT and one.at.get("model") == reference.model
    ]


def _on(device: Device, subject: _Subject, batch: int) -> list[Finding]:
    at = {**subject.at, "device": device.name, "precision": device.precision, "batch": batch}
    try:
        made = forecast.forecast(device, subject.counter, batch)
        if subject.by:
            made = made.model_copy(update={"doubts": (*made.doubts, subject.by)})
        drawn = str(subject.at["model"]) if batch == max(subject.batches) else ""
        return told.findings(made, subject.at, drawn)
    except SeatrialError as error:
        return [missing(told.LATENCY, State.UNSUPPORTED, error.what, at=at, method=error.next_step)]
    except Exception as error:  # noqa: BLE001 - a file may hold anything, and what can't be predicted must not cost what can be measured
        return [missing(told.LATENCY, State.FAILED, f"{type(error).__name__}: {error}", at=at)]


def _subjects(voyage: Voyage, trials: Sequence[Trial], data: Mapping[str, ModelRows]) -> Iterator[_Subject | Finding]:
    """Models and variants that candidates run; a finding that says why for those that can't be counted."""
    groups: dict[tuple[str, str], list[Trial]] = {}
    for one in trials:
        if one.imported:
            why = "its answers were made elsewhere: there is no model here whose work could be counted"
            yield missing(told.LATENCY, State.UNSUPPORTED, why, at={"model": one.planned.candidate.model})
        else:
            groups.setdefault((one.planned.candidate.model, str(one.planned.candidate.variant)), []).append(one)
    for (model, variant), those in groups.items():
        at: dict[str, Scalar] = {"model": model, "variant": variant}
        whole = next((one.artefact for one in those if one.artefact.format == FORMAT), None)
        counted = whole or _converted(voyage, those[0], data[model])
        if isinstance(counted, Finding):
            yield counted.model_copy(update={"at": at})
            continue
        rows = {name: ref.shape[1:] for name, ref in data[model].evaluation.inputs.items()}
        fixed = counted.signature.fixed_batch
        batches = (fixed,) if fixed else tuple(sorted({one.planned.candidate.batch for one in those}))
        by = "" if whole else f"counted in the file that {counted.lineage.recipe} makes of it"
        yield _Subject(at, forecast.file_counter(Path(counted.files["model"]), {}, rows), batches, by)


def _converted(voyage: Voyage, one: Trial, rows: ModelRows) -> Artefact | Finding:
    """The model as it is in the format that is counted, by the conversions that the study allows; or why there is none."""
    candidate, usual = one.planned.candidate, Candidate.model_fields["variant"].default
    if candidate.variant != usual:
        why = f"the work of `{candidate.variant}` isn't counted: it is in the format {one.artefact.format}"
        return missing(told.LATENCY, State.UNSUPPORTED, why)
    taking = next((info for info in here.runtimes() if info.accepts.get("format") == (FORMAT,)), None)
    if taking is None:
        return missing(told.LATENCY, State.NOT_INSTALLED, f"no installed runtime takes {FORMAT} alone")
    stated = voyage.plan.study.models[candidate.model]
    way = fitting(candidate.model, stated, [voyage.find("variants", usual.name)], taking, voyage.folder)
    if way.reason:
        return missing(told.LATENCY, State.UNSUPPORTED, way.reason)
    planned = one.planned.model_copy(update={"form": way.form, "conversion": way.conversion})
    with Maker(voyage) as maker:
        made = maker.start(planned, rows.evaluation.inputs)
    return missing(told.LATENCY, made.state, made.note) if isinstance(made, Finding) else made
