"""Runtimes: right answers in every form a model can take, and what really runs is found out where it isn't what was asked."""

from __future__ import annotations

import importlib.metadata
import os
import subprocess
import sys
import warnings
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import models
import numpy as np
import pytest

from seatrial import catalog
from seatrial.contracts.artefact import Artefact
from seatrial.contracts.protocols import Facts, Making, Setting
from seatrial.errors import ModelError, Unsupported
from seatrial.parts.runtimes import _batches, _facts
from seatrial.parts.runtimes import onnxruntime as ort_part
from seatrial.parts.runtimes import openvino as openvino_part
from seatrial.parts.runtimes import torch as torch_part
from seatrial.testing import _models, runtimes

ONNX = [name for name, part in catalog.parts("runtimes").items() if "onnx" in part.accepts["format"]]


def opened(name: str, artefact: Artefact, setting: Setting | None = None, **options: Any) -> Any:
    part = catalog.find("runtimes", name)
    return catalog.load(part).open(artefact, setting or Setting(), catalog.options(part, options))


def made(variant: str, artefact: Artefact, folder: Path, **options: Any) -> Artefact:
    part = catalog.find("variants", variant)
    rows = {one.name: _models.rows(64, *one.shape) for one in artefact.signature.inputs}
    return catalog.load(part).make(artefact, Making(folder, 0, rows, "rows"), catalog.options(part, options))


def close_to(answers: Any, right: Any, tolerance: float = 1e-5) -> bool:
    return runtimes._difference(answers, right) <= tolerance


def has_bf16() -> bool:
    flags = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
    return "avx512_bf16" in flags or "amx_bf16" in flags


# --- the exam ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", list(catalog.parts("runtimes")))
def test_exam(name: str) -> None:
    runtimes.exam(catalog.find("runtimes", name))


class Wrapped:
    """A session with one fault planted."""

    def __init__(self, session: Any, fault: str) -> None:
        self.session, self.fault = session, fault
        self.buffer: dict[str, Any] = {}

    def predict(self, values: Any) -> Any:
        answers = dict(self.session.predict(values))
        name, value = next(iter(answers.items()))
        if self.fault == "batch":
            answers[name] = value - value.mean(axis=0)
        if self.fault == "biased":
            answers[name] = value * 1.01
        if self.fault == "renamed":
            answers = {"other": value}
        if self.fault == "changes its input":
            next(iter(values.values()))[0] += 1
        if self.fault == "reuses memory":
            if self.buffer and len(value) <= len(self.buffer[name]):
                self.buffer[name][: len(value)] = value
                answers[name] = self.buffer[name][: len(value)]
            self.buffer = self.buffer or {name: value}
        return answers

    def facts(self) -> Any:
        facts = self.session.facts()
        if self.fault == "hides bf16":
            facts = Facts(facts.device, "bf16")
        return facts

    def close(self) -> None: ...


@pytest.mark.parametrize(
    ("fault", "complaint"),
    [
        ("none", None),
        ("batch", "differ by|off by"),
        ("biased", "off by"),
        ("renamed", "outputs"),
        ("changes its input", "changed the input"),
        ("reuses memory", "changed the answers"),
        ("hides bf16", "says nothing of it"),
    ],
)
def test_exam_finds_planted_faults(tmp_path: Path, fault: str, complaint: str | None) -> None:
    sample = _models.samples("onnx", tmp_path)[0]
    session = Wrapped(opened("onnxruntime", sample.artefact), fault)
    if complaint is None:
        runtimes.check_session("here", session, sample, Setting(), 1e-5)
        return
    with pytest.raises(AssertionError, match=complaint):
        runtimes.check_session("here", session, sample, Setting(), 1e-5)


# --- models of every form ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ONNX)
def test_several_inputs_and_outputs_of_several_types(tmp_path: Path, name: str) -> None:
    session = opened(name, models.several(tmp_path / "m.onnx"))
    values = models.several_values()
    answers, right = session.predict(values), models.several_answers(values)
    assert list(answers) == ["scores", "longest"]
    assert close_to(answers["scores"], right["scores"])
    assert np.array_equal(answers["longest"], right["longest"])
    assert answers["longest"].dtype == np.int64
    swapped = session.predict({name: values[name] for name in ("dense", "tokens")})
    assert np.array_equal(swapped["scores"], answers["scores"])


