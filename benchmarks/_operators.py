"""ONNX's own operator tests, and what comes of one on a runtime: right, refused in words, wrong, or broken (an error without words, or a crash)."""

from __future__ import annotations

import re
import warnings
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import onnx
from onnx import numpy_helper
from onnx.backend.test import loader

from seatrial import catalog
from seatrial.contracts.artefact import Artefact, Lineage, Signature, TensorSpec
from seatrial.contracts.protocols import Making, Setting
from seatrial.errors import SeatrialError
from seatrial.testing import _models

WAYS: dict[str, tuple[str, ...]] = {
    "onnxruntime": (),
    "openvino": (),
    "torch": ("onnx_to_torch",),
    "jax": ("onnx_to_torch", "torch_to_jax"),
    "litert": ("onnx_to_torch", "torch_to_jax", "jax_to_litert"),
}
"""How an ONNX file gets to each runtime."""
KINDS = ("node", "simple", "pytorch-converted", "pytorch-operator")
CHANCE = re.compile(r"bernoulli|random|multinomial|training|_train_")
"""Tests whose answers are drawn, or which train: no model that answers does that."""
ENDS = re.compile(r"(_expanded.*|_\d.*)$")
NEAR = (1e-3, 1e-5)
ROUNDING = 4
"""Units in the last place of the largest number by which any number of the same answer may be off: sums are rounded so."""


class Case(NamedTuple):
    """One of ONNX's tests: its model, its inputs and the right answers by name, and how near is right."""

    name: str
    model: Any
    given: dict[str, Any]
    right: dict[str, Any]
    near: tuple[float, float]

    @property
    def operators(self) -> tuple[str, ...]:
        return tuple(sorted({node.op_type for node in self.model.graph.node}))


def cases(kinds: tuple[str, ...] = KINDS) -> dict[str, Case]:
    """The tests that take and give tensors of numbers, by name."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = [case for kind in kinds for case in loader.load_model_tests(kind=kind)]
    return {case.name: made for case in found if not CHANCE.search(case.name) and (made := _case(case)) is not None}


def some(known: dict[str, Case], most: int) -> dict[str, Case]:
    """The first tests of each operator, so many of each; those of several operators go by their names without numbers and ends."""
    count: Counter[str] = Counter()
    found = {}
    for name, case in known.items():
        kind = case.operators[0] if len(case.operators) == 1 else ENDS.sub("", name)
        count[kind] += 1
        if count[kind] <= most:
            found[name] = case
    return found


def carried(case: Case) -> Case | None:
    """The test as a model with rows: further inputs that haven't as many as the first, or are sizes, become constants. None where the first has none."""
    rows = {name: len(value) if value.ndim else 0 for name, value in case.given.items()}
    first = next(iter(rows), "")
    if not rows or not rows[first]:
        return None
    sizes = [name for name, value in case.given.items() if value.ndim <= 1 and value.dtype.kind in "iu"]
    fixed = [name for name, count in rows.items() if name != first and (count != rows[first] or name in sizes)]
    if not fixed:
        return case
    model = onnx.ModelProto()
    model.CopyFrom(case.model)
    kept = [one for one in model.graph.input if one.name not in fixed]
    del model.graph.input[:]
    model.graph.input.extend(kept)
    model.graph.initializer.extend(numpy_helper.from_array(case.given[name], name) for name in fixed)
    return case._replace(model=model, given={name: value for name, value in case.given.items() if name not in fixed})


def outcome(case: Case, runtime: str, folder: Path) -> tuple[str, str]:
    """`right`, `refused`, `wrong` or `broken`, and in words why."""
    try:
        got, said = _answers(case, runtime, folder)
    except SeatrialError as error:
        return ("refused", error.what) if error.what.strip() else ("broken", "refused without a word")
    except Exception as error:
        return "broken", f"{type(error).__name__}: {error}"
    told = "; ".join(_wrong(case, got))
    return ("refused", said) if said else ("wrong", told) if told else ("right", "")


