"""The exam of steps after the model (`GIVES = {"step": ("after",)}`): fitted to some rows, applied to others a piece at a time."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from seatrial import catalog
from seatrial.contracts.part import PartInfo
from seatrial.contracts.quality import Batch
from seatrial.errors import Unsupported
from seatrial.testing import _models

ROWS = 600


def exam(part: PartInfo) -> None:
    """Fit twice the same, in plain numbers; what becomes of a row depends on that row alone; refused without labels."""
    module, type_ = catalog.load(part), catalog.options_type(catalog.load(part))
    required = [name for name, field in type_.model_fields.items() if field.is_required()]
    options = catalog.options(part, dict.fromkeys(required, "town"))
    batch = _batch()
    fitted = module.fit(batch, options)
    assert module.fit(batch, options) == fitted, f"{part.name}: fitted twice to the same, it differs"
    assert json.loads(json.dumps(fitted)) == fitted, f"{part.name}: what it fits can't be kept as JSON"
    before = {name: array.copy() for name, array in batch.answers.items()}
    made = module.apply(fitted, batch.answers, batch.groups)
    assert all(np.array_equal(before[name], batch.answers[name]) for name in before), (
        f"{part.name}: changes what it is given"
    )
    assert made.keys() >= before.keys(), f"{part.name}: loses answers"
    _check_pieces(part, module, fitted, batch, made)
    if "none" in part.accepts.get("rows", ()):
        nothing = module.fit(Batch(answers={}, labels=None), options)
        assert nothing == fitted, f"{part.name}: says that it needs no rows, and comes out otherwise with some"
        return
    bare = Batch(answers=batch.answers, labels=None, groups=batch.groups, classes=batch.classes)
    refused = _models.refusal(Unsupported, lambda: module.fit(bare, options))
    assert refused, f"{part.name}: fitted without labels"
    assert "label" in str(refused), f"{part.name}: refuses for want of labels without saying so"


def _check_pieces(part: PartInfo, module: Any, fitted: Any, batch: Batch, made: Any) -> None:
    for name, array in made.items():
        assert array.shape == batch.answers[name].shape, f"{part.name}: `{name}` has another shape than before"
        assert np.isfinite(array).all(), f"{part.name}: `{name}` isn't finite"
    taken = slice(7, 20)
    piece = module.apply(
        fitted,
        {name: array[taken] for name, array in batch.answers.items()},
        {name: column[taken] for name, column in batch.groups.items()},
    )
    for name, array in made.items():
        assert np.allclose(piece[name], array[taken]), f"{part.name}: `{name}` of a row depends on the rows beside it"


def _batch() -> Batch:
    """Two classes, probabilities too sure of themselves, two towns."""
    draw = np.random.default_rng(5)
    truth = 1 / (1 + np.exp(-draw.standard_normal(ROWS)))
    sure = truth**3 / (truth**3 + (1 - truth) ** 3)
    probabilities = np.stack([1 - sure, sure], axis=1)
    labels = (draw.random(ROWS) < truth).astype(np.int64)
    towns = np.where(draw.random(ROWS) < 0.4, "Rye", "Ely")
    answers = {"scores": np.log(probabilities), "probabilities": probabilities}
    return Batch(answers=answers, labels=labels, groups={"town": towns}, classes=("no", "yes"))
