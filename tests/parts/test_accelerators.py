"""Accelerators that aren't here, on a stand-in: CUDA graphs, TF32, events, memory that runs out, providers that give way."""

from __future__ import annotations

import warnings
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from seatrial import catalog
from seatrial.contracts.protocols import Setting
from seatrial.errors import ModelError, Unsupported
from seatrial.flow import bench
from seatrial.parts.runtimes import _hlo, _torch_profile
from seatrial.parts.runtimes import jax as jax_part
from seatrial.parts.runtimes import onnxruntime as ort_part
from seatrial.parts.runtimes import torch as torch_part
from seatrial.testing import _models, runtimes


class StandIn:
    """A GPU that computes on the processor: it records what runs and plays it again into the same memory, and keeps a clock."""

    def __init__(self, fault: str = "") -> None:
        self.fault, self.recorded_graphs, self.replays, self.now = fault, 0, 0, 0.0

    def device(self, name: str) -> Any:
        return torch.device("cpu")

    def event(self) -> Any:
        one = SimpleNamespace(at=0.0)

        def record() -> None:
            self.now += 2.0
            one.at = self.now

        one.record = record
        one.elapsed_time = lambda other: other.at - one.at
        return one

    def recorded(self, run: Any) -> Any:
        if self.fault == "memory":
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
        self.recorded_graphs += 1
        answer = run()

        def replay() -> None:
            self.replays += 1
            if self.fault != "stale":
                answer.copy_(run())

        return answer, replay


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> Any:
    def here(fault: str = "") -> StandIn:
        made = StandIn(fault)
        monkeypatch.setattr(torch_part, "absent", lambda device: None)
        monkeypatch.setattr(torch_part, "accelerator", lambda: made)
        return made

    return here


def session(sample: Any, precision: str = "fp32", **options: Any) -> Any:
    made = torch_part.Options(**options)
    return torch_part.open(sample.artefact, Setting("cuda", precision, 1, 4), made)


@pytest.fixture
def sample(tmp_path: Path) -> Any:
    return _models.samples("torch", tmp_path)[0]


# --- torch ----------------------------------------------------------------------------------------------------------------


def test_a_graph_is_recorded_for_one_row_and_for_full_batches_and_replayed(gpu: Any, sample: Any) -> None:
    stand_in = gpu()
    opened = session(sample, cuda_graphs=True)
    for rows in (5, 1, 4, 3):
        values = {"features": sample.values["features"][:rows]}
        assert opened.predict(values)["logits"] == pytest.approx(sample.answers["logits"][:rows], abs=1e-5)
    assert opened.facts().details["operators"] == {"aten::addmm fp32": 2}
    assert stand_in.recorded_graphs == 2
    assert stand_in.replays == 5  # five rows are four and one; the others one query each


def test_a_replay_that_leaves_old_answers_is_caught_by_the_exam(gpu: Any, sample: Any) -> None:
    gpu("stale")
    opened = session(sample, cuda_graphs=True)
    with pytest.raises(AssertionError, match="differ by"):
        runtimes.check_session("stale", opened, sample, Setting("cuda", "fp32", 1, 4), 1e-5)


def test_memory_that_runs_out_has_a_state_of_its_own(gpu: Any, sample: Any) -> None:
    gpu("memory")
    with pytest.raises(ModelError, match="out of memory") as caught:
        session(sample, cuda_graphs=True).predict(sample.values)
    assert bench._state(caught.value) == "out_of_memory"


def test_device_time_is_that_of_the_gpu_s_events(gpu: Any, sample: Any) -> None:
    gpu()
    opened = session(sample, device_time=True)
    opened.predict(sample.values)
    assert opened.spent() == {"device": pytest.approx(0.002)}
    assert opened.spent() == {}


def test_running_elsewhere_than_asked_is_told(gpu: Any, sample: Any) -> None:
    """The stand-in computes on the processor, and the profile says so."""
    gpu()
    opened = session(sample)
    opened.predict(sample.values)
    assert opened.facts().device == "cpu"


