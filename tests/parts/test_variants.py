"""Variants: the same from the same, traceable, refused with the reason where they can't be made."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import models
import numpy as np
import onnx
import pytest

from seatrial import catalog
from seatrial.contracts.artefact import Artefact
from seatrial.contracts.protocols import Making, Setting
from seatrial.errors import Unsupported
from seatrial.parts.variants import _onnx, _static
from seatrial.testing import _models, variants

QUANTISED = ["int8_dynamic", "int8_static"]
ROWS = _models.rows(70, 32, seed=9)


def make(name: str, artefact: Artefact, folder: Path, values: Any = None, **options: Any) -> Artefact:
    part = catalog.find("variants", name)
    making = Making(folder, 0, {"features": ROWS} if values is None else values, "rows")
    return catalog.load(part).make(artefact, making, catalog.options(part, options))


def operators(artefact: Artefact) -> set[str]:
    return {node.op_type for node in onnx.load(artefact.files["model"]).graph.node}


def answers(artefact: Artefact, values: Any, runtime: str = "onnxruntime") -> Any:
    part = catalog.find("runtimes", runtime)
    return catalog.load(part).open(artefact, Setting(), catalog.options(part)).predict(values)


@pytest.mark.parametrize("name", list(catalog.parts("variants")))
def test_exam(name: str) -> None:
    variants.exam(catalog.find("variants", name))


@pytest.mark.parametrize(
    ("fault", "complaint"),
    [
        ("no parent", "doesn't name the model"),
        ("wrong hash", "isn't its SHA-256"),
        ("another every time", "differs"),
        ("broken weights", "is off by"),
    ],
)
def test_exam_finds_planted_faults(monkeypatch: pytest.MonkeyPatch, fault: str, complaint: str) -> None:
    part = catalog.find("variants", "int8_static")
    module = catalog.load(part)
    honest, turn = module.make, iter(range(1000))

    def make(artefact: Artefact, making: Making, options: Any) -> Artefact:
        made = honest(artefact, making, options)
        file = Path(made.files["model"])
        if fault == "no parent":
            return made.model_copy(update={"lineage": made.lineage.model_copy(update={"parent": None})})
        if fault == "wrong hash":
            return made.model_copy(update={"hashes": {"model": "0" * 64}})
        model = onnx.load(file)
        if fault == "another every time":
            model.doc_string = str(next(turn))
        else:
            for tensor in model.graph.initializer:
                if tensor.name.endswith("_scale"):
                    scales = onnx.numpy_helper.to_array(tensor) * 2
                    tensor.CopyFrom(onnx.numpy_helper.from_array(scales, tensor.name))
        onnx.save(model, file)
        return made.model_copy(update={"hashes": {"model": _models.sha256(file)}})

    monkeypatch.setattr(module, "make", make)
    with pytest.raises(AssertionError, match=complaint):
        variants.exam(part)


def test_as_is_takes_anything_and_changes_nothing(tmp_path: Path) -> None:
    artefact = Artefact(**(_models.mlp_file(tmp_path / "m.onnx").model_dump() | {"format": "whatever"}))
    assert make("as_is", artefact, tmp_path) is artefact


@pytest.mark.parametrize("name", QUANTISED)
def test_lineage_is_complete(tmp_path: Path, name: str) -> None:
    parent = _models.mlp_file(tmp_path / "m.onnx")
    lineage = make(name, parent, tmp_path / "made", per_channel=True).lineage
    assert (lineage.recipe, lineage.parent, lineage.options["per_channel"]) == (name, parent.hash, True)
    assert lineage.rows_hash == ("rows" if name == "int8_static" else None)
    assert set(lineage.made_with) == {"onnx", "onnxruntime"}


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("int8_dynamic", {}),
        ("int8_dynamic", {"weights": "uint8"}),
        ("int8_dynamic", {"per_channel": True}),
        ("int8_static", {}),
        ("int8_static", {"method": "percentile", "percentile": 99.9}),
        ("int8_static", {"activation": "int8", "symmetric": True}),
        ("int8_static", {"per_channel": False}),
    ],
    ids=str,
)
def test_every_option_makes_a_model_of_its_own_twice_the_same(tmp_path: Path, name: str, options: Any) -> None:
    parent = _models.mlp_file(tmp_path / "m.onnx")
    one, two = (make(name, parent, tmp_path / turn, **options) for turn in ("one", "two"))
    assert one.hashes == two.hashes
    if options:
        assert one.hashes != make(name, parent, tmp_path / "plain").hashes
    right = _models.mlp_answers(ROWS)
    off = np.abs(answers(one, {"features": ROWS})["logits"] - right).max() / np.abs(right).max()
    assert 0 < off < 0.2


def test_static_needs_rows_with_the_role_calibrate(tmp_path: Path) -> None:
    with pytest.raises(Unsupported, match=r"role `calibrate`") as raised:
        make("int8_static", _models.mlp_file(tmp_path / "m.onnx"), tmp_path, {})
    assert "roles: calibrate" in raised.value.next_step


def test_static_ranges_come_from_the_calibration_rows(tmp_path: Path) -> None:
    parent = _models.mlp_file(tmp_path / "m.onnx")
    narrow = make("int8_static", parent, tmp_path / "narrow", {"features": ROWS / 10})
    right = _models.mlp_answers(ROWS)
    off = {
        name: np.abs(answers(made, {"features": ROWS})["logits"] - right).max()
        for name, made in (("narrow", narrow), ("fitting", make("int8_static", parent, tmp_path / "fitting")))
    }
    assert off["narrow"] > 5 * off["fitting"]


@pytest.mark.parametrize("name", QUANTISED)
def test_a_model_with_nothing_to_quantise_is_refused(tmp_path: Path, name: str) -> None:
    artefact = models.nothing_heavy(tmp_path / "m.onnx")
    with pytest.raises(Unsupported, match=r"nothing to quantise.*1 Relu"):
        make(name, artefact, tmp_path / "made", {"x": ROWS[:, :4].copy()})
    assert not list((tmp_path / "made").glob("*"))


@pytest.mark.parametrize("name", QUANTISED)
def test_a_quantised_model_is_refused(tmp_path: Path, name: str) -> None:
    once = make(name, _models.mlp_file(tmp_path / "m.onnx"), tmp_path / "once")
    with pytest.raises(Unsupported, match=r"quantised already: it holds \w+"):
        make(name, once, tmp_path / "twice")


@pytest.mark.parametrize("name", QUANTISED)
def test_several_inputs_of_several_types(tmp_path: Path, name: str) -> None:
    values = models.several_values(40)
    made = make(name, models.several(tmp_path / "m.onnx"), tmp_path / "made", values)
    got, right = answers(made, values), models.several_answers(values)
    assert np.abs(got["scores"] - right["scores"]).max() < 0.1 * np.abs(right["scores"]).max()
    assert np.array_equal(got["longest"], right["longest"])


@pytest.mark.parametrize("name", QUANTISED)
def test_a_fixed_batch(tmp_path: Path, name: str) -> None:
    made = make(name, _models.mlp_file(tmp_path / "m.onnx", batch=4), tmp_path / "made")
    right = _models.mlp_answers(ROWS[:6])
    assert np.abs(answers(made, {"features": ROWS[:6]})["logits"] - right).max() < 0.2 * np.abs(right).max()


def test_a_fixed_batch_with_too_few_rows_is_said(tmp_path: Path) -> None:
    with pytest.raises(Unsupported, match="takes 4 rows a query, and there are only 3"):
        make("int8_static", _models.mlp_file(tmp_path / "m.onnx", batch=4), tmp_path, {"features": ROWS[:3]})


@pytest.mark.parametrize("name", QUANTISED)
@pytest.mark.parametrize("opset", [11, 13, 17, 20])
def test_opsets(tmp_path: Path, name: str, opset: int) -> None:
    image = _models.rows(20, 3, 8, 8)
    made = make(name, _models.conv_file(tmp_path / "m.onnx", opset=opset), tmp_path / "made", {"image": image})
    right = _models.conv_answers(image)
    assert np.abs(answers(made, {"image": image})["logits"] - right).max() < 0.2 * np.abs(right).max()


@pytest.mark.parametrize("name", QUANTISED)
def test_large_models_keep_their_tensors_in_a_file_of_their_own(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    monkeypatch.setattr(_onnx, "LARGE", 0)
    parent = _models.mlp_file(tmp_path / "m.onnx")
    made = make(name, parent, tmp_path / "made")
    assert any(role.startswith("data:") for role in made.files)
    right = _models.mlp_answers(ROWS)
    assert np.abs(answers(made, {"features": ROWS})["logits"] - right).max() < 0.2 * np.abs(right).max()
    subject = catalog.find("subjects", "onnx")
    read = catalog.load(subject).read(catalog.options(subject, {"path": made.files["model"]}), tmp_path)
    assert read.hashes == made.hashes


@pytest.mark.parametrize("name", QUANTISED)
def test_a_float16_model_is_quantised_or_refused_in_words(tmp_path: Path, name: str) -> None:
    parent, values = models.half(tmp_path / "m.onnx"), {"features": ROWS.astype(np.float16)}
    if name == "int8_dynamic":
        with pytest.raises(Unsupported, match=r"nothing in this model can be quantised.* weights in float16"):
            make(name, parent, tmp_path / "made", values)
        return
    right = _models.mlp_answers(ROWS)
    made = make(name, parent, tmp_path / "made", values)
    assert np.abs(answers(made, values)["logits"] - right).max() < 0.2 * np.abs(right).max()


@pytest.mark.parametrize(
    ("count", "method", "rows"), [(70, "minmax", 64), (70, "percentile", 35), (67, "percentile", 1)]
)
def test_histograms_get_queries_of_one_size(count: int, method: str, rows: int) -> None:
    assert _static.rows(count, None, method) == rows
    sizes = {len(batch["x"]) for batch in _static.batches({"x": np.zeros(count)}, rows, whole=False)}
    assert method == "minmax" or sizes == {rows}


def test_onnxruntimes_entropy_gives_the_ranges_of_minmax(tmp_path: Path) -> None:
    """Why `int8_static` finds them itself: the day this fails, it needn't."""
    from onnxruntime.quantization import CalibrationMethod, QuantFormat, quantize_static

    source = _models.mlp_file(tmp_path / "m.onnx").files["model"]
    for method in ("MinMax", "Entropy"):
        reader = _static.reader({"features": ROWS}, None, "percentile")
        quantize_static(source, tmp_path / method, reader, QuantFormat.QDQ, calibrate_method=CalibrationMethod[method])
    assert (tmp_path / "MinMax").read_bytes() == (tmp_path / "Entropy").read_bytes()
