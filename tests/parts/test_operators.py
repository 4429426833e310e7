"""ONNX's own operator tests: what `benchmarks/operators.py` recorded of them all, held by some; known wrong answers are refused by name."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from seatrial import catalog
from seatrial.contracts.protocols import Setting

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
import _operators
import operators

RECORD: dict[str, Any] = json.loads(operators.RECORD.read_text())
KNOWN = _operators.cases()
EVERY = {"onnxruntime": 2, "torch": 8, "openvino": 8, "jax": 24}
"""One test of so many is done again here, as many as there is time for."""
THEIRS = ("onnxruntime", "openvino")
"""Of which some answers are wrong that can't be told from the model: their parts say which."""


def recorded(runtime: str, name: str) -> str:
    return next((state for state in ("refused", "wrong", "broken") if name in RECORD[runtime][state]), "right")


def done(runtime: str) -> list[str]:
    """The tests that were recorded of a runtime."""
    return operators.asked(runtime, RECORD[runtime]["most"])


@pytest.mark.parametrize("runtime", EVERY)
def test_nothing_breaks_and_nothing_that_is_ours_answers_wrongly(runtime: str) -> None:
    record = RECORD[runtime]
    assert record["broken"] == []
    assert runtime in THEIRS or record["wrong"] == []
    assert record["tests"] == len(done(runtime))
    assert record["right"] == record["tests"] - len(record["refused"]) - len(record["wrong"])


def test_most_are_answered() -> None:
    least = {"onnxruntime": 0.9, "openvino": 0.8, "torch": 0.75, "jax": 0.6}
    for runtime, share in least.items():
        assert RECORD[runtime]["right"] >= share * RECORD[runtime]["tests"], runtime


@pytest.mark.slow
@pytest.mark.parametrize("runtime", EVERY)
def test_it_is_still_as_recorded(tmp_path: Path, runtime: str) -> None:
    carried = runtime in operators.CARRIED
    changed = {}
    for name in done(runtime)[:: EVERY[runtime]]:
        case = _operators.carried(KNOWN[name]) if carried else KNOWN[name]
        assert case is not None
        state, words = _operators.outcome(case, runtime, tmp_path / name)
        if state != recorded(runtime, name):
            changed[name] = f"{state} ({words}), recorded {recorded(runtime, name)}"
    assert not changed, "benchmarks/operators.py --record"


LITERT = bool(catalog.absent(catalog.find("conversions", "jax_to_litert")))
SMALL = ("add", "softmax_axis_1", "maxpool_2d_default", "where_example", "erf", "basic_conv_with_padding", "gather_elements_0", "layer_normalization_2d_axis1")  # fmt: skip


@pytest.mark.slow
@pytest.mark.skipif(LITERT, reason="LiteRT's converter isn't installed: it isn't among the locked packages, because it holds others back")  # fmt: skip
@pytest.mark.parametrize("name", SMALL)
def test_operators_on_litert_answer_as_onnx_says(tmp_path: Path, name: str) -> None:
    case = _operators.carried(KNOWN[f"test_{name}"])
    assert case is not None
    assert _operators.outcome(case, "litert", tmp_path) == ("right", "")


@pytest.mark.slow
@pytest.mark.skipif(LITERT, reason="LiteRT's converter isn't installed")
def test_that_litert_finds_nothing_infinite_is_as_its_part_says(tmp_path: Path) -> None:
    """It answers `IsInf` wrongly, where the JAX program that it was made of answers rightly."""
    case = _operators.carried(KNOWN["test_isinf"])
    assert case is not None
    assert _operators.outcome(case, "jax", tmp_path / "jax")[0] == "right"
    assert _operators.outcome(case, "litert", tmp_path / "litert")[0] == "wrong"
    assert "infinite" in catalog.find("conversions", "jax_to_litert").cannot


# --- wrong answers that can be told from the model --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("runtime", "name", "words"),
    [
        ("openvino", "gru_batchwise", "GRU with rows first"),
        ("openvino", "lstm_with_peepholes", "LSTM with peepholes"),
        ("openvino", "tile", "Tile with computed repeats"),
        ("openvino", "attention_local_window", "Attention within a window"),
        ("openvino", "dft_rfft_opset19", "DFT of one side"),
        ("openvino", "bitshift_left_int8_overflow", "BitShift of signed numbers"),
        ("openvino", "maxpool_2d_ceil_output_size_reduce_by_one", "MaxPool with windows that lie apart"),
        ("openvino", "gru_defaults", ""),
        ("openvino", "lstm_defaults", ""),
        ("openvino", "maxpool_2d_ceil", ""),
        ("onnxruntime", "maxunpool_export_with_output_shape", "MaxUnpool with a given size"),
        ("onnxruntime", "maxunpool_export_without_output_shape", ""),
        ("onnxruntime", "lstm_defaults", ""),
    ],
)
def test_what_is_known_to_be_answered_wrongly_is_refused_by_name(tmp_path: Path, runtime: str, name: str, words: str) -> None:  # fmt: skip
    case, part = KNOWN[f"test_{name}"], catalog.find("runtimes", runtime)
    session = catalog.load(part).open(_operators.artefact(case, tmp_path), Setting(), catalog.options(part))
    session.predict(case.given)
    said = session.facts().fell_back
    session.close()
    assert (words in said) if words else not said, said


def test_operators_within_others_are_seen(tmp_path: Path) -> None:
    """A branch of an If, and a function of the model."""
    import onnx
    from onnx import TensorProto, helper

    from seatrial.parts.runtimes import _known_wrong

    inner = helper.make_graph([helper.make_node("BitShift", ["x", "x"], ["s"], direction="LEFT")], "then", [], [helper.make_tensor_value_info("s", TensorProto.INT32, None)])  # fmt: skip
    other = helper.make_graph([helper.make_node("Identity", ["x"], ["t"])], "else", [], [helper.make_tensor_value_info("t", TensorProto.INT32, None)])  # fmt: skip
    nodes = [helper.make_node("If", ["c"], ["y"], then_branch=inner, else_branch=other)]
    ends = [helper.make_tensor_value_info(name, kind, None) for name, kind in (("x", TensorProto.INT32), ("c", TensorProto.BOOL), ("y", TensorProto.INT32))]  # fmt: skip
    sets = [helper.make_opsetid("", 28), helper.make_opsetid("mine", 1)]
    model = helper.make_model(helper.make_graph(nodes, "g", ends[:2], ends[2:]), opset_imports=sets)
    onnx.save(model, tmp_path / "if.onnx")
    assert "BitShift" in _known_wrong.openvino(str(tmp_path / "if.onnx"))
    body = [helper.make_node("DFT", ["a"], ["b"], onesided=1)]
    model.functions.append(helper.make_function("mine", "Half", ["a"], ["b"], body, sets[:1]))
    for branch in model.graph.node[0].attribute:
        del branch.g.node[:]
    onnx.save(model, tmp_path / "function.onnx")
    assert _known_wrong.openvino(str(tmp_path / "function.onnx")) == "OpenVINO answers ONNX's own tests of DFT of one side wrongly"  # fmt: skip
