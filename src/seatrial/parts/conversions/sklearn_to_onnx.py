"""A scikit-learn model as ONNX (skl2onnx), so that ONNX Runtime and OpenVINO can run it.

The result takes the same inputs and gives the same one output, in single precision: trees whose thresholds lie between two
neighbouring float32 numbers, or that follow a scaler, can answer a row otherwise. It is used only after its answers on rows
of the study were the same within the model's `tolerance`.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.metadata
import io
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import Field

from seatrial.contracts.artefact import Artefact, Lineage, TensorSpec
from seatrial.contracts.part import PartOptions
from seatrial.contracts.protocols import Making
from seatrial.contracts.trusted import TRUSTED
from seatrial.errors import ModelError, Unsupported

NEEDS = ("skl2onnx", "sklearn", "skops")
EXTRA = "sklearn"
ACCEPTS = {"format": ("skops",)}
GIVES = {"format": ("onnx",)}
CANNOT = {
    "text that is missing": (
        "never",
        "a tensor of text has no missing values; an imputer of text does nothing to the rest and is left out",
    ),
    "sets of categories": ("not yet theirs", "skl2onnx drops them from histogram gradient boosting, so it is refused"),
    "fp64": ("not yet ours", "rows come as float32, so the model is written for float32"),
}


class Options(PartOptions):
    """What the ONNX file may use."""

    opset: int = Field(default=20, ge=13, le=21, description="version of the ONNX operators")


def convert(artefact: Artefact, making: Making, options: Options) -> Artefact:
    """The same model as `model.onnx` under `making.folder`. Raises `Unsupported` where skl2onnx has no converter."""
    model = _without_text_imputers(_loaded(artefact))
    _refuse_sets(model)
    content = _written(model, artefact, options)
    making.folder.mkdir(parents=True, exist_ok=True)
    file = making.folder.resolve() / "model.onnx"
    file.write_bytes(content)
    return artefact.model_copy(
        update={
            "format": "onnx",
            "files": {"model": str(file)},
            "hashes": {"model": hashlib.sha256(content).hexdigest()},
            "lineage": Lineage(
                recipe="sklearn_to_onnx",
                options=options.model_dump(mode="json"),
                parent=artefact.hash,
                seed=making.seed,
                made_with={name: importlib.metadata.version(name) for name in ("skl2onnx", "scikit-learn", "onnx")},
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


def _written(model: Any, artefact: Artefact, options: Options) -> bytes:
    """The ONNX file's bytes, the same every time, with the one output that the signature names."""
    import skl2onnx

    wanted = artefact.signature.outputs[0].name
    classifies = wanted == "probabilities"
    try:
        with warnings.catch_warnings(), _plain_attributes():
            warnings.simplefilter("ignore")
            made = skl2onnx.convert_sklearn(
                model,
                name="model",
                initial_types=[(spec.name, _tensor(spec)) for spec in artefact.signature.inputs],
                options={"zipmap": False} if classifies else None,
                target_opset=options.opset,
            )
    except MemoryError:
        raise
    except Exception as error:
        first = str(error).strip().split("\n")[0][:200]
        raise Unsupported(
            f"skl2onnx can't convert this model: {type(error).__name__}: {first}",
            next_step="run it on scikit-learn itself, or simplify the step that it names",
        ) from error
    _only_output(made, wanted, classifies)
    return bytes(made.SerializeToString(deterministic=True))


def _tensor(spec: TensorSpec) -> Any:
    from skl2onnx.common import data_types

    kinds = {"string": "StringTensorType", "int64": "Int64TensorType", "float32": "FloatTensorType"}
    return getattr(data_types, kinds[spec.dtype])([None, *(spec.shape or ())])


def _only_output(made: Any, wanted: str, classifies: bool) -> None:
    """Keep the answers that the task reads under their name; the label beside probabilities goes. Name each operator set once."""
    from onnx import helper

    graph = made.graph
    kept = next(one for one in graph.output if not classifies or one.name == wanted)
    if kept.name != wanted:
        graph.node.append(helper.make_node("Identity", [kept.name], [wanted], name="answer"))
        kept.name = wanted
    output = type(kept)()
    output.CopyFrom(kept)
    del graph.output[:]
    graph.output.append(output)
    versions: dict[str, int] = {}
    for one in made.opset_import:
        versions[one.domain] = max(one.version, versions.get(one.domain, 0))
    del made.opset_import[:]
    made.opset_import.extend(helper.make_opsetid(domain, version) for domain, version in sorted(versions.items()))


# --- what skl2onnx stumbles over ----------------------------------------------------------------------------------------


def _without_text_imputers(model: Any) -> Any:
    """Pipelines without the steps that fill in missing text: text in a tensor is never missing, so they do nothing."""
    from sklearn.compose import ColumnTransformer
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import Pipeline

    def idle(step: Any) -> bool:
        return (
            isinstance(step, SimpleImputer)
            and not isinstance(step.missing_values, str)
            and not step.add_indicator
            and step.statistics_.dtype.kind in "OU"
        )

    if isinstance(model, ColumnTransformer):
        model.transformers_ = [
            (name, "passthrough" if idle(step) else _without_text_imputers(step), columns)
            for name, step, columns in model.transformers_
        ]
    if isinstance(model, Pipeline):
        model.steps = [
            (name, "passthrough" if idle(step) else _without_text_imputers(step)) for name, step in model.steps
        ]
        while len(model.steps) > 1 and model.steps[0][1] == "passthrough":
            model.steps.pop(0)
    return model


def _refuse_sets(model: Any) -> None:
    """Raises `Unsupported` for histogram trees that split by sets of categories: skl2onnx takes them for thresholds."""
    last = model.steps[-1][1] if hasattr(model, "steps") else model
    trees = [tree for predictors in getattr(last, "_predictors", ()) for tree in predictors]
    if any(tree.nodes["is_categorical"].any() for tree in trees):
        raise Unsupported(
            "skl2onnx can't convert gradient boosting that splits by sets of categories (`categorical_features`)",
            next_step="run it on scikit-learn itself, or fit it on encoded categories (OneHotEncoder, OrdinalEncoder)",
        )


@contextlib.contextmanager
def _plain_attributes() -> Iterator[None]:
    """Lists of truths and of NumPy's whole numbers become lists of whole numbers as nodes are added: the packages beneath
    refuse others, and skl2onnx makes them of histogram trees."""
    from skl2onnx.common._container import ModelComponentContainer

    add_node = ModelComponentContainer.add_node

    def added(self: Any, *arguments: Any, **attributes: Any) -> Any:
        return add_node(self, *arguments, **{name: _plain(value) for name, value in attributes.items()})

    ModelComponentContainer.add_node = added
    try:
        yield
    finally:
        ModelComponentContainer.add_node = add_node


def _plain(value: Any) -> Any:
    if not isinstance(value, list):
        return value
    return [int(one) if isinstance(one, bool | np.bool_ | np.integer) else one for one in value]
