"""Models not in this repository, and ONNX's own operator tests, on every runtime that takes them, straight or converted."""

from __future__ import annotations

import re
import warnings
from pathlib import Path
from typing import Any

import elsewhere_models as made
import numpy as np
import onnx
import pytest
from onnx import numpy_helper
from onnx.backend.test import loader
from onnx.reference import ReferenceEvaluator

from seatrial import catalog
from seatrial.contracts.artefact import Artefact, Lineage, Signature, TensorSpec
from seatrial.contracts.protocols import Making, Setting
from seatrial.errors import SeatrialError
from seatrial.testing import _models

WAYS = {"onnxruntime": (), "openvino": (), "torch": ("onnx_to_torch",), "jax": ("onnx_to_torch", "torch_to_jax")}
"""How an ONNX file gets to each runtime."""
OPSETS = (11, 13, 15, 17, 19, 21)


def read(options: dict[str, Any], folder: Path) -> Artefact:
    part = catalog.find("subjects", "onnx")
    return catalog.load(part).read(catalog.options(part, options), folder)  # type: ignore[no-any-return]


def converted(artefact: Artefact, runtime: str, folder: Path, rows: dict[str, Any]) -> Artefact:
    for name in WAYS[runtime]:
        part = catalog.find("conversions", name)
        artefact = catalog.load(part).convert(artefact, Making(folder / name, 0, examples=rows), catalog.options(part))
    return artefact


def answers(artefact: Artefact, runtime: str, rows: dict[str, Any]) -> dict[str, Any]:
    part = catalog.find("runtimes", runtime)
    session = catalog.load(part).open(artefact, Setting(batch=4), catalog.options(part))
    try:
        return dict(session.predict(rows))
    finally:
        session.close()


def check(oracle: Any, options: dict[str, Any], runtime: str, rows: dict[str, Any], folder: Path, off: float = 2e-5) -> None:  # fmt: skip
    names = [one.name for one in oracle.graph.output]
    right = dict(zip(names, ReferenceEvaluator(oracle).run(None, rows), strict=True))
    got = answers(converted(read(options, folder), runtime, folder, rows), runtime, rows)
    for name, wanted in right.items():
        assert got[name] == pytest.approx(wanted, abs=off), (runtime, name)


@pytest.mark.parametrize("opset", OPSETS)
@pytest.mark.parametrize("kind", made.KINDS)
def test_every_version_of_the_operators(tmp_path: Path, kind: str, opset: int) -> None:
    """The weights are the same in all of them, so that the answers are those of version 17."""
    model, oracle = made.KINDS[kind](opset), made.KINDS[kind](17)
    for runtime in WAYS if opset == 17 else ("onnxruntime", "openvino", "torch"):
        folder = tmp_path / runtime
        folder.mkdir()
        check(oracle, made.saved(model, folder), runtime, made.values(kind), folder)


@pytest.mark.parametrize("runtime", ["onnxruntime", "openvino", "torch"])
@pytest.mark.parametrize("kind", made.KINDS)
def test_a_fixed_number_of_rows_answers_any_number(tmp_path: Path, kind: str, runtime: str) -> None:
    free, fixed = made.KINDS[kind](17), made.KINDS[kind](17, rows=3)
    options, rows = made.saved(fixed, tmp_path), made.values(kind)
    artefact = read(options, tmp_path)
    assert artefact.signature.fixed_batch == 3
    got = answers(converted(artefact, runtime, tmp_path, rows), runtime, rows)
    for name, wanted in zip(got, ReferenceEvaluator(free).run(list(got), rows), strict=True):
        assert got[name] == pytest.approx(wanted, abs=2e-5)


@pytest.mark.parametrize("runtime", ["onnxruntime", "openvino", "torch"])
@pytest.mark.parametrize("kind", made.KINDS)
def test_weights_in_a_file_beside_it_and_in_float16(tmp_path: Path, kind: str, runtime: str) -> None:
    (tmp_path / "half").mkdir()
    plain, half = made.KINDS[kind](17), made.half_weights(made.KINDS[kind](17))
    check(half, made.saved(half, tmp_path / "half"), runtime, made.values(kind), tmp_path / "half", 2e-4)
    options = made.saved(made.KINDS[kind](17), tmp_path, beside=True)
    assert "data:weights.bin" in read(options, tmp_path).files
    check(plain, options, runtime, made.values(kind), tmp_path)


# --- ONNX's own operator tests --------------------------------------------------------------------------------------------------

LEFT_OUT = re.compile(r"training|dropout|bernoulli|random|multinomial|string|optional|sequence|float8|float4|FLOAT8|FLOAT4|e4m3|e5m2|u?int[24](_|$)|INT4|INT2|bfloat16|BFLOAT16|e8m0|E8M0")  # fmt: skip
"""Chance, training, text, lists, and numbers that NumPy hasn't: no tensors of a study."""
WRONG = {"onnxruntime": {"test_dft_opset19", "test_stft"}, "openvino": {"test_tile", "test_dft_opset19"}}
"""What a runtime answers wrongly, as its part says: theirs, seen in the versions that were tried."""
CARRIED = (
    "Add",
    "Softmax",
    "MaxPool",
    "Where",
    "Erf",
    "AveragePool",
    "Conv",
    "GRU",
    "ArgMax",
    "LayerNormalization",
    "GatherElements",
    "Mod",
)
"""Of those whose inputs all have rows, as many as there is time for on JAX and LiteRT."""