@pytest.mark.parametrize("name", ONNX)
def test_float16_models(tmp_path: Path, name: str) -> None:
    session = opened(name, models.half(tmp_path / "m.onnx"))
    rows = _models.rows(5, 32)
    answers = session.predict({"features": rows.astype(np.float16)})["logits"]
    assert answers.dtype == np.float16
    assert close_to(answers, _models.mlp_answers(rows), 1e-2)
    with pytest.raises(ModelError, match=r"float|double"):
        session.predict({"features": rows})


@pytest.mark.parametrize("name", ONNX)
@pytest.mark.parametrize("rows", [1, 3, 4, 5, 9])
def test_a_fixed_batch_answers_any_number_of_rows(tmp_path: Path, name: str, rows: int) -> None:
    session = opened(name, _models.mlp_file(tmp_path / "m.onnx", batch=4))
    values = _models.rows(rows, 32)
    assert close_to(session.predict({"features": values})["logits"], _models.mlp_answers(values))
    assert session.facts().precision == "fp32"


@pytest.mark.parametrize("name", ONNX)
@pytest.mark.parametrize("opset", range(11, 21))
def test_opsets(tmp_path: Path, name: str, opset: int) -> None:
    session = opened(name, _models.conv_file(tmp_path / "m.onnx", opset=opset))
    image = _models.rows(3, 3, 8, 8)
    assert close_to(session.predict({"image": image})["logits"], _models.conv_answers(image))


@pytest.mark.parametrize("name", ONNX)
def test_external_data(tmp_path: Path, name: str) -> None:
    models.external(tmp_path / "m.onnx")
    part = catalog.find("subjects", "onnx")
    artefact = catalog.load(part).read(catalog.options(part, {"path": "m.onnx"}), tmp_path)
    values = _models.rows(3, 32)
    assert close_to(opened(name, artefact).predict({"features": values})["logits"], _models.mlp_answers(values))


@pytest.mark.parametrize("name", ONNX)
def test_a_cut_file_is_refused_in_words(tmp_path: Path, name: str) -> None:
    artefact = _models.mlp_file(tmp_path / "m.onnx")
    file = Path(artefact.files["model"])
    file.write_bytes(file.read_bytes()[:500])
    with pytest.raises(ModelError, match=r"can't (load|compile) m\.onnx: \w+"):
        opened(name, artefact)


@pytest.mark.parametrize("name", ONNX)
def test_rows_that_dont_lie_side_by_side_in_memory(tmp_path: Path, name: str) -> None:
    session = opened(name, _models.mlp_file(tmp_path / "m.onnx"))
    values = _models.rows(8, 64)[::2, ::2]
    assert close_to(session.predict({"features": values})["logits"], _models.mlp_answers(values))


def test_filling_up_asks_only_for_sizes_that_are_taken() -> None:
    asked: list[int] = []

    def run(values: dict[str, Any]) -> dict[str, Any]:
        asked.append(len(values["x"]))
        return {"y": values["x"] * 2}

    call = _batches.in_sizes(run, (1, 4))
    for rows, sizes in ((1, [1]), (4, [4]), (2, [4]), (5, [4, 1]), (11, [4, 4, 4])):
        asked.clear()
        values = np.arange(rows * 3).reshape(rows, 3)
        assert np.array_equal(call({"x": values})["y"], values * 2)
        assert asked == sizes
    with pytest.raises(ModelError, match="no input"):
        call({})


