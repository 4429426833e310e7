"""What variants share that fit a scikit-learn model anew: loading it, rows as it takes them, weights, and writing it the same every time."""

from __future__ import annotations

import hashlib
import importlib.metadata
import io
import json
import warnings
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from seatrial.contracts.artefact import Artefact, Lineage
from seatrial.contracts.part import PartOptions
from seatrial.contracts.protocols import Making, Training
from seatrial.contracts.record import Scalar
from seatrial.contracts.trusted import TRUSTED
from seatrial.errors import ModelError, PartError, Unsupported

if TYPE_CHECKING:
    from seatrial.contracts.values import Array

LONG_AGO = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True)
class Lesson:
    """An unfitted copy of the model, rows as it takes them, and the label of each as the model names it (a class, or a number)."""

    model: Any
    rows: Any
    labels: Array

    def fitted(self, weights: Array | None = None, labels: Array | None = None) -> Any:
        """A fitted copy. Raises `PartError` where scikit-learn can't."""
        from sklearn.base import clone
        from threadpoolctl import threadpool_limits

        made = clone(self.model)
        given = {} if weights is None else {_weight_name(made): weights}
        try:
            with warnings.catch_warnings(), threadpool_limits(1):
                warnings.simplefilter("ignore")
                return made.fit(self.rows, self.labels if labels is None else labels, **given)
        except MemoryError:
            raise
        except Exception as error:
            first = str(error).strip().split("\n")[0]
            raise PartError(f"scikit-learn can't fit it anew: {type(error).__name__}: {first}") from error


@dataclass(frozen=True)
class FairLesson(Lesson):
    """Of each row beside that whether its class is favourable, and its group."""

    good: Array
    group: Array


def lesson(name: str, artefact: Artefact, making: Making) -> Lesson:
    """What there is to learn. Raises `Unsupported` with the reason where it can't be learnt from."""
    train = _trained_on(name, making)
    model = _loaded(artefact)
    labels = train.labels
    if hasattr(model, "classes_"):
        if labels is None or labels.ndim != 1 or labels.dtype.kind not in "iu":
            raise Unsupported(f"{name} needs labels that are classes", next_step="name the data set's `label` column")
        if len(np.unique(labels)) < len(model.classes_):
            raise Unsupported("some class of the model has no row to train with")
        labels = model.classes_[labels]
    elif labels is None or labels.dtype.kind not in "iuf":
        raise Unsupported(f"{name} needs labels that are numbers", next_step="name the data set's `label` column")
    return Lesson(_prepared(model, making.seed), _rows(artefact, train), labels)


def fair_lesson(name: str, artefact: Artefact, making: Making, group: str, favourable: Scalar | None) -> FairLesson:
    """The same of a classifier whose groups are to fare alike."""
    train = _trained_on(name, making)
    if train.labels is None or train.labels.ndim != 1 or train.labels.dtype.kind not in "iu":
        raise Unsupported(f"{name} needs labels that are classes", next_step="name the data set's `label` column")
    model = _loaded(artefact)
    if not hasattr(model, "classes_"):
        raise Unsupported(f"{name} is for classifiers, and this is a {type(model).__name__}")
    known = lesson(name, artefact, making)
    good = train.labels == _favourable(train, len(model.classes_), favourable)
    return FairLesson(known.model, known.rows, known.labels, good, train.groups[group])


def _trained_on(name: str, making: Making) -> Training:
    if making.train is None:
        raise Unsupported(
            f"{name} needs rows with the role `train`, and the study has none",
            next_step="add a data set with `roles: train`, or draw a share: `roles: {draw: {train: 0.7, confirm: 0.3}}`",
        )
    return making.train