@pytest.mark.parametrize("precision", ["fp32", "tf32", "bf16", "fp16"])
def test_precisions_on_a_gpu_set_what_they_mean(gpu: Any, sample: Any, precision: str) -> None:
    gpu()
    opened = session(sample, precision)
    assert torch.backends.cudnn.allow_tf32 == (precision == "tf32")
    assert torch.get_float32_matmul_precision() == ("high" if precision == "tf32" else "highest")
    got = opened.predict(sample.values)["logits"]
    right = sample.answers["logits"]
    assert np.abs(got - right).max() <= runtimes.TOLERANCE[precision] * np.abs(right).max()
    facts = opened.facts()
    if precision == "tf32":  # no kernel of a processor multiplies in it
        assert "tf32 was asked for" in facts.fell_back


@pytest.mark.parametrize(("precision", "graphs"), [("fp32", False), ("bf16", False), ("fp16", True)])
def test_a_module_is_compiled_for_a_gpu(gpu: Any, sample: Any, precision: str, graphs: bool, monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    gpu()
    asked: list[Any] = []
    honest = torch.compile
    monkeypatch.setattr(torch, "compile", lambda module, **how: (asked.append(how["mode"]), honest(module, backend=how["backend"], dynamic=how["dynamic"]))[1])  # fmt: skip
    opened = session(sample, precision, compiled=True, backend="aot_eager", cuda_graphs=graphs)
    assert asked == ["reduce-overhead" if graphs else None]
    for rows in (1, 4, 3):
        got = opened.predict({"features": sample.values["features"][:rows]})["logits"]
        right = sample.answers["logits"][:rows]
        assert np.abs(got - right).max() <= runtimes.TOLERANCE[precision] * np.abs(right).max()
    facts = opened.facts()
    assert (facts.precision, facts.details["graphs"], facts.details["graph_breaks"]) == (precision, 2, {})
    opened.close()


def test_tf32_is_told_by_the_names_of_kernels() -> None:
    names = ["sm90_xmma_gemm_f32f32_tf32f32_f32_tn_n_tilesize128", "cutlass_80_tensorop_s1688gemm_128x128"]
    assert all(_torch_profile._TF32.search(name) for name in names)
    assert not _torch_profile._TF32.search("ampere_sgemm_128x64_tn")
    assert [_torch_profile.in_tf32(kind, True) for kind in ("fp32", "bf16")] == ["tf32", "bf16"]
    assert _torch_profile.in_tf32("fp32", False) == "fp32"


@pytest.mark.parametrize(("precision", "options"), [("tf32", {}), ("fp32", {"cuda_graphs": True})])
def test_what_needs_a_gpu_is_refused_on_a_processor(sample: Any, precision: str, options: dict[str, Any]) -> None:
    with pytest.raises(Unsupported, match="processor"):
        torch_part.open(sample.artefact, Setting("cpu", precision), torch_part.Options(**options))


# --- ONNX Runtime -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("device", ["cuda", "tensorrt", "openvino"])
def test_providers_that_are_not_in_this_build_are_refused_not_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, device: str
) -> None:
    import onnxruntime

    if ort_part.PROVIDERS[device] in onnxruntime.get_available_providers():
        pytest.skip("it is here")
    monkeypatch.setattr(ort_part, "absent", lambda device: None)
    artefact = _models.mlp_file(tmp_path / "m.onnx")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises((Unsupported, ModelError)):
            ort_part.open(artefact, Setting(device), ort_part.Options())


@pytest.mark.parametrize("device", ["cuda:1", "tensorrt", "openvino"])
def test_a_provider_that_gives_way_without_an_error_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, device: str
) -> None:
    """ONNX Runtime warns, takes the processor and goes on; whoever measured that would take it for the GPU."""
    asked = []

    class Fallen:
        def __init__(self, file: str, options: Any, providers: Any) -> None:
            asked.append((providers, options.get_session_config_entry("session.disable_cpu_ep_fallback")))

        def get_providers(self) -> list[str]:
            return ["CPUExecutionProvider"]

    import onnxruntime

    monkeypatch.setattr(ort_part, "absent", lambda device: None)
    monkeypatch.setattr(onnxruntime, "InferenceSession", Fallen)
    artefact = _models.mlp_file(tmp_path / "m.onnx")
    with pytest.raises(Unsupported, match="was asked for, but ONNX Runtime opened CPUExecutionProvider"):
        ort_part.open(artefact, Setting(device), ort_part.Options())
    ((((provider, settings),), no_fallback),) = asked
    assert provider == ort_part.PROVIDERS[device.split(":")[0]]
    assert no_fallback == "1"
    assert settings.get("device_id", "0") == (device.partition(":")[2] or "0")