# --- what really runs --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("variant", ["int8_static", "int8_dynamic"])
@pytest.mark.parametrize("file", [_models.mlp_file, _models.conv_file])
def test_onnxruntime_runs_int8_variants_in_int8(tmp_path: Path, variant: str, file: Any) -> None:
    session = opened("onnxruntime", made(variant, file(tmp_path / "m.onnx"), tmp_path / "made"))
    session.predict({one.name: _models.rows(2, *one.shape) for one in file(tmp_path / "m.onnx").signature.inputs})
    facts = session.facts()
    assert (facts.precision, facts.fell_back) == ("int8", "")


def test_onnxruntime_says_when_a_quantised_model_runs_in_fp32(tmp_path: Path) -> None:
    artefact = made("int8_static", _models.conv_file(tmp_path / "m.onnx"), tmp_path / "made")
    session = opened("onnxruntime", artefact, optimise="none")
    session.predict({"image": _models.rows(2, 3, 8, 8)})
    facts = session.facts()
    assert facts.precision == "fp32"
    assert (
        facts.fell_back == "the model is quantised, but ONNX Runtime ran its matrix products and convolutions in fp32"
    )


def test_onnxruntime_reports_threads_and_providers(tmp_path: Path) -> None:
    session = opened("onnxruntime", _models.mlp_file(tmp_path / "m.onnx"), Setting(threads=2))
    assert session._session.get_session_options().intra_op_num_threads == 2
    session.predict({"features": _models.rows(2, 32)})
    assert list(session.facts().details["providers"]) == ["CPUExecutionProvider"]