def _answers(case: Case, runtime: str, folder: Path) -> tuple[dict[str, Any], str]:
    """What a session answers, and why a study would refuse it all the same."""
    made = artefact(case, folder)
    rows = max((len(value) for value in case.given.values() if value.ndim), default=1)
    for name in WAYS[runtime]:
        part = catalog.find("conversions", name)
        stated = {"rows": rows} if name != "onnx_to_torch" else {}
        making = Making(folder / name, 0, examples=case.given)
        made = catalog.load(part).convert(made, making, catalog.options(part, stated))
    part = catalog.find("runtimes", runtime)
    session = catalog.load(part).open(made, Setting(batch=rows), catalog.options(part))
    try:
        got = dict(session.predict(case.given))
        return got, session.facts().fell_back if any(_wrong(case, got)) else ""
    finally:
        session.close()


def artefact(case: Case, folder: Path) -> Artefact:
    """The test's model as a study would have it."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "case.onnx"
    file.write_bytes(case.model.SerializeToString())
    signature = Signature(
        inputs=tuple(TensorSpec(name=name, dtype=value.dtype.name) for name, value in case.given.items()),
        outputs=tuple(TensorSpec(name=name) for name in case.right),
    )
    hashes = {"model": _models.sha256(file)}
    return Artefact(format="onnx", files={"model": str(file)}, hashes=hashes, signature=signature, lineage=Lineage(recipe="given"))  # fmt: skip


def _wrong(case: Case, got: dict[str, Any]) -> Iterator[str]:
    for name, wanted in case.right.items():
        mine = np.asarray(got[name])
        if mine.shape != wanted.shape and not mine.size == wanted.size == 1:
            yield f"`{name}` has the shape {mine.shape}, not {wanted.shape}"
            continue
        mine, right = (value.reshape(wanted.shape).astype(np.float64) for value in (mine, wanted))
        relative, least = case.near
        largest = np.abs(right[np.isfinite(right)]).max(initial=0.0)
        rounding = ROUNDING * float(np.finfo(wanted.dtype).eps) * largest if wanted.dtype.kind == "f" else 0.0
        if not np.allclose(mine, right, relative, max(least, rounding), equal_nan=True):
            off = np.abs(mine - right)
            yield f"`{name}` is off by {np.nanmax(off):.3g}" if np.isfinite(off).any() else f"`{name}` is NaN or infinite elsewhere"  # fmt: skip


def _case(case: Any) -> Case | None:
    """The test in our terms; None where it isn't one of tensors of numbers."""
    model, (inputs, outputs) = _loaded(case)
    ends = (*model.graph.input, *model.graph.output)
    values = [*inputs, *outputs]
    if not values or not all(one.type.HasField("tensor_type") for one in ends):
        return None
    try:
        arrays = [_array(value) for value in values]
    except (TypeError, ValueError):  # a list, or nothing
        return None
    if any(
        array.dtype.kind not in "biuf" or not array.dtype.isbuiltin for array in arrays
    ):  # text, and floats of 8 bits
        return None
    held = {tensor.name for tensor in model.graph.initializer}
    names = [one.name for one in model.graph.input if one.name not in held] or [one.name for one in model.graph.input]
    given = dict(zip(names, arrays[: len(inputs)], strict=False))
    right = dict(zip([one.name for one in model.graph.output], arrays[len(inputs) :], strict=False))
    near = (max(case.rtol, NEAR[0]), max(case.atol, NEAR[1]))
    return Case(case.name, model, given, right, near)


def _loaded(case: Any) -> tuple[Any, Any]:
    if case.model is not None:
        return case.model, case.data_sets[0]
    folder = Path(case.model_dir)
    sides = ([_tensor(file) for file in sorted((folder / "test_data_set_0").glob(f"{side}_*.pb"), key=_number)] for side in ("input", "output"))  # fmt: skip
    return onnx.load(folder / "model.onnx"), tuple(sides)


def _number(file: Path) -> int:
    return int(file.stem.rpartition("_")[2])


def _tensor(file: Path) -> Any:
    made = onnx.TensorProto()
    made.ParseFromString(file.read_bytes())
    return made


def _array(value: Any) -> Any:
    if isinstance(value, onnx.TensorProto):
        return numpy_helper.to_array(value)
    if not isinstance(value, np.ndarray | np.generic | int | float | bool):
        raise TypeError(type(value).__name__)
    return np.asarray(value)