def test_the_processor_may_help_only_where_the_study_says_so() -> None:
    strict, lenient = (
        ort_part._providers(Setting("cuda"), ort_part.Options(cpu_fallback=one)) for one in (False, True)
    )
    assert [one[0] for one in strict] == ["CUDAExecutionProvider"]
    assert lenient[-1] == "CPUExecutionProvider"
    assert ort_part._providers(Setting("cuda", "tf32"), ort_part.Options())[0][1]["use_tf32"] == "1"
    assert strict[0][1]["use_tf32"] == "0"


def ran_on(monkeypatch: pytest.MonkeyPatch, folder: Path, **options: Any) -> Any:
    """Facts of a session of which a profile shows that one operator went to the processor."""
    part = catalog.find("runtimes", "onnxruntime")
    sample = _models.samples("onnx", folder)[0]
    opened = ort_part.open(sample.artefact, Setting(), catalog.options(part, options))
    opened.predict(sample.values)
    profile = [("MatMul", ("float",), "CPUExecutionProvider"), ("Gather", ("int64",), "AnotherExecutionProvider")]
    monkeypatch.setattr(ort_part, "_profile", lambda *given: profile)
    return opened.facts()


def test_operators_that_went_elsewhere_are_refused_unless_the_study_lets_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = "1 of 2 operators ran on another provider: Gather"
    facts = ran_on(monkeypatch, tmp_path)
    assert (facts.fell_back, facts.details.get("note")) == (said, None)
    facts = ran_on(monkeypatch, tmp_path, cpu_fallback=True)
    assert (facts.fell_back, facts.details["note"]) == ("", said)


def test_a_provider_that_lacks_operators_is_refused_with_the_option_that_lets_the_processor_help(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A provider of this very build that runs nothing: ONNX Runtime itself refuses, because the processor mustn't help."""
    import onnxruntime

    if "AzureExecutionProvider" not in onnxruntime.get_available_providers():
        pytest.skip("this build has no other provider")
    monkeypatch.setattr(ort_part, "absent", lambda device: None)
    monkeypatch.setitem(ort_part.PROVIDERS, "openvino", "AzureExecutionProvider")
    honest = ort_part._providers
    monkeypatch.setattr(ort_part, "_providers", lambda *given: [one[0] if isinstance(one, tuple) else one for one in honest(*given)])  # fmt: skip
    artefact = _models.mlp_file(tmp_path / "m.onnx")
    with pytest.raises(ModelError) as refused:
        ort_part.open(artefact, Setting("openvino"), ort_part.Options())
    assert "cpu_fallback: true" in refused.value.next_step
    opened = ort_part.open(artefact, Setting("openvino"), ort_part.Options(cpu_fallback=True))
    opened.predict({"features": _models.rows(3, 32)})
    assert "ran on another provider" in opened.facts().details["note"]


# --- JAX ----------------------------------------------------------------------------------------------------------------------


def test_what_xla_compiled_for_a_gpu_is_read() -> None:
    text = """
HloModule jit_f
  %convert.1 = bf16[5,32]{1,0} convert(%x)
  %custom-call.2 = (bf16[5,48]{1,0}, s8[4096]{0}) custom-call(%convert.1, %w), custom_call_target="__cublas$gemm"
  ROOT %custom-call.3 = f32[5,8]{1,0} custom-call(f32[5,8]{1,0} %a, %b), custom_call_target="__cudnn$convForward"
  %custom-call.4 = f32[5,8]{1,0} custom-call(%a), custom_call_target="TopK"
"""
    assert _hlo.heavy(text) == [("__cublas$gemm", "bf16"), ("__cudnn$convForward", "fp32")]


@pytest.mark.parametrize("device", ["cuda", "tpu"])
def test_jax_refuses_a_device_that_it_does_not_find(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, device: str
) -> None:
    assert "here" in (jax_part.absent(device) or "here")
    monkeypatch.setattr(jax_part, "absent", lambda device: None)
    part = catalog.find("runtimes", "jax")
    from seatrial.testing import _jax

    artefact = _jax.mlp(tmp_path).artefact
    with pytest.raises(Unsupported, match=f"JAX finds no {device}"):
        jax_part.open(artefact, Setting(device), catalog.options(part))
