"""Small fitted scikit-learn models for tests, as skops files beside their rows."""

from __future__ import annotations

import copy
import warnings
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import skops.io
from sklearn.compose import ColumnTransformer, make_column_selector
from sklearn.ensemble import (
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler
from threadpoolctl import threadpool_limits

ROWS = 300


def table(rows: int = ROWS) -> tuple[np.ndarray, np.ndarray]:
    """Four features and one of three classes."""
    random = np.random.default_rng(0)
    x = random.normal(size=(rows, 4)).astype(np.float32)
    return x, (x[:, 0] > 0).astype(int) + (x[:, 1] > 0.5)


def people(rows: int = ROWS) -> pd.DataFrame:
    """Columns of numbers, whole numbers and text, and the label `loan`."""
    random = np.random.default_rng(1)
    frame = pd.DataFrame(
        {
            "age": random.normal(45, 12, rows).astype(np.float32),
            "hours": random.normal(38, 8, rows).astype(np.float32),
            "job": random.choice(["nurse", "pilot", "clerk of works"], rows),
            "town": random.choice(["Rye", "Ely"], rows),
            "rooms": random.integers(1, 5, rows),
        }
    )
    frame["loan"] = np.where((frame["age"] > 45) | (frame["job"] == "pilot"), "yes", "no")
    return frame


def fitted(name: str) -> Any:
    """A fitted model: those called `people...` on the data frame, the others on the table."""
    return copy.deepcopy(_fitted(name))


@cache
def _fitted(name: str) -> Any:
    x, y = table()
    frame = people()
    columns = ColumnTransformer(
        [
            ("numbers", make_pipeline(SimpleImputer(), StandardScaler()), ["age", "hours"]),
            ("job", OneHotEncoder(handle_unknown="ignore"), ["job"]),
            ("rooms", OneHotEncoder(handle_unknown="ignore"), ["rooms"]),
            (
                "town",
                make_pipeline(
                    SimpleImputer(strategy="most_frequent"),
                    OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1),
                ),
                ["town"],
            ),
        ]
    )
    selected = ColumnTransformer(
        [("text", OneHotEncoder(), make_column_selector(dtype_exclude="number"))], remainder="passthrough"
    )
    models = {
        "histogram": (HistGradientBoostingClassifier(max_iter=8, random_state=0), y),
        "histogram_regression": (HistGradientBoostingRegressor(max_iter=8, random_state=0), x[:, 0] * 2),
        "forest": (RandomForestClassifier(6, random_state=0), y),
        "forest_regression": (RandomForestRegressor(6, random_state=0), x[:, 0] * 2),
        "boosting": (GradientBoostingClassifier(n_estimators=4, random_state=0), y),
        "logistic": (make_pipeline(StandardScaler(), LogisticRegression()), y),
        "linear": (LinearRegression(), x[:, 0] * 2),
        "perceptron": (MLPClassifier((16,), max_iter=40, random_state=0), y),
        "people": (make_pipeline(columns, LogisticRegression()), frame["loan"]),
        "people_histogram": (make_pipeline(columns, HistGradientBoostingClassifier(max_iter=8)), frame["loan"]),
        "people_selected": (make_pipeline(selected, RandomForestClassifier(5, random_state=0)), frame["loan"]),
    }
    model, labels = models[name]
    with warnings.catch_warnings(), threadpool_limits(1):
        warnings.simplefilter("ignore")
        return model.fit(frame.drop(columns="loan") if name.startswith("people") else x, labels)


NAMES = ("histogram", "histogram_regression", "forest", "forest_regression", "boosting", "logistic", "linear")
NAMES += ("perceptron", "people", "people_histogram", "people_selected")


def saved(name: str, folder: Path) -> Path:
    """The model as a skops file."""
    file = folder / f"{name}.skops"
    skops.io.dump(fitted(name), file)
    return file


def values(name: str) -> dict[str, np.ndarray]:
    """Rows as the model's inputs."""
    if not name.startswith("people"):
        return {"X": table()[0]}
    frame = people().drop(columns="loan")
    kinds = {"job": str, "town": str, "rooms": np.float32 if name == "people_selected" else np.int64}
    return {column: frame[column].to_numpy().astype(kinds.get(column, np.float32))[:, None] for column in frame}
