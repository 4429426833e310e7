"""Models not in this repository on every runtime that takes them, straight or converted. ONNX's own operator tests: test_operators.py."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import elsewhere_models as made
import pytest
from onnx.reference import ReferenceEvaluator

from seatrial import catalog
from seatrial.contracts.artefact import Artefact
from seatrial.contracts.protocols import Making, Setting

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
