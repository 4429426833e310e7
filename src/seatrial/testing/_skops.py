"""Small scikit-learn models for the exams, set and not fitted, with the answers that NumPy gives."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from seatrial.contracts.artefact import Artefact, Lineage, Signature, TensorSpec
from seatrial.testing import _models
from seatrial.testing._models import Sample

FEATURES, CLASSES = 6, 3


def table(folder: Path) -> Sample:
    """A logistic regression on an array."""
    return _sample(folder / "table.skops", scaled=False)


def pipeline(folder: Path) -> Sample:
    """The same behind a scaler."""
    return _sample(folder / "pipeline.skops", scaled=True)


def skops_file(file: Path, scaled: bool = False) -> Artefact:
    """A logistic regression on `X` [rows, 6] float32 to `probabilities` [rows, 3], with a scaler before it where asked for."""
    import skops.io
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import StandardScaler

    known = weights()
    model = LogisticRegression()
    model.coef_, model.intercept_ = known["w"], known["b"]
    model.classes_, model.n_features_in_, model.n_iter_ = np.arange(CLASSES), FEATURES, np.array([1])
    if scaled:
        scaler = StandardScaler()
        scaler.mean_, scaler.scale_, scaler.var_ = known["mean"], known["scale"], known["scale"] ** 2
        scaler.n_features_in_, scaler.n_samples_seen_ = FEATURES, 100
        model = Pipeline([("scaler", scaler), ("model", model)])
    skops.io.dump(model, file)
    takes, gives = TensorSpec(name="X", shape=(FEATURES,)), TensorSpec(name="probabilities", shape=(CLASSES,))
    return Artefact(
        format="skops",
        files={"model": str(file)},
        hashes={"model": _models.sha256(file)},
        signature=Signature(inputs=(takes,), outputs=(gives,)),
        lineage=Lineage(recipe="given"),
    )


def two_classes(file: Path) -> tuple[Sample, Any]:
    """A logistic regression of two classes, fitted, and the classes of its rows."""
    import skops.io
    from sklearn.linear_model import LogisticRegression

    draw = np.random.default_rng(5)
    values = draw.standard_normal((200, FEATURES)).astype(np.float32)
    labels = (values[:, 0] + values[:, 1] + 0.3 * draw.standard_normal(200) > 0).astype(np.int32)
    model = LogisticRegression().fit(values, labels)
    skops.io.dump(model, file)
    takes, gives = TensorSpec(name="X", shape=(FEATURES,)), TensorSpec(name="probabilities", shape=(2,))
    artefact = Artefact(
        format="skops",
        files={"model": str(file)},
        hashes={"model": _models.sha256(file)},
        signature=Signature(inputs=(takes,), outputs=(gives,)),
        lineage=Lineage(recipe="given"),
    )
    right = {"probabilities": model.predict_proba(values).astype(np.float32)}
    return Sample("two classes", artefact, {"X": values}, right), labels


def weights() -> dict[str, Any]:
    """Weights of the logistic regression, mean and deviation of its scaler."""
    draw = np.random.default_rng(3)
    drawn = {"w": draw.standard_normal((CLASSES, FEATURES)), "b": draw.standard_normal(CLASSES)}
    return drawn | {"mean": draw.standard_normal(FEATURES), "scale": draw.uniform(0.5, 2, FEATURES)}


def answers(values: Any, scaled: bool = False) -> Any:
    """Probabilities in double precision, rounded to float32."""
    known, given = weights(), values.astype(np.float64)
    rows = (given - known["mean"]) / known["scale"] if scaled else given
    powers = np.exp(rows @ known["w"].T + known["b"])
    return (powers / powers.sum(axis=1, keepdims=True)).astype(np.float32)


def _sample(file: Path, scaled: bool) -> Sample:
    values = _models.rows(_models.ROWS, FEATURES)
    return Sample(file.stem, skops_file(file, scaled), {"X": values}, {"probabilities": answers(values, scaled)})
