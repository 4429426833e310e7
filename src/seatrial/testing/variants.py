"""The exam of variants: what is made is whole, traceable, the same every time, and still nearly the same model.

`exam(part)` raises `AssertionError` with what is wrong. A variant for another format than ONNX or torch brings its own
samples: `exam(part, samples=[...])`.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from seatrial import catalog
from seatrial.contracts.artefact import Artefact
from seatrial.contracts.attack import Space
from seatrial.contracts.part import PartInfo
from seatrial.contracts.protocols import Making, Setting, Training
from seatrial.errors import PartError, Unsupported
from seatrial.testing import _after, _before, _by_format, _models, _skops, _student
from seatrial.testing._models import Sample

ROWS = 640
"""Calibration rows: enough to show that at most one answer in 200 is lost."""
NEARLY = 0.15
"""How far answers may be off, as a share of the largest right answer: a broken model is off by more."""


def exam(part: PartInfo, samples: Sequence[Sample] = ()) -> None:
    """Make the variant of each sample twice, look at what was made, and let a runtime answer with it."""
    if "train" in part.accepts.get("rows", ()):
        _exam_fitted(part)
        return
    if "after" in part.gives.get("step", ()):
        _after.exam(part)
        return
    if "before" in part.gives.get("step", ()):
        _before.exam(part)
        return
    module, options = catalog.load(part), catalog.options(part)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        formats = part.accepts.get("format", ("onnx", "torch"))
        own = [sample for format_ in formats for sample in _by_format.samples(format_, folder / format_)]
        own += [_models.roundabout(folder / "onnx")] if "onnx" in formats else []
        assert own or samples, f"{part.name}: no sample in its formats; bring some: exam(part, samples=[...])"
        sat = [_sat(part, module, options, sample, folder) for sample in (*own, *samples)]
        assert any(sat), f"{part.name}: refuses every sample"


def _sat(part: PartInfo, module: Any, options: Any, sample: Sample, folder: Path) -> bool:
    """Make the variant of a sample twice and look at it; False where it says that there is nothing to be done, and leaves nothing behind."""
    made: list[Artefact] = []

    def make() -> None:
        made.append(_make(part, module, options, sample, folder / "first" / sample.name))

    if _models.refusal(Unsupported, make):
        left = [file for file in (folder / "first" / sample.name).rglob("*") if file.is_file()]
        assert not left, f"{part.name}: refuses {sample.name} and leaves {left[0].name} behind"
        return False
    second = _make(part, module, options, sample, folder / "second" / sample.name)
    assert made[0].hash == second.hash, f"{part.name}: made twice from the same, {sample.name} differs"
    _check_answers(part, made[0], sample)
    _check_without_rows(part, module, options, sample, folder / "none" / sample.name)
    return True


def _exam_fitted(part: PartInfo) -> None:
    """Fit a model anew to rows with a role, twice: the same both times, better than chance, and refused without the rows."""
    module, torch = catalog.load(part), part.takes("format", "torch")
    options = catalog.options(part, {"group": "town"} if "group" in catalog.options_type(module).model_fields else {})
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        sample, labels = _student.three_classes(folder / "of") if torch else _skops.two_classes(folder / "model.skops")
        towns = np.where(np.arange(len(labels)) % 3 == 0, "Rye", "Ely")
        training = Training(sample.values, labels, {"town": towns}, ("no", "yes", "perhaps")[: 3 if torch else 2])
        given = Making(folder / "first", _SEED, rows_hash="rows", train=training)
        if "ranges" in part.accepts:
            given = replace(given, space=space_of(sample.values))
        if "runtimes" in part.uses:
            given = replace(given, run=lambda artefact, values: _answers(artefact, sample._replace(values=values)))
        first = _make(part, module, options, sample, folder / "first", given)
        second = _make(part, module, options, sample, folder / "second", replace(given, folder=folder / "second"))
        secret = "secret" in part.gives.get("chance", ())
        assert (first.hash == second.hash) is not secret, (
            f"{part.name}: made twice from the same, it {'is the same' if secret else 'differs'}"
        )
        assert first.lineage.rows_hash == "rows", f"{part.name}: the lineage doesn't name the rows"
        (answers,) = _answers(first, sample).values()
        right = float(np.mean(answers.argmax(axis=1) == labels))
        assert right > 1 - 2 * NEARLY, f"{part.name}: answers {right:.2f} of its own training rows rightly"
        if "none" in part.accepts["rows"]:
            return
        refused = _models.refusal(
            Unsupported, lambda: module.make(sample.artefact, Making(folder / "none", _SEED), options)
        )
        assert refused, f"{part.name}: made without rows to train with"
        assert "train" in str(refused), f"{part.name}: refuses for want of rows without naming the role `train`"
        assert refused.next_step, f"{part.name}: refuses for want of rows without a next step"


def space_of(values: Any) -> Space:
    """The room that changes are counted in: each feature from its least to its most in these rows."""
    low = {name: one.min(axis=0) for name, one in values.items()}
    span = {name: one.max(axis=0) - low[name] for name, one in values.items()}
    return Space(low, span, {name: np.ones(one.shape, bool) for name, one in low.items()})


def _make(
    part: PartInfo, module: Any, options: Any, sample: Sample, folder: Path, making: Making | None = None
) -> Artefact:
    """Make it, and see that files, hashes, names and lineage are as they must be."""
    before = {role: _models.sha256(file) for role, file in sample.artefact.files.items()}
    made: Artefact = module.make(sample.artefact, making or _making(part, folder, sample), options)
    after = {role: _models.sha256(file) for role, file in sample.artefact.files.items()}
    assert before == after, f"{part.name}: changed the files of the model that it was given"
    if made == sample.artefact:
        return made
    where = f"{part.name}, sample {sample.name}"
    formats = part.gives.get("format", (sample.artefact.format,))
    assert made.format in formats, f"{where}: gives the format {made.format}, declares {formats}"
    assert made.files.keys() == made.hashes.keys(), f"{where}: files and hashes have different roles"
    for role, file in made.files.items():
        assert Path(file).is_relative_to(folder.resolve()), f"{where}: `{role}` lies outside the folder it was given"
        assert _models.sha256(file) == made.hashes[role], f"{where}: the hash of `{role}` isn't its SHA-256"
    left = {file for file in folder.resolve().rglob("*") if file.is_file()} - {
        Path(file) for file in made.files.values()
    }
    assert not left, f"{where}: leaves {', '.join(sorted(map(str, left)))} behind"
    assert made.signature == sample.artefact.signature, f"{where}: inputs or outputs have changed"
    _check_lineage(where, part, made, sample, options)
    return made


def _check_lineage(where: str, part: PartInfo, made: Artefact, sample: Sample, options: Any) -> None:
    lineage = made.lineage
    assert lineage.recipe == part.name, f"{where}: the lineage names the recipe {lineage.recipe}"
    assert lineage.parent == sample.artefact.hash, f"{where}: the lineage doesn't name the model it was made from"
    assert lineage.options == options.model_dump(mode="json"), f"{where}: the lineage doesn't hold the options"
    assert lineage.seed == _SEED, f"{where}: the lineage doesn't hold the seed"
    assert lineage.made_with, f"{where}: the lineage doesn't say with which versions it was made"


def _check_without_rows(part: PartInfo, module: Any, options: Any, sample: Sample, folder: Path) -> None:
    """Without calibration rows: made all the same, or refused with the missing role named; rows unused leave no trace."""
    made: list[Artefact] = []
    making = Making(folder, _SEED)
    refused = _models.refusal(Unsupported, lambda: made.append(module.make(sample.artefact, making, options)))
    if refused:
        assert "calibrate" in str(refused), f"{part.name}: refuses for want of rows without naming the role `calibrate`"
        assert refused.next_step, f"{part.name}: refuses for want of rows without a next step"
    for artefact in made:
        assert artefact.lineage.rows_hash is None, f"{part.name}: names rows that it wasn't given"


def _check_answers(part: PartInfo, made: Artefact, sample: Sample) -> None:
    """The first installed runtime that takes the format on the CPU answers nearly as the model did."""
    answers = _answers(made, sample)
    for name, right in sample.answers.items():
        off = float(np.abs(answers[name] - right).max() / np.abs(right).max())
        assert off <= NEARLY, f"{part.name}: `{name}` of {sample.name} is off by {off:.2g} of its range"


def _answers(made: Artefact, sample: Sample) -> Any:
    """What the first installed runtime that takes the format on the CPU answers."""
    for runtime in catalog.parts("runtimes").values():
        if not (runtime.takes("format", made.format) and runtime.takes("device", "cpu")) or catalog.absent(runtime):
            continue
        session = catalog.load(runtime).open(made, Setting(), catalog.options(runtime))
        answers = session.predict(sample.values)
        session.close()
        return answers
    raise PartError(f"no installed runtime takes the format {made.format}", next_step="seatrial doctor")


_SEED = 3


def _making(part: PartInfo, folder: Path, sample: Sample) -> Making:
    draw = np.random.default_rng(_SEED)
    calibration = {
        name: draw.standard_normal((ROWS, *value.shape[1:])).astype(value.dtype)
        for name, value in sample.values.items()
    }
    given = Making(folder, _SEED, calibration, "rows")
    if "runtimes" not in part.uses:
        return given
    rows = sample._replace(values=calibration)
    return replace(given, answer=lambda artefact: {"scores": next(iter(_answers(artefact, rows).values()))})