def test_onnxruntime_refuses_to_run_on_the_cpu_instead(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The device files are said to be there, so that ONNX Runtime itself is asked; its CPU build has no CUDA."""
    monkeypatch.setattr(ort_part, "absent", lambda device: None)
    import onnxruntime

    if "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        pytest.skip("CUDA is here")
    artefact = _models.mlp_file(tmp_path / "m.onnx")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises((Unsupported, ModelError), match=r"CPU|CUDA"):
            opened("onnxruntime", artefact, Setting(device="cuda"))


def test_a_provider_that_gave_way_is_found() -> None:
    fallen = SimpleNamespace(get_providers=lambda: ["CPUExecutionProvider"])
    ort_part._check_device(fallen, Setting())
    with pytest.raises(Unsupported, match="CUDAExecutionProvider was asked for, but ONNX Runtime opened CPU"):
        ort_part._check_device(fallen, Setting(device="cuda"))


def test_operators_on_another_provider_are_told() -> None:
    ran = [("Conv", ("float",), "CUDAExecutionProvider"), ("NonZero", ("float",), "CPUExecutionProvider")]
    assert ort_part._elsewhere(ran, "CUDAExecutionProvider") == "1 of 2 operators ran on another provider: NonZero"
    assert ort_part._elsewhere(ran[:1], "CUDAExecutionProvider") == ""


@pytest.mark.skipif(not has_bf16(), reason="this processor has no bf16 units")
def test_openvino_takes_bf16_unasked_and_the_reader_sees_it(tmp_path: Path) -> None:
    """Without the hint that the part always sets, OpenVINO takes bf16; with it, fp32."""
    file = _models.conv_file(tmp_path / "m.onnx").files["model"]
    unasked = openvino_part._compile(file, Setting(), {})
    assert "bf16" in {one.dtype for one in openvino_part.executed(unasked) if one.kind == "Convolution"}
    session = openvino_part.Session(_models.conv_file(tmp_path / "m.onnx"), Setting(), unasked)
    session.predict({"image": _models.rows(2, 3, 8, 8)})
    facts = session.facts()
    assert facts.precision == "bf16"
    assert facts.fell_back == "fp32 was asked for, but OpenVINO ran matrix products and convolutions in bf16"


@pytest.mark.skipif(not has_bf16(), reason="this processor has no bf16 units")
@pytest.mark.parametrize("model", ["conv", "mlp", "mlp fused into one subgraph"])
def test_bf16_is_bf16_and_differs(tmp_path: Path, model: str) -> None:
    artefact = (
        _models.conv_file(tmp_path / "m.onnx")
        if model == "conv"
        else _models.mlp_file(tmp_path / "m.onnx", 5 if "fused" in model else "rows")
    )
    values = {one.name: _models.rows(5, *one.shape) for one in artefact.signature.inputs}
    answers = {}
    for precision in ("fp32", "bf16"):
        session = opened("openvino", artefact, Setting(precision=precision))
        answers[precision] = session.predict(values)["logits"]
        assert session.facts().precision == precision
    assert 1e-5 < runtimes._difference(answers["bf16"], answers["fp32"]) < 3e-2


def test_openvino_runs_static_int8_in_int8_and_says_that_dynamic_isnt(tmp_path: Path) -> None:
    said = {}
    for variant in ("int8_static", "int8_dynamic"):
        session = opened("openvino", made(variant, _models.conv_file(tmp_path / "m.onnx"), tmp_path / "made"))
        session.predict({"image": _models.rows(2, 3, 8, 8)})
        said[variant] = session.facts()
    assert (said["int8_static"].precision, said["int8_static"].fell_back) == ("int8", "")
    assert said["int8_dynamic"].precision == "fp32"
    assert "the model is quantised" in said["int8_dynamic"].fell_back


def test_openvino_is_set_as_it_was_asked(tmp_path: Path) -> None:
    session = opened("openvino", _models.mlp_file(tmp_path / "m.onnx"), Setting(threads=2))
    asked = {"INFERENCE_NUM_THREADS": 2, "NUM_STREAMS": 1, "ENABLE_CPU_PINNING": False}
    assert {name: session._compiled.get_property(name) for name in asked} == asked


@pytest.mark.parametrize(
    ("asked", "ran", "integers", "said"),
    [
        ("fp32", "fp32", False, ""),
        ("bf16", "fp32", False, "bf16 was asked for, but X ran matrix products and convolutions in fp32"),
        ("fp32", "int8", True, ""),
        ("bf16", "int8", True, ""),
        ("fp32", "unknown", False, ""),
        ("fp32", "fp32", True, "the model is quantised, but X ran its matrix products and convolutions in fp32"),
    ],
)
def test_words_for_what_fell_back(asked: str, ran: str, integers: bool, said: str) -> None:
    assert _facts.fell_back(asked, ran, integers, "X") == said


def test_the_lowest_precision_counts() -> None:
    assert _facts.lowest(["fp32", "int8", "bf16"]) == "int8"
    assert _facts.lowest(["fp32", "bf16", "unknown"]) == "bf16"
    assert _facts.lowest([]) == "unknown"


# --- devices that aren't here ------------------------------------------------------------------------------------------


def test_absent_devices_name_the_next_step(monkeypatch: pytest.MonkeyPatch) -> None:
    def version(package: str) -> str:
        if package == "onnxruntime-gpu":
            raise importlib.metadata.PackageNotFoundError
        return "2.13.0+cpu"

    monkeypatch.setattr(importlib.metadata, "version", version)
    for module in (ort_part, torch_part):
        monkeypatch.setattr(module, "no_cuda", lambda: "no NVIDIA device here")
        assert module.absent("cuda") == "no NVIDIA device here"
        monkeypatch.setattr(module, "no_cuda", lambda: None)
        assert "pip install" in (module.absent("cuda") or "")
        assert module.absent("cpu") is None


# --- torch -------------------------------------------------------------------------------------------------------------

CODE = """
import torch

class Two(torch.nn.Module):
    def __init__(self, gives="tuple", width=2):
        super().__init__()
        self.w = torch.nn.Parameter(torch.zeros(width, 2))
        self.gives = gives

    def forward(self, left, right):
        total, difference = (left + right) @ self.w, left - right
        if self.gives == "dict":
            return {"difference": difference, "total": total}
        return total if self.gives == "one" else (total, difference)

class Stubborn(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.w = torch.nn.Parameter(torch.zeros(2, 2))

    def forward(self, x):
        with torch.autocast("cpu", enabled=False):
            return x.float() @ self.w

class Uncompilable(Stubborn):
    @torch.compiler.disable
    def forward(self, x):
        return x @ self.w

def nothing():
    return "a word"

def sloppy():
    torch.set_float32_matmul_precision("medium")
    torch.set_num_threads(2)
    return Stubborn().train()
"""
W = np.array([[1, 2], [3, 4]], np.float32)
LEFT, RIGHT = _models.rows(3, 2, seed=1), _models.rows(3, 2, seed=2)


def torch_session(folder: Path, function: str, setting: Setting | None = None, inputs: tuple[str, ...] = (), outputs: tuple[str, ...] = (), arguments: str = "", **options: Any) -> Any:  # fmt: skip
    artefact = models.torch_artefact(folder, CODE, function, {"w": W}, inputs, outputs, arguments)
    return opened("torch", artefact, setting, **options)


@pytest.mark.parametrize("gives", ["tuple", "dict"])
def test_torch_names_outputs_as_stated(tmp_path: Path, gives: str) -> None:
    session = torch_session(
        tmp_path, "Two", inputs=("left", "right"), outputs=("total", "difference"), arguments=f' {{"gives": "{gives}"}}'
    )
    answers = session.predict({"right": RIGHT, "left": LEFT})
    assert list(answers) == ["total", "difference"]
    assert close_to(answers["total"], (LEFT + RIGHT) @ W)
    assert close_to(answers["difference"], LEFT - RIGHT)


@pytest.mark.parametrize(("gives", "names"), [("tuple", ["output_0", "output_1"]), ("one", ["output"]), ("dict", ["difference", "total"])])  # fmt: skip
def test_torch_names_outputs_that_nobody_named(tmp_path: Path, gives: str, names: list[str]) -> None:
    session = torch_session(tmp_path, "Two", arguments=f' {{"gives": "{gives}"}}')
    assert list(session.predict({"left": LEFT, "right": RIGHT})) == names


def test_torch_takes_inputs_in_the_order_of_the_study_where_names_differ(tmp_path: Path) -> None:
    session = torch_session(tmp_path, "Two", inputs=("first", "second"), outputs=("total", "difference"))
    answers = session.predict({"second": RIGHT, "first": LEFT})
    assert close_to(answers["difference"], LEFT - RIGHT)


def test_torch_refuses_outputs_that_arent_given(tmp_path: Path) -> None:
    session = torch_session(tmp_path, "Two", outputs=("a", "b", "c"))
    with pytest.raises(ModelError, match="gives 2 outputs, not 3"):
        session.predict({"left": LEFT, "right": RIGHT})


@pytest.mark.parametrize(
    ("function", "arguments", "weights", "said"),
    [
        ("Two", ' {"width": 3}', {"w": W}, "don't fit the module"),
        ("Two", "", {"w": W, "extra": W}, "don't fit the module"),
        ("Two", "", {"other": W}, "don't fit the module"),
        ("nothing", "", {"w": W}, "returned a str, not a torch.nn.Module"),
        ("absent", "", {"w": W}, "has no `absent`"),
    ],
)
def test_torch_refuses_what_doesnt_fit(tmp_path: Path, function: str, arguments: str, weights: Any, said: str) -> None:
    with pytest.raises(ModelError, match=said):
        opened("torch", models.torch_artefact(tmp_path, CODE, function, weights, arguments=arguments))


def test_torch_runs_no_code_that_changed_since_it_was_read(tmp_path: Path) -> None:
    artefact = models.torch_artefact(tmp_path, CODE, "Two", {"w": W})
    Path(artefact.files["code"]).write_text("raise SystemExit")
    with pytest.raises(ModelError, match="has changed since the study was read"):
        opened("torch", artefact)


def test_torch_settings_of_the_users_code_dont_last(tmp_path: Path) -> None:
    import torch

    session = torch_session(tmp_path, "sloppy", inputs=("x",))
    assert torch.get_float32_matmul_precision() == "highest"
    assert torch.get_num_threads() == 1
    assert not session._module.training


def test_torch_says_when_a_module_keeps_fp32(tmp_path: Path) -> None:
    session = torch_session(tmp_path, "Stubborn", Setting(precision="bf16"), inputs=("x",))
    session.predict({"x": LEFT})
    assert session.facts().fell_back == "bf16 was asked for, but PyTorch ran matrix products and convolutions in fp32"


def test_torch_takes_arrays_that_cant_be_written(tmp_path: Path) -> None:
    session = torch_session(tmp_path, "Stubborn", inputs=("x",))
    frozen = LEFT.copy()
    frozen.flags.writeable = False
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        session.predict({"x": frozen})


def test_torch_compiles_one_graph_for_one_row_and_one_for_full_batches(tmp_path: Path) -> None:
    sample = _models.samples("torch", tmp_path)[0]
    session = opened("torch", sample.artefact, Setting(batch=4), compiled=True, backend="eager")
    for rows in (1, 2, 3, 4, 7):
        values = _models.rows(rows, 32)
        assert close_to(session.predict({"features": values})["logits"], _models.mlp_answers(values))
    assert session.facts().details["graphs"] == 2
    session.close()


def test_torch_says_when_nothing_was_compiled(tmp_path: Path) -> None:
    session = torch_session(tmp_path, "Uncompilable", inputs=("x",), compiled=True, backend="eager")
    session.predict({"x": LEFT})
    assert session.facts().fell_back == "torch.compile found nothing to compile, so the module ran eagerly"
    session.close()


def test_torch_needs_a_compiler_to_compile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CXX", raising=False)
    with pytest.raises(Unsupported, match=r"C\+\+ compiler"):
        torch_session(tmp_path, "Stubborn", compiled=True)


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_torch_compiled_by_inductor_passes_the_exam(tmp_path: Path, precision: str) -> None:
    sample = _models.samples("torch", tmp_path)[1]
    setting = Setting(precision=precision, batch=5)
    session = opened("torch", sample.artefact, setting, compiled=True)
    facts = runtimes.check_session("compiled", session, sample, setting, runtimes.TOLERANCE[precision])
    assert (facts.precision, facts.fell_back, facts.details["graphs"]) == (precision, "", 2)
    session.close()


def exported(folder: Path, dynamic: bool) -> Artefact:
    import torch

    class Product(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.w = torch.nn.Parameter(torch.from_numpy(W))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x @ self.w

    shapes = ({0: torch.export.Dim("rows")},) if dynamic else None
    program = torch.export.export(Product(), (torch.zeros(4, 2),), dynamic_shapes=shapes)
    torch.export.save(program, folder / "m.pt2")
    part = catalog.find("subjects", "torch")
    options = catalog.options(part, {"export": "m.pt2", "trust": _models.sha256(folder / "m.pt2")})
    return catalog.load(part).read(options, folder)


@pytest.mark.parametrize("dynamic", [True, False])
def test_torch_runs_an_exported_program(tmp_path: Path, dynamic: bool) -> None:
    session = opened("torch", exported(tmp_path, dynamic))
    for rows in (1, 3, 4, 6):
        values = _models.rows(rows, 2)
        assert close_to(session.predict({"x": values})["output"], values @ W)


def test_torch_doesnt_load_an_exported_program_that_was_swapped(tmp_path: Path) -> None:
    artefact = exported(tmp_path, dynamic=True)
    Path(artefact.files["model"]).write_bytes(b"PK\x03\x04 something else")
    with pytest.raises(ModelError, match="has changed since the study was read"):
        opened("torch", artefact)


@pytest.mark.parametrize("name", ["onnxruntime", "openvino", "torch"])
def test_a_runtime_sends_nothing_and_leaves_nothing_at_home(name, tmp_path):
    script = (
        "import os, psutil, time, seatrial.catalog as c\n"
        f"c.load(c.find('runtimes', {name!r})).import_framework()\n"
        "time.sleep(0.5)\n"
        "me = psutil.Process()\n"
        "assert not me.children(recursive=True), me.children()\n"
        "assert not me.net_connections(), me.net_connections()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "HOME": str(tmp_path), "CI": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert [file for file in tmp_path.rglob("*") if file.is_file()] == []
