"""A scikit-learn model in a skops file, read without unpickling and only where it holds nothing that could run code.

Nothing is loaded to describe it: types, indices of trees, columns and classes are read from the file's own tree of nodes,
and every type must be on a list (linear models, perceptrons, trees, forests, gradient boosting, pipelines of imputers, scalers
and encoders). A pipeline that begins with a ColumnTransformer on named columns has an input for each column, of shape (1,): text
where its categories are text, int64 where they are whole numbers, else float32. Other models have the one input `X`.
Classifiers give `probabilities` in the order of their classes, regressors give `values`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import Field

from seatrial.contracts.artefact import Artefact, Lineage, Signature, TensorSpec
from seatrial.contracts.part import PartOptions
from seatrial.contracts.values import ValueKind
from seatrial.errors import ModelError
from seatrial.parts.subjects._files import PICKLES, found, sha256
from seatrial.parts.subjects._skops import AGAIN, Archive, Node, attributes
from seatrial.parts.subjects._trees import check_trees

GIVES = {"format": ("skops",)}
CANNOT = {
    ".pkl, .pickle, .joblib": (
        "never",
        "pickles can run any code when they are loaded; where you trust the file, write it as skops: "
        "`skops.io.dump(joblib.load(FILE), 'model.skops')`",
    ),
    "own functions": ("never", "a FunctionTransformer with a function, or classes of one's own, could run anything"),
    "categorical_features": (
        "not yet ours",
        "histogram gradient boosting keeps a function for them in the file; encode the columns in the pipeline instead",
    ),
    "other estimators": ("not yet ours", "estimators join the list of types when they have been looked at one by one"),
    "classifiers without probabilities": ("not yet ours", "LinearSVC and the like give distances only"),
}

_CONVERT = (
    "where you trust the file: "
    "`python -c \"import joblib, skops.io as s; s.dump(joblib.load('{0}'), '{1}')\"`, and name the new file"
)


class Options(PartOptions):
    """Which file."""

    path: str = Field(description="the .skops file, from the study file's folder")


def read(options: Options, folder: Path) -> Artefact:
    """Check the file and describe it. Raises `ModelError`; loads and runs nothing of it."""
    path = found(folder, options.path)
    _refuse_pickles(path)
    with Archive(path) as archive:
        check_trees(archive)
        try:
            signature, classes = _signature(archive)
        except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
            raise ModelError(
                f"{path} isn't laid out as skops writes models: {type(error).__name__}: {error}", next_step=AGAIN
            ) from error
    return Artefact(
        format="skops",
        files={"model": str(path)},
        hashes={"model": sha256(path)},
        signature=signature,
        lineage=Lineage(recipe="given", options={"classes": classes} if classes else {}),
    )


def _refuse_pickles(path: Path) -> None:
    with path.open("rb") as file:
        start = file.read(4)
    if path.suffix.lower() in PICKLES or start[:1] == b"\x80":
        raise ModelError(
            f"{path} is, or is named as, a Python pickle, which can run code when it is loaded, so it isn't",
            next_step=_CONVERT.format(path.name, path.with_suffix(".skops").name),
        )
    if start != b"PK\x03\x04":
        raise ModelError(
            f"{path} isn't a skops file",
            next_step="write one: `skops.io.dump(model, 'model.skops')`, where it was made",
        )


def _signature(archive: Archive) -> tuple[Signature, list[Any]]:
    first, last = _ends(archive, archive.root)
    output, classes = _output(archive, last)
    return Signature(inputs=_inputs(archive, first), outputs=(output,)), classes


def _ends(archive: Archive, node: Node) -> tuple[Node, Node]:
    """The first and the last step of a pipeline, however deep; another estimator is both."""
    if node.get("__class__") != "Pipeline":
        return node, node
    steps = [step[1] for step in archive.value(attributes(node)["steps"]) if isinstance(step[1], dict)]
    if not steps:
        raise ModelError(f"{archive.path}: a pipeline has no steps", next_step="fit the model and write it again")
    return _ends(archive, steps[0])[0], _ends(archive, steps[-1])[1]


def _get(archive: Archive, node: Node, name: str) -> Any:
    inner = attributes(node)
    return archive.value(inner[name]) if name in inner else None


# --- what it gives --------------------------------------------------------------------------------------------------------


def _output(archive: Archive, last: Node) -> tuple[TensorSpec, list[Any]]:
    classes, several = _get(archive, last, "classes_"), _get(archive, last, "n_outputs_")
    kind = str(last.get("__class__"))
    if kind.endswith(("Classifier", "LogisticRegression")) and classes:
        if isinstance(classes[0], list):
            raise ModelError(f"{archive.path}: it answers several questions at once; one is read here")
        return TensorSpec(name="probabilities", shape=(len(classes),)), classes
    if not kind.endswith(("Regressor", "LinearRegression", "Ridge", "Lasso", "ElasticNet")):
        raise ModelError(
            f"{archive.path}: it ends with {kind}, which is no fitted classifier or regressor",
            next_step="fit the model and write it again",
        )
    linear = _get(archive, last, "coef_")
    width = len(linear) if linear and isinstance(linear[0], list) else several or 1
    return TensorSpec(name="values", shape=(width,)), []


# --- what it takes --------------------------------------------------------------------------------------------------------


def _inputs(archive: Archive, first: Node) -> tuple[TensorSpec, ...]:
    names = _get(archive, first, "feature_names_in_")
    if first.get("__class__") == "ColumnTransformer" and names:
        return tuple(_column(name, dtype) for name, dtype in _columns(archive, first, names).items())
    count = _get(archive, first, "n_features_in_")
    if not isinstance(count, int):
        raise ModelError(
            f"{archive.path}: it doesn't say how many features it takes", next_step="fit it and write it again"
        )
    dtypes = {_dtype(archive, first, index) for index in range(count)}
    if len(dtypes) > 1:
        raise ModelError(
            f"{archive.path}: its one table mixes text and numbers",
            next_step="begin the pipeline with a ColumnTransformer fitted on a data frame, so that columns have names",
        )
    dtype = dtypes.pop() if dtypes else "float32"
    return (TensorSpec(name="X", kind=_kind(dtype), dtype=dtype, shape=(count,)),)


def _column(name: str, dtype: str) -> TensorSpec:
    return TensorSpec(name=name, kind=_kind(dtype), dtype=dtype, shape=(1,))


def _kind(dtype: str) -> ValueKind:
    return ValueKind.TEXT if dtype == "string" else ValueKind.DENSE


def _columns(archive: Archive, transformer: Node, names: Sequence[str]) -> dict[str, str]:
    """The columns that are used, in the order of fitting, with the type that what comes first makes of each."""
    dtypes: dict[str, str] = {}
    for _, step, given in _get(archive, transformer, "transformers_") or []:
        if step == "drop":
            continue
        for index, name in enumerate(_named(archive, given, names)):
            dtype = _dtype(archive, _ends(archive, step)[0], index) if isinstance(step, dict) else "float32"
            if dtypes.setdefault(name, dtype) != dtype:
                raise ModelError(f"{archive.path}: the column `{name}` is used as {dtypes[name]} and as {dtype}")
    return {name: dtypes[name] for name in names if name in dtypes}


def _named(archive: Archive, given: Any, names: Sequence[str]) -> list[str]:
    """Columns by name, from names, places, a mask or a slice."""
    if isinstance(given, str):
        return [given]
    if isinstance(given, int):
        return [names[given]]
    if isinstance(given, list) and given and all(isinstance(one, bool) for one in given):
        return [name for name, taken in zip(names, given, strict=True) if taken]
    if isinstance(given, list) and all(isinstance(one, str | int) for one in given):
        return [one if isinstance(one, str) else names[one] for one in given]
    if isinstance(given, dict) and given.get("__loader__") == "SliceNode":
        bounds = given["content"]
        return list(names[slice(bounds["start"], bounds["stop"], bounds["step"])])
    raise ModelError(
        f"{archive.path}: a ColumnTransformer chooses its columns in a way that can't be read from the file",
        next_step="fit it again with lists of column names",
    )


def _dtype(archive: Archive, step: Node, index: int) -> str:
    """`string` where the step learnt text for this column, `int64` where whole numbers as categories, else `float32`."""
    learnt = attributes(step).get("categories_") or attributes(step).get("statistics_")
    values = archive.value(learnt) if learnt is not None else []
    one = values[index] if isinstance(values, list) and index < len(values) else None
    if isinstance(one, list):
        known = [value for value in one if value is not None and value == value]
        whole = bool(known) and all(isinstance(value, int) and not isinstance(value, bool) for value in known)
        return "string" if any(isinstance(value, str) for value in known) else "int64" if whole else "float32"
    return "string" if isinstance(one, str) else "float32"
