"""The exam of variants: what is made is whole, traceable, the same every time, and still nearly the same model.

`exam(part)` raises `AssertionError` with what is wrong. A variant for another format than ONNX or torch brings its own
samples: `exam(part, samples=[...])`.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from seatrial import catalog
from seatrial.contracts.artefact import Artefact
from seatrial.contracts.part import PartInfo
from seatrial.contracts.protocols import Making, Setting
from seatrial.errors import PartError, Unsupported
from seatrial.testing import _models
from seatrial.testing._models import Sample

NEARLY = 0.15
"""How far answers may be off, as a share of the largest right answer: a broken model is off by more."""


def exam(part: PartInfo, samples: Sequence[Sample] = ()) -> None:
    """Make the variant of each sample twice, look at what was made, and let a runtime answer with it."""
    module, options = catalog.load(part), catalog.options(part)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        formats = part.accepts.get("format", ("onnx", "torch"))
        own = [sample for format_ in formats for sample in _models.samples(format_, folder / format_)]
        assert own or samples, f"{part.name}: no sample in its formats; bring some: exam(part, samples=[...])"
        for sample in (*own, *samples):
            first = _make(part, module, options, sample, folder / "first" / sample.name)
            second = _make(part, module, options, sample, folder / "second" / sample.name)
            assert first.hash == second.hash, f"{part.name}: made twice from the same, {sample.name} differs"
            _check_answers(part, first, sample)
            _check_without_rows(part, module, options, sample, folder / "none" / sample.name)


def _make(part: PartInfo, module: Any, options: Any, sample: Sample, folder: Path) -> Artefact:
    """Make it, and see that files, hashes, names and lineage are as they must be."""
    before = {role: _models.sha256(file) for role, file in sample.artefact.files.items()}
    made: Artefact = module.make(sample.artefact, _making(folder, sample), options)
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
    setting = Setting()
    for runtime in catalog.parts("runtimes").values():
        if not (runtime.takes("format", made.format) and runtime.takes("device", "cpu")) or catalog.absent(runtime):
            continue
        session = catalog.load(runtime).open(made, setting, catalog.options(runtime))
        answers = session.predict(sample.values)
        session.close()
        for name, right in sample.answers.items():
            off = float(np.abs(answers[name] - right).max() / np.abs(right).max())
            assert off <= NEARLY, f"{part.name}: `{name}` of {sample.name} is off by {off:.2g} of its range"
        return
    raise PartError(f"no installed runtime takes the format {made.format}", next_step="seatrial doctor")


_SEED = 3


def _making(folder: Path, sample: Sample) -> Making:
    draw = np.random.default_rng(_SEED)
    calibration = {
        name: draw.standard_normal((130, *value.shape[1:])).astype(value.dtype) for name, value in sample.values.items()
    }
    return Making(folder, _SEED, calibration, "rows")
