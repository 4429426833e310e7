"""The exam of runtimes: right answers, rows independent of their batch, honest facts, a clean end.

`exam(part)` raises `AssertionError` with what is wrong. A runtime for another format than ONNX or torch brings its own
samples: `exam(part, samples=[...])`.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from seatrial import catalog
from seatrial.contracts.part import PartInfo
from seatrial.contracts.protocols import Facts, Loss, Session, Setting
from seatrial.contracts.recorded import made_elsewhere
from seatrial.errors import SeatrialError, Unsupported
from seatrial.testing import _by_format, _models
from seatrial.testing._models import Sample

TOLERANCE = {"fp64": 1e-5, "fp32": 1e-5, "tf32": 3e-3, "fp16": 5e-3, "bf16": 3e-2, "int8": 1.5e-1}
"""Largest difference from the right answer, as a share of the largest right answer."""


def exam(part: PartInfo, samples: Sequence[Sample] = ()) -> None:
    """Open each sample on each device and in each precision that the part accepts, and see whether it keeps its word."""
    module, options = catalog.load(part), catalog.options(part)
    assert callable(getattr(module, "import_framework", None)), f"{part.name}: `import_framework()` is missing"
    module.import_framework()
    if made_elsewhere(part):
        _check_not_run(part, module, options)
        return
    for setting in _settings(part, module):
        with tempfile.TemporaryDirectory() as folder:
            formats, place = part.accepts.get("format", ()), Path(folder)
            own = [one for name in formats for one in _by_format.samples(name, place)]
            assert own or samples, f"{part.name}: no sample in its formats; bring some: exam(part, samples=[...])"
            for sample in (*own, *samples):
                where = f"{part.name}, sample {sample.name}, {setting.device}, {setting.precision}"
                _one(where, module, options, setting, sample, "gradient" in part.gives)


def _check_not_run(part: PartInfo, module: Any, options: Any) -> None:
    """What stands for outputs made elsewhere says so, and answers no rows."""
    for device in part.accepts.get("device", ("cpu",)):
        assert module.absent(device) is None, f"{part.name}: accepts {device} and then misses it"
        refused = _models.refusal(Unsupported, partial(module.open, None, Setting(device, "unknown"), options))
        assert refused, f"{part.name}: its outputs were made elsewhere, yet it opens"
        assert refused.what.strip(), f"{part.name}: refuses without a word"


def check_session(where: str, session: Session, sample: Sample, setting: Setting, tolerance: float) -> Facts:
    """Answers, names, independence of rows and facts of one open session, which stays open."""
    given = {name: value.copy() for name, value in sample.values.items()}
    answers = session.predict(sample.values)
    _check_answers(where, answers, sample, tolerance)
    for name, value in sample.values.items():
        assert np.array_equal(value, given[name]), f"{where}: `predict` changed the input `{name}`"
    again = session.predict(sample.values)
    kept = {name: np.array(value) for name, value in answers.items()}
    for name, value in kept.items():
        assert np.array_equal(value, again[name]), f"{where}: the same rows give different answers in `{name}`"
    _check_rows(where, session, sample, kept, tolerance)
    for name, value in kept.items():
        assert np.array_equal(value, answers[name]), f"{where}: a later query changed the answers of an earlier one"
    return _check_facts(where, session, setting)


def check_gradient(where: str, session: Any, sample: Sample, setting: Setting) -> None:
    """The slope of a weighted sum of the answers, by every input that is a float: in fp32 that of a small step."""
    draw = np.random.default_rng(0)
    (output, right), *_ = sample.answers.items()
    loss = Loss(output, "cotangent", cotangent=draw.standard_normal(right.shape).astype(np.float32))
    slope = session.gradient(sample.values, loss)
    floats = {name: value for name, value in sample.values.items() if value.dtype.kind == "f"}
    assert list(slope.gradient) == list(floats), f"{where}: gradients by {list(slope.gradient)}, not by {list(floats)}"
    for name, value in floats.items():
        got = slope.gradient[name]
        assert got.shape == value.shape, f"{where}: the gradient by `{name}` has shape {got.shape}, not {value.shape}"
    assert slope.loss.shape == right.shape[:1], f"{where}: losses of shape {slope.loss.shape}, not one a row"
    _check_answers(f"{where}, beside the gradient", slope.answers, sample, TOLERANCE.get(setting.precision, 1e-5))
    if setting.precision != "fp32":
        return
    along = {
        name: (value + 1e-3 * draw.standard_normal(value.shape)).astype(value.dtype) for name, value in floats.items()
    }
    ends = session.gradient({**sample.values, **along}, loss).loss - slope.loss
    rise = sum(((along[name] - floats[name]) * slope.gradient[name]).reshape(len(right), -1).sum(1) for name in floats)
    off = float(np.abs(ends - rise).max() / np.abs(ends).max())
    assert off < 0.05, f"{where}: a small step changes the loss otherwise than the gradient says, by {off:.1%}"


def _settings(part: PartInfo, module: Any) -> Iterator[Setting]:
    assert module.absent("no such device"), f"{part.name}: says that it can use a device that doesn't exist"
    for device in part.accepts.get("device", ("cpu",)):
        reason = module.absent(device)
        assert reason is None or reason.strip(), f"{part.name}: says no word on why {device} is absent"
        if reason is None:
            yield from (Setting(device, precision) for precision in part.accepts.get("precision", ("fp32",)))
            continue
        opening = partial(module.open, None, Setting(device), catalog.options(part))
        refused = _models.refusal(Unsupported, opening)
        assert refused, f"{part.name}: opens {device}, of which it says: {reason}"
        assert refused.what.strip(), f"{part.name}: refuses {device} without a word"


def _one(where: str, module: Any, options: Any, setting: Setting, sample: Sample, slopes: bool) -> None:
    opened: list[Session] = []
    refused = _models.refusal(Unsupported, lambda: opened.append(module.open(sample.artefact, setting, options)))
    if refused:
        assert (setting.device, setting.precision) != ("cpu", "fp32"), f"{where}: refused: {refused}"
        assert setting.precision != "unknown", f"{where}: accepts no precision but `unknown` and refuses it: {refused}"
        assert refused.what.strip(), f"{where}: refused without a word"
        return
    (session,) = opened
    check_session(where, session, sample, setting, TOLERANCE.get(setting.precision, TOLERANCE["fp32"]))
    _check_refusals(where, session, sample)
    if slopes:
        check_gradient(where, session, sample, setting)
    session.close()
    session.close()
    _fails(f"{where}: a closed session answers", session, sample.values)


def _check_answers(where: str, answers: Any, sample: Sample, tolerance: float) -> None:
    assert list(answers) == list(sample.answers), f"{where}: outputs {list(answers)}, not {list(sample.answers)}"
    for name, right in sample.answers.items():
        got = answers[name]
        assert isinstance(got, np.ndarray), f"{where}: `{name}` is a {type(got).__name__}, not an array in host memory"
        assert got.shape == right.shape, f"{where}: `{name}` has shape {got.shape}, not {right.shape}"
        assert got.dtype == right.dtype, f"{where}: `{name}` is {got.dtype}, not {right.dtype}"
        off = _difference(got, right)
        assert off <= tolerance, f"{where}: `{name}` is off by {off:.2g} of its range, more than {tolerance:.2g}"


def _check_rows(where: str, session: Session, sample: Sample, answers: dict[str, Any], tolerance: float) -> None:
    """A row alone, and the rows in another order, get the answers that they got in the batch."""
    order = np.arange(len(next(iter(sample.values.values()))))[::-1]
    for pick in (np.array([0]), np.array([2]), order):
        picked = session.predict({name: np.ascontiguousarray(value[pick]) for name, value in sample.values.items()})
        for name, value in answers.items():
            off = _difference(picked[name], value[pick])
            assert off <= tolerance, f"{where}: rows {pick.tolist()} of `{name}` differ by {off:.2g} in another batch"


def _check_facts(where: str, session: Session, setting: Setting) -> Facts:
    facts = session.facts()
    assert isinstance(facts, Facts), f"{where}: `facts()` gives a {type(facts).__name__}"
    assert facts.precision in {*TOLERANCE, "unknown"}, f"{where}: there is no precision `{facts.precision}`"
    as_asked = (facts.device, facts.precision) == (setting.device, setting.precision)
    finer = (facts.device, setting.precision, facts.precision) == (setting.device, "fp32", "fp64")
    hidden = (facts.device, facts.precision) == (setting.device, "unknown")
    said = facts.fell_back or ((finer or hidden) and facts.details.get("precision"))
    assert as_asked or said, f"{where}: ran on {facts.device} in {facts.precision} and says nothing of it"
    json.dumps(facts.details)
    return facts


def _check_refusals(where: str, session: Session, sample: Sample) -> None:
    name, value = next(iter(sample.values.items()))
    rest = {other: array for other, array in sample.values.items() if other != name}
    _fails(f"{where}: answers without the input `{name}`", session, rest)
    _fails(f"{where}: takes an input that it doesn't have", session, rest | {"no such input": value})
    _fails(f"{where}: takes rows with another number of axes", session, rest | {name: value[..., None]})
    _check_answers(f"{where}, after a refusal", session.predict(sample.values), sample, 1.0)


def _fails(complaint: str, session: Session, values: Any) -> None:
    refused = _models.refusal(SeatrialError, lambda: session.predict(values))
    assert refused, complaint
    assert refused.what.strip(), f"{complaint}: refused without a word"


def _difference(one: Any, other: Any) -> float:
    """Largest difference as a share of the largest magnitude of `other`."""
    scale = max(float(np.abs(other).max()), 1e-30)
    return float(np.abs(one.astype(np.float64) - other.astype(np.float64)).max()) / scale
