"""The exam of conversions: what comes out is the same model, whole, traceable, and the same every time.

`exam(part)` raises `AssertionError` with what is wrong. A conversion from a format that isn't known here brings its own
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
from seatrial.errors import PartError
from seatrial.testing import _by_format, _models
from seatrial.testing._models import Sample

SAME = 1e-4
"""How far answers may be off, as a share of the largest right answer: what rounding in single precision may do."""
_SEED = 3


def exam(part: PartInfo, samples: Sequence[Sample] = ()) -> None:
    """Convert each sample twice, look at what was made, and let a runtime answer with it."""
    module, options = catalog.load(part), catalog.options(part)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name).resolve()
        formats = part.accepts.get("format", ())
        own = [sample for format_ in formats for sample in _by_format.samples(format_, folder / format_)]
        assert own or samples, f"{part.name}: no sample in its formats; bring some: exam(part, samples=[...])"
        for sample in (*own, *samples):
            where = f"{part.name}, sample {sample.name}"
            first, second = (_convert(where, part, module, options, sample, folder / one / sample.name) for one in "ab")
            assert first.hash == second.hash, f"{where}: converted twice from the same, the results differ"
            _check_answers(where, first, sample)


def _convert(where: str, part: PartInfo, module: Any, options: Any, sample: Sample, folder: Path) -> Artefact:
    given = sample.artefact
    before = {role: _models.sha256(file) for role, file in given.files.items()}
    made: Artefact = module.convert(given, Making(folder, _SEED, examples=sample.values), options)
    after = {role: _models.sha256(file) for role, file in given.files.items()}
    assert before == after, f"{where}: changed the files of the model that it was given"
    formats = part.gives.get("format", ())
    assert made.format in formats, f"{where}: gives the format {made.format}, declares {formats}"
    assert made.format != given.format, f"{where}: gives the format that it was given"
    _check_files(where, made, folder)
    for side in ("inputs", "outputs"):
        names, wanted = ([spec.name for spec in getattr(one.signature, side)] for one in (made, given))
        assert names == wanted, f"{where}: the {side} are {names}, not {wanted}"
    lineage = made.lineage
    assert lineage.recipe == part.name, f"{where}: the lineage names the recipe {lineage.recipe}"
    assert lineage.parent == given.hash, f"{where}: the lineage doesn't name the model that it comes from"
    assert lineage.options == options.model_dump(mode="json"), f"{where}: the lineage doesn't hold the options"
    assert lineage.made_with, f"{where}: the lineage doesn't say with which versions it was made"
    return made


def _check_files(where: str, made: Artefact, folder: Path) -> None:
    assert made.files.keys() == made.hashes.keys(), f"{where}: files and hashes have different roles"
    for role, file in made.files.items():
        assert Path(file).is_relative_to(folder), f"{where}: `{role}` lies outside the folder it was given"
        assert _models.sha256(file) == made.hashes[role], f"{where}: the hash of `{role}` isn't its SHA-256"
    left = {file for file in folder.rglob("*") if file.is_file()} - {Path(file) for file in made.files.values()}
    assert not left, f"{where}: leaves {', '.join(sorted(map(str, left)))} behind"


def _check_answers(where: str, made: Artefact, sample: Sample) -> None:
    """The first installed runtime that takes the format on the CPU answers as the model does."""
    for runtime in catalog.parts("runtimes").values():
        if not (runtime.takes("format", made.format) and runtime.takes("device", "cpu")) or catalog.absent(runtime):
            continue
        session = catalog.load(runtime).open(made, Setting(), catalog.options(runtime))
        answers = session.predict(sample.values)
        session.close()
        for name, right in sample.answers.items():
            off = float(np.abs(answers[name] - right).max() / np.abs(right).max())
            assert off <= SAME, f"{where}: `{name}` is off by {off:.2g} of its range"
        return
    raise PartError(f"no installed runtime takes the format {made.format}", next_step="seatrial doctor")
