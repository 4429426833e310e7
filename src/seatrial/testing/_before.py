"""The exam of steps before the model (`GIVES = {"step": ("before",)}`): no file changes, and a session around a session."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from seatrial import catalog
from seatrial.contracts.attack import Space
from seatrial.contracts.part import PartInfo
from seatrial.contracts.protocols import Facts, Loss, Making, Slope
from seatrial.contracts.study import Output
from seatrial.contracts.values import Values
from seatrial.errors import Unsupported
from seatrial.testing import _models

ROWS, FEATURES, CLASSES = 40, 12, 3


class Linear:
    """A session that answers by one matrix, and notes what it was given."""

    def __init__(self) -> None:
        self.weights = np.random.default_rng(3).standard_normal((FEATURES, CLASSES)).astype(np.float32)
        self.given: list[Any] = []

    def predict(self, values: Values) -> Values:
        """Logits."""
        self.given.append(values["features"])
        return {"logits": values["features"] @ self.weights}

    def gradient(self, values: Values, loss: Loss) -> Slope:
        """Of `margin` against the next class: the difference of two columns."""
        labels = np.asarray(loss.labels)
        way = self.weights[:, (labels + 1) % CLASSES] - self.weights[:, labels]
        lost = (values["features"] * way.T).sum(axis=1)
        return Slope({"features": way.T.astype(np.float32)}, lost, self.predict(values))

    def facts(self) -> Facts:
        """Nothing was lowered."""
        return Facts("cpu", "fp32")

    def close(self) -> None:
        """There is nothing to give back."""


def exam(part: PartInfo) -> None:
    """Made twice the same, of the same files; what becomes of a row depends on it alone; refused without ranges."""
    module, options = catalog.load(part), catalog.options(part)
    with tempfile.TemporaryDirectory() as name:
        sample = _models.samples("onnx", Path(name))[0]
        rows = sample.values["features"]
        low, span = np.full(rows.shape[1], -4.0), np.full(rows.shape[1], 8.0)
        space = Space({"features": low}, {"features": span}, {"features": np.ones(rows.shape[1], bool)})
        outputs = {"logits": Output(means="logits", classes=("no", "yes", "perhaps"))}
        making = Making(Path(name), 3, space=space, outputs=outputs)
        made = module.make(sample.artefact, making, options)
        assert made == module.make(sample.artefact, making, options), f"{part.name}: made twice, it differs"
        assert made.files == sample.artefact.files, f"{part.name}: changes files, which a step doesn't"
        assert made.hash != sample.artefact.hash, (
            f"{part.name}: the artefact with the step has the hash of that without"
        )
        assert made.lineage.recipe == part.name, f"{part.name}: the lineage names {made.lineage.recipe}"
        assert made.lineage.parent == sample.artefact.hash, f"{part.name}: the lineage doesn't name the model"
        step = made.before[0]
        assert step.name == part.name, f"{part.name}: the step is called {step.name}"
        assert json.loads(json.dumps(step.options)) == step.options, f"{part.name}: the step can't be kept as JSON"
        refused = _models.refusal(Unsupported, lambda: module.make(sample.artefact, Making(Path(name), 3), options))
    assert refused, f"{part.name}: made without ranges"
    assert refused.next_step, f"{part.name}: refuses for want of ranges without a next step"
    _check_session(part, module, step.options)


def _check_session(part: PartInfo, module: Any, given: Any) -> None:
    inner = Linear()
    session = module.around(inner, given)
    rows = np.random.default_rng(5).standard_normal((ROWS, FEATURES)).astype(np.float32)
    before = rows.copy()
    answers = session.predict({"features": rows})["logits"]
    assert np.array_equal(rows, before), f"{part.name}: changes the rows that it is given"
    assert answers.shape == (ROWS, CLASSES), f"{part.name}: answers of another shape"
    assert np.isfinite(answers).all(), f"{part.name}: answers that aren't finite"
    assert all(one.dtype == rows.dtype and one.shape == rows.shape for one in inner.given), f"{part.name}: gives the model rows of another type or shape"  # fmt: skip
    alone = np.concatenate([session.predict({"features": rows[at : at + 1]})["logits"] for at in range(5)])
    assert np.allclose(alone, answers[:5], atol=1e-5), f"{part.name}: answers to a row depend on the rows beside it"
    slope = session.gradient({"features": rows}, Loss("logits", "margin", np.zeros(ROWS, np.int64)))
    assert slope.gradient["features"].shape == rows.shape, f"{part.name}: a gradient of another shape"
    assert np.abs(slope.gradient["features"]).max() > 0, f"{part.name}: no gradient comes through"
    assert "before" in session.facts().details, f"{part.name}: the facts don't say that the step is there"
