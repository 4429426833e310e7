"""scikit-learn itself: runs a skops model as it was fitted, in the double precision in which scikit-learn computes.

Rows arrive as a table where the model's columns have names (a polars frame), else as one array. `threads` bounds the thread
pools of BLAS and OpenMP and the jobs of forests. Answers are `probabilities` or `values` in float32, as those of the other
runtimes are.
"""

from __future__ import annotations

import hashlib
import io
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from seatrial.contracts.artefact import Artefact
from seatrial.contracts.part import PartOptions
from seatrial.contracts.protocols import Facts, Setting
from seatrial.contracts.trusted import TRUSTED
from seatrial.contracts.values import Values
from seatrial.errors import ModelError, Unsupported
from seatrial.parts.runtimes._facts import version

NEEDS = ("sklearn", "skops", "threadpoolctl")
EXTRA = "sklearn"
ACCEPTS = {"format": ("skops",), "device": ("cpu",), "precision": ("fp32",)}
CANNOT = {
    "cuda": ("never", "scikit-learn computes on the processor"),
    "fp64": ("not yet ours", "rows come as float32; what the estimator makes of them is in float64 anyway"),
}


class Options(PartOptions):
    """There is nothing to set."""


def import_framework() -> None:
    """Import what `open` needs, so that importing and loading can be timed apart."""
    import sklearn.pipeline  # noqa: F401
    import skops.io  # noqa: F401
    import threadpoolctl  # noqa: F401


def absent(device: str) -> str | None:
    """Why this device can't be used here."""
    return None if device == "cpu" else f"scikit-learn computes on the processor (`cpu`), not on `{device}`"


def open(artefact: Artefact, setting: Setting, options: Options) -> Session:
    """A session. Raises `Unsupported` for other devices and precisions, `ModelError` for a file that isn't the one described."""
    if reason := absent(setting.device):
        raise Unsupported(reason)
    if setting.precision not in ACCEPTS["precision"]:
        raise Unsupported(
            f"scikit-learn takes rows in float32 here and can't be asked for {setting.precision}",
            next_step="write `precision: fp32`",
        )
    return Session(artefact, setting)


class Session:
    """A fitted estimator, with the thread pools kept to the number asked for until it is closed."""

    def __init__(self, artefact: Artefact, setting: Setting) -> None:
        import threadpoolctl

        self._setting = setting
        self._inputs = {spec.name: spec for spec in artefact.signature.inputs}
        self._output = artefact.signature.outputs[0].name
        self._model: Any = _loaded(artefact)
        for estimator in _estimators(self._model):
            _set_jobs(estimator, setting.threads)
        self._limit: Any = threadpoolctl.threadpool_limits(setting.threads)

    def predict(self, values: Values) -> Values:
        """Answers by output name. Raises `ModelError` naming what doesn't fit."""
        if self._model is None:
            raise ModelError("the session is closed")
        rows = self._rows(values)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of column names that an array hasn't
                answers = (
                    self._model.predict_proba(rows) if self._output == "probabilities" else self._model.predict(rows)
                )
        except MemoryError:
            raise
        except Exception as error:
            first = str(error).strip().split("\n")[0]
            raise ModelError(f"scikit-learn: {type(error).__name__}: {first}") from error
        return {self._output: np.asarray(answers, np.float32).reshape(len(answers), -1)}

    def facts(self) -> Facts:
        """The processor in double precision; which estimator, and which thread pools with how many threads."""
        import threadpoolctl

        pools = {
            f"{one['user_api']} {Path(one['filepath']).name}": one["num_threads"]
            for one in threadpoolctl.threadpool_info()
        }
        details = {
            "version": version("scikit-learn"),
            "estimator": type(self._model).__name__,
            "precision": "scikit-learn computes in double precision, whatever the rows are stored in",
            "thread pools": pools,
        }
        return Facts("cpu", "fp64", details=details)

    def close(self) -> None:
        """Let the model go and the thread pools be as they were; a second time does nothing."""
        if self._model is not None:
            self._limit.restore_original_limits()
        self._model = None

    def _rows(self, values: Values) -> Any:
        """One array for a single input, else a table with a column for each."""
        if values.keys() != self._inputs.keys():
            raise ModelError(
                f"the model takes {', '.join(self._inputs)}; it was given {', '.join(values) or 'nothing'}",
                next_step="compare `inputs` of the study",
            )
        for name, spec in self._inputs.items():
            if np.ndim(values[name]) != 2 or values[name].shape[1:] != spec.shape:
                raise ModelError(f"a row of `{name}` has the shape {spec.shape}, not {np.shape(values[name])[1:]}")
        if list(self._inputs) == ["X"]:
            given = values["X"]
            return given.astype(object) if given.dtype.kind == "U" else given
        import polars

        return polars.DataFrame({name: values[name][:, 0] for name in self._inputs})


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
        raise ModelError(
            f"scikit-learn {version('scikit-learn')} can't load {Path(artefact.files['model']).name}: {error}",
            next_step="install the version of scikit-learn that the model was fitted with",
        ) from error


def _estimators(value: Any, seen: set[int] | None = None) -> list[Any]:
    """The estimator and all that it holds."""
    seen = set() if seen is None else seen
    if id(value) in seen:
        return []
    seen.add(id(value))
    if isinstance(value, list | tuple):
        return [found for one in value for found in _estimators(one, seen)]
    if not hasattr(value, "get_params") or isinstance(value, type):
        return []
    return [value, *(found for one in vars(value).values() for found in _estimators(one, seen))]


def _set_jobs(estimator: Any, threads: int) -> None:
    """Forests answer in as many threads as asked for; what would start processes answers in its own."""
    if hasattr(estimator, "n_jobs"):
        estimator.n_jobs = threads if hasattr(estimator, "estimators_") else None