def _array(value: Any) -> Any:
    return numpy_helper.to_array(value) if isinstance(value, onnx.TensorProto) else np.asarray(value)


def _cases() -> dict[str, Any]:
    """The first test of each operator that takes and gives arrays."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        cases = [case for case in loader.load_model_tests(kind="node") if case.model is not None]
    found: dict[str, Any] = {}
    for case in cases:
        kinds = {node.op_type for node in case.model.graph.node}
        values = [value for sides in case.data_sets[:1] for side in sides for value in side]
        arrays = all(isinstance(value, np.ndarray | onnx.TensorProto) and _array(value).dtype.kind in "biuf" for value in values)  # fmt: skip
        if len(kinds) == 1 and arrays and values and case.data_sets[0][0] and not LEFT_OUT.search(case.name):
            found.setdefault(next(iter(kinds)), case)
    return found


CASES = _cases()


def _artefact(case: Any, folder: Path) -> tuple[Artefact, dict[str, Any], dict[str, Any]]:
    """The test's model as an artefact, its inputs, and the right answers, by name."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "case.onnx"
    file.write_bytes(case.model.SerializeToString())
    names = [[one.name for one in side] for side in (case.model.graph.input, case.model.graph.output)]
    given, right = (dict(zip(name, map(_array, side), strict=False)) for name, side in zip(names, case.data_sets[0], strict=True))  # fmt: skip
    signature = Signature(
        inputs=tuple(TensorSpec(name=name, dtype=value.dtype.name) for name, value in given.items()),
        outputs=tuple(TensorSpec(name=name) for name in right),
    )
    hashes = {"model": _models.sha256(file)}
    artefact = Artefact(format="onnx", files={"model": str(file)}, hashes=hashes, signature=signature, lineage=Lineage(recipe="given"))  # fmt: skip
    return artefact, given, right


def _wrong(case: Any, got: dict[str, Any], right: dict[str, Any]) -> list[str]:
    told = []
    for name, wanted in right.items():
        mine = np.asarray(got[name])
        same = mine.shape == wanted.shape or mine.size == wanted.size == 1
        near = same and np.allclose(mine.astype(np.float64), wanted.astype(np.float64), max(case.rtol, 1e-3), max(case.atol, 1e-5), equal_nan=True)  # fmt: skip
        told += [] if near else [case.name]
    return told


@pytest.mark.parametrize(("runtime", "least"), [("onnxruntime", 130), ("openvino", 110)])
def test_operators_answer_as_onnx_says_or_are_refused(tmp_path: Path, runtime: str, least: int) -> None:
    """None is answered wrongly; most are answered."""
    answered, wrong, refused = [], [], list[str]()
    for operator, case in CASES.items():
        artefact, given, right = _artefact(case, tmp_path / operator)
        try:
            got = answers(artefact, runtime, given)
        except SeatrialError as error:
            refused.append(error.what)
            continue
        answered.append(operator)
        wrong += _wrong(case, got, right)
    assert set(wrong) <= WRONG[runtime]
    assert all(words.strip() for words in refused)
    assert len(answered) >= least, len(answered)


def _carried(case: Any, folder: Path) -> tuple[Artefact, dict[str, Any], dict[str, Any]]:
    """The test's model as a JAX program for the rows it has, its inputs and the right answers."""
    artefact, given, right = _artefact(case, folder)
    return _through("torch_to_jax", converted(artefact, "torch", folder, given), folder, given), given, right


def _through(name: str, artefact: Artefact, folder: Path, given: dict[str, Any]) -> Artefact:
    part, rows = catalog.find("conversions", name), len(next(iter(given.values())))
    making = Making(folder / name, 0, examples=given)
    return catalog.load(part).convert(artefact, making, catalog.options(part, {"rows": rows}))  # type: ignore[no-any-return]


@pytest.mark.slow
def test_operators_on_jax_and_litert_answer_as_onnx_says(tmp_path: Path) -> None:
    """On LiteRT where its converter is installed: it isn't among the locked packages, because it holds others back."""
    litert = not catalog.absent(catalog.find("conversions", "jax_to_litert"))
    for operator in CARRIED:
        program, given, right = _carried(CASES[operator], tmp_path / operator)
        assert not _wrong(CASES[operator], answers(program, "jax", given), right)
        if litert:
            file = _through("jax_to_litert", program, tmp_path / operator, given)
            assert not _wrong(CASES[operator], answers(file, "litert", given), right)


@pytest.mark.skipif(bool(catalog.absent(catalog.find("conversions", "jax_to_litert"))), reason="LiteRT's converter isn't installed")  # fmt: skip
def test_that_litert_finds_nothing_infinite_is_as_its_part_says(tmp_path: Path) -> None:
    """It answers `IsInf` wrongly, where the JAX program that it was made of answers rightly."""
    program, given, right = _carried(CASES["IsInf"], tmp_path)
    assert not _wrong(CASES["IsInf"], answers(program, "jax", given), right)
    assert _wrong(CASES["IsInf"], answers(_through("jax_to_litert", program, tmp_path, given), "litert", given), right)
    assert "infinite" in catalog.find("conversions", "jax_to_litert").cannot
