"""Torch modules carried over to JAX, ONNX and LiteRT: several inputs, whole numbers, recurrent layers, fixed rows, and what can't be."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from seatrial import catalog
from seatrial.contracts.artefact import Artefact, Lineage, Signature, TensorSpec
from seatrial.contracts.protocols import Making, Setting
from seatrial.errors import ModelError, Unsupported
from seatrial.testing import _jax, _litert, _models, runtimes

CODE = '''
import torch


class Mixed(torch.nn.Module):
    """A number and a word in, two answers out."""

    def __init__(self):
        super().__init__()
        self.words, self.one, self.other = torch.nn.Embedding(20, 8), torch.nn.Linear(12, 3), torch.nn.Linear(12, 2)

    def forward(self, numbers, kinds):
        x = torch.cat([numbers, self.words(kinds)], 1)
        return {"scores": self.one(x), "flags": torch.sigmoid(self.other(x))}


class Choosy(torch.nn.Module):
    """Decides by its numbers."""

    def __init__(self):
        super().__init__()
        self.one = torch.nn.Linear(4, 3)

    def forward(self, numbers):
        return self.one(numbers) if numbers.sum() > 0 else self.one(-numbers)


class Tied(torch.nn.Module):
    """Takes four rows and no other number."""

    def __init__(self):
        super().__init__()
        self.one = torch.nn.Linear(4, 3)

    def forward(self, numbers):
        return self.one(numbers.reshape(4, 4))
'''
VALUES = {
    "numbers": np.random.default_rng(0).standard_normal((4, 4)).astype(np.float32),
    "kinds": np.array([3, 0, 19, 7]),
}


def artefact(folder: Path, name: str, inputs: tuple[str, ...], outputs: tuple[str, ...]) -> tuple[Artefact, Any]:
    (folder / "nets.py").write_text(CODE)
    names: dict[str, Any] = {"__name__": "nets"}
    exec(CODE, names)
    torch.manual_seed(0)
    module = names[name]().eval()
    save_file(module.state_dict(), folder / "w.safetensors")
    files = {"code": folder / "nets.py", "weights": folder / "w.safetensors"}
    made = Artefact(
        format="torch",
        files={role: str(file) for role, file in files.items()},
        hashes={role: _models.sha256(file) for role, file in files.items()},
        signature=Signature(
            inputs=tuple(TensorSpec(name=one, dtype=VALUES[one].dtype.name) for one in inputs),
            outputs=tuple(TensorSpec(name=one) for one in outputs),
        ),
        lineage=Lineage(recipe="given", options={"folder": str(folder)}),
        entry=f"nets.py:{name}",
    )
    return made, module


def converted(name: str, given: Artefact, folder: Path, rows: dict[str, Any], **options: Any) -> Artefact:
    part = catalog.find("conversions", name)
    return catalog.load(part).convert(given, Making(folder / name, 0, examples=rows), catalog.options(part, options))  # type: ignore[no-any-return]


def answers(runtime: str, given: Artefact, rows: dict[str, Any], **setting: Any) -> dict[str, Any]:
    part = catalog.find("runtimes", runtime)
    session = catalog.load(part).open(given, Setting(**setting), catalog.options(part))
    found = dict(session.predict(rows))
    session.close()
    return found


def test_several_inputs_and_outputs_go_by_name(tmp_path: Path) -> None:
    given, module = artefact(tmp_path, "Mixed", ("numbers", "kinds"), ("scores", "flags"))
    with torch.no_grad():
        right = {
            name: one.numpy() for name, one in module(**{k: torch.from_numpy(v) for k, v in VALUES.items()}).items()
        }
    for name, runtime in (("torch_to_jax", "jax"), ("torch_to_onnx", "onnxruntime")):
        made = converted(name, given, tmp_path, VALUES)
        got = answers(runtime, made, VALUES, batch=4)
        assert list(got) == ["scores", "flags"]
        for output, wanted in right.items():
            assert got[output] == pytest.approx(wanted, abs=1e-5)
    kinds = {**VALUES, "kinds": VALUES["kinds"] + 2**40}
    with pytest.raises(ModelError, match="don't fit in 32 bits"):
        answers("jax", converted("torch_to_jax", given, tmp_path, VALUES), kinds)


def test_what_decides_by_its_numbers_is_refused_with_the_reason(tmp_path: Path) -> None:
    given, _ = artefact(tmp_path, "Choosy", ("numbers",), ("y",))
    with pytest.raises(Unsupported, match=r"torch\.export can't export this module"):
        converted("torch_to_jax", given, tmp_path, VALUES)
    with pytest.raises(Unsupported, match="dynamo: "):
        converted("torch_to_onnx", given, tmp_path, VALUES, exporter="dynamo")


def test_a_module_for_a_fixed_number_of_rows_is_carried_over_for_that_number(tmp_path: Path) -> None:
    given, module = artefact(tmp_path, "Tied", ("numbers",), ("y",))
    rows = {"numbers": VALUES["numbers"]}
    made = converted("torch_to_jax", given, tmp_path, rows)
    assert made.signature.fixed_batch == 4
    assert "rows" in made.lineage.found
    with torch.no_grad():
        right = module(torch.from_numpy(rows["numbers"])).numpy()
    got = answers("jax", made, {"numbers": rows["numbers"][:3]}, batch=8)["y"]
    assert got == pytest.approx(right[:3], abs=1e-5)


def test_changed_files_are_not_converted(tmp_path: Path) -> None:
    given, _ = artefact(tmp_path, "Tied", ("numbers",), ("y",))
    (tmp_path / "nets.py").write_text(CODE + "\n")
    for name in ("torch_to_jax", "torch_to_onnx"):
        with pytest.raises(ModelError, match="has changed"):
            converted(name, given, tmp_path, VALUES)


def test_a_program_runs_only_on_what_it_was_written_for_and_as_it_was_written(tmp_path: Path) -> None:
    sample = _models.samples("torch", tmp_path)[0]
    made = converted("torch_to_jax", sample.artefact, tmp_path, sample.values, platforms=["tpu"])
    with pytest.raises(Unsupported, match="written for tpu, not for cpu"):
        answers("jax", made, sample.values)
    made = converted("torch_to_jax", sample.artefact, tmp_path, sample.values)
    file = Path(made.files["model"])
    file.write_bytes(file.read_bytes() + b"x")
    with pytest.raises(ModelError, match="has changed"):
        answers("jax", made, sample.values)


def test_fp32_is_asked_for_in_full_and_bf16_is_told_by_what_was_compiled(tmp_path: Path) -> None:
    sample = _jax.mlp(tmp_path)
    part = catalog.find("runtimes", "jax")
    session = catalog.load(part).open(sample.artefact, Setting(batch=5), catalog.options(part))
    session.predict(sample.values)
    assert "highest" in session._last[0].as_text()
    facts = session.facts()
    assert (facts.precision, facts.fell_back) == ("fp32", "")
    session.predict({"features": sample.values["features"][:3]})
    assert session.facts().details["programs"] == 1  # three rows are filled up to five
    low = catalog.load(part).open(sample.artefact, Setting(precision="bf16", batch=5), catalog.options(part))
    low.predict(sample.values)
    facts = low.facts()
    assert facts.precision == "bf16" or "bf16 was asked for, but XLA ran" in facts.fell_back


def test_a_function_that_gives_other_names_is_told(tmp_path: Path) -> None:
    sample = _jax.mlp(tmp_path)
    other = sample.artefact.model_copy(update={"signature": Signature(inputs=(), outputs=(TensorSpec(name="y"),))})
    with pytest.raises(ModelError, match="gives logits, not y"):
        answers("jax", other, sample.values)


# --- LiteRT -----------------------------------------------------------------------------------------------------------------


def litert(sample: Any, **options: Any) -> Any:
    part = catalog.find("runtimes", "litert")
    return catalog.load(part).open(sample.artefact, Setting(batch=4), catalog.options(part, options))


def test_int8_files_take_floats_and_give_floats(tmp_path: Path) -> None:
    sample = _litert.mlp_int8(tmp_path)
    session = litert(sample)
    facts = runtimes.check_session("int8", session, sample, Setting(precision="int8"), runtimes.TOLERANCE["int8"])
    assert facts.precision == "int8"
    assert facts.details["operators"] == {"FULLY_CONNECTED int8": 2}
    part = catalog.find("subjects", "litert")
    read = catalog.load(part).read(catalog.options(part, {"path": "mlp_int8.tflite"}), tmp_path)
    assert [one.dtype for one in (*read.signature.inputs, *read.signature.outputs)] == ["float32", "float32"]
    assert read.signature.fixed_batch is None


def test_what_integers_cannot_hold_is_refused(tmp_path: Path) -> None:
    sample = _litert.mlp_int8(tmp_path)
    holes = sample.values["features"].copy()
    holes[1, 3] = np.nan
    with pytest.raises(ModelError, match="`features` holds NaN, which an input stored as int8 can't"):
        litert(sample).predict({"features": holes})


def test_kernels_and_rows_can_be_chosen(tmp_path: Path) -> None:
    sample = _litert.conv(tmp_path)
    for options in ({}, {"xnnpack": False}, {"resize": True}):
        session = litert(sample, **options)
        assert session.predict(sample.values)["logits"] == pytest.approx(sample.answers["logits"], abs=1e-5)
        facts = session.facts()
        assert facts.details["xnnpack"] == options.get("xnnpack", True)
        assert not facts.fell_back
        assert session._rows == (4 if options.get("resize") else 1) or session._rows == 1


def test_kernels_that_were_asked_for_and_took_nothing_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sample = _litert.mlp(tmp_path)
    session = litert(sample)
    session.predict(sample.values)
    honest = session._interpreter._get_ops_details()
    plain = [one for one in honest if one["op_name"] != "DELEGATE"]
    monkeypatch.setattr(session._interpreter, "_get_ops_details", lambda: plain)
    assert "XNNPACK took none" in session.facts().fell_back


@pytest.mark.parametrize("name", ["torch", "onnx"])
def test_models_become_litert_files_where_the_converter_is_there(tmp_path: Path, name: str) -> None:
    pytest.importorskip("litert_converter")
    steps = {"torch": ("torch_to_jax",), "onnx": ("onnx_to_torch", "torch_to_jax")}[name]
    for sample in _models.samples(name, tmp_path):
        made = sample.artefact
        for step in (*steps, "jax_to_litert"):
            made = converted(step, made, tmp_path / sample.name, sample.values)
        got = answers("litert", made, sample.values, batch=4)
        assert got["logits"] == pytest.approx(sample.answers["logits"], abs=1e-4)
        part = catalog.find("subjects", "litert")
        read = catalog.load(part).read(
            catalog.options(part, {"path": "model.tflite"}), Path(made.files["model"]).parent
        )
        assert [one.name for one in read.signature.inputs] == list(sample.values)
        assert [one.name for one in read.signature.outputs] == ["logits"]