def kept(name: str, model: Any, artefact: Artefact, making: Making, options: PartOptions, *packages: str) -> Artefact:
    """The artefact of a model fitted anew, as `name.skops` under `making.folder`."""
    import skops.io

    content = _same_bytes(skops.io.dumps(model))
    making.folder.mkdir(parents=True, exist_ok=True)
    file = making.folder.resolve() / f"{name}.skops"
    file.write_bytes(content)
    return artefact.model_copy(
        update={
            "files": {"model": str(file)},
            "hashes": {"model": hashlib.sha256(content).hexdigest()},
            "lineage": Lineage(
                recipe=name,
                options=options.model_dump(mode="json"),
                parent=artefact.hash,
                seed=making.seed,
                rows_hash=making.rows_hash,
                made_with={one: importlib.metadata.version(one) for one in ("scikit-learn", "skops", *packages)},
            ),
        }
    )


def _loaded(artefact: Artefact) -> Any:
    """The estimator of the very file that was described: by its hash, and with the listed types alone."""
    import skops.io

    content = Path(artefact.files["model"]).read_bytes()
    if hashlib.sha256(content).hexdigest() != artefact.hashes["model"]:
        raise ModelError(f"{artefact.files['model']} has changed since it was checked; nothing of it was loaded")
    try:
        return skops.io.load(io.BytesIO(content), trusted=list(TRUSTED))
    except MemoryError:
        raise
    except Exception as error:
        raise ModelError(f"scikit-learn can't load {Path(artefact.files['model']).name}: {error}") from error


def _favourable(train: Training, count: int, stated: Scalar | None) -> int:
    if stated is not None and str(stated) in train.classes:
        return train.classes.index(str(stated))
    if stated is not None:
        raise Unsupported(f"`{stated}` is no class: {', '.join(train.classes)}")
    if count != 2:
        raise Unsupported(
            f"of {count} classes, one is to be named as favourable", next_step=f"`favourable: {train.classes[0]}`"
        )
    return 1


def _prepared(model: Any, seed: int) -> Any:
    """An unfitted copy with every open seed set, in one thread."""
    from sklearn.base import clone

    made = clone(model)
    parameters = made.get_params(deep=True)
    seeds = {name: seed for name, value in parameters.items() if _last(name) == "random_state" and value is None}
    threads = {name: None for name in parameters if _last(name) == "n_jobs"}
    return made.set_params(**seeds, **threads)


def _last(name: str) -> str:
    return name.rpartition("__")[2]


def _weight_name(model: Any) -> str:
    """How `fit` of a pipeline, however deep, hands weights to its last step. Raises `Unsupported` where that takes none."""
    from sklearn.utils.validation import has_fit_parameter

    prefix = ""
    while hasattr(model, "steps"):
        name, model = model.steps[-1]
        prefix += f"{name}__"
    if not has_fit_parameter(model, "sample_weight"):
        raise Unsupported(f"{type(model).__name__} can't be fitted with weights of rows")
    return f"{prefix}sample_weight"


def _rows(artefact: Artefact, train: Training) -> Any:
    """One array for a single input, else a table with a column for each: as the runtime gives them."""
    names = [spec.name for spec in artefact.signature.inputs]
    if names == ["X"]:
        given = train.inputs["X"]
        return given.astype(object) if given.dtype.kind == "U" else given
    import polars

    return polars.DataFrame({name: train.inputs[name][:, 0] for name in names})


# --- the same bytes for the same model ------------------------------------------------------------------------------------


def _same_bytes(content: bytes) -> bytes:
    """A skops file in which ids, names of arrays and dates are those of its order, not those of this process and day."""
    made = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as given, zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as file:
        schema = json.loads(given.read("schema.json"))
        ids: dict[Any, int] = {}
        names: dict[str, str] = {}
        _renamed(schema, ids, names)
        for old, new in names.items():
            file.writestr(zipfile.ZipInfo(new, LONG_AGO), given.read(old))
        file.writestr(zipfile.ZipInfo("schema.json", LONG_AGO), json.dumps(schema, indent=2))
    return made.getvalue()


def _renamed(value: Any, ids: dict[Any, int], names: dict[str, str]) -> None:
    if isinstance(value, dict):
        if "__id__" in value:
            value["__id__"] = ids.setdefault(value["__id__"], len(ids))
        if "__loader__" in value and isinstance(value.get("file"), str):
            value["file"] = names.setdefault(value["file"], f"{len(names)}{Path(value['file']).suffix}")
    for one in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        _renamed(one, ids, names)
