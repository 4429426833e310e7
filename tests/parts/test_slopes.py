"""Gradients of JAX functions and of torch models carried over to JAX: those of torch, and those of finite differences."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from test_carried_over import VALUES, artefact, converted

from seatrial import catalog
from seatrial.contracts.artefact import Artefact
from seatrial.contracts.protocols import Loss, Setting, Slope
from seatrial.errors import ModelError, Unsupported
from seatrial.testing import _jax, _models, runtimes

KINDS = ("cross_entropy", "margin", "dlr", "targeted_dlr", "cotangent")
ROWS = _models.rows(5, 32)
LABELS = np.array([0, 1, 2, 3, 4])


def opened(runtime: str, given: Artefact, **setting: Any) -> Any:
    part = catalog.find("runtimes", runtime)
    return catalog.load(part).open(given, Setting(**setting), catalog.options(part))


def lossy(kind: str, means: str = "logits") -> Loss:
    labels = np.stack([LABELS, LABELS + 3], axis=1) if kind == "targeted_dlr" else LABELS
    return Loss("logits", kind, labels, _models.rows(5, 10, seed=3), means)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def sessions(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """One perceptron: as a torch module, as a JAX function, and as the program that the module was carried over to."""
    folder = tmp_path_factory.mktemp("slopes")
    module = _models.samples("torch", folder)[0]
    assert list(module.values) == ["features"]
    carried = converted("torch_to_jax", module.artefact, folder, module.values)
    found = {
        "torch": opened("torch", module.artefact),
        "jax": opened("jax", _jax.mlp(folder).artefact, batch=5),
        "carried": opened("jax", carried, batch=2),
    }
    yield found
    for session in found.values():
        session.close()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("way", ["jax", "carried"])
def test_slopes_are_those_of_torch(sessions: Any, way: str, kind: str) -> None:
    """Losses, answers and gradients; the program carried over answers two rows at a time, the last one filled up."""
    values = {"features": ROWS}
    right, got = (sessions[name].gradient(values, lossy(kind)) for name in ("torch", way))
    assert got.loss == pytest.approx(right.loss, rel=1e-4, abs=1e-4)
    assert got.answers["logits"] == pytest.approx(right.answers["logits"], abs=1e-4)
    assert got.gradient["features"].dtype == np.float32
    assert got.gradient["features"] == pytest.approx(right.gradient["features"], rel=1e-3, abs=1e-4)


def test_probabilities_are_taken_by_their_logarithm(sessions: Any) -> None:
    values = {"features": np.abs(ROWS)}
    for kind in ("cross_entropy", "margin"):
        right, got = (sessions[name].gradient(values, lossy(kind, "probabilities")) for name in ("torch", "jax"))
        assert got.loss == pytest.approx(right.loss, rel=1e-4, abs=1e-4)
        assert got.gradient["features"] == pytest.approx(right.gradient["features"], rel=1e-3, abs=1e-3)


@pytest.mark.parametrize("kind", KINDS)
def test_slopes_are_those_of_finite_differences(sessions: Any, kind: str) -> None:
    session, loss = sessions["jax"], lossy(kind)
    along, step = _models.rows(5, 32, seed=9), np.float32(2e-3)
    slope = session.gradient({"features": ROWS}, loss).gradient["features"]
    ends = [session.gradient({"features": ROWS + sign * step * along}, loss).loss for sign in (1, -1)]
    assert (slope * along).sum(1) == pytest.approx((ends[0] - ends[1]) / (2 * step), rel=0.02, abs=2e-3)


def test_slopes_by_floats_alone_among_several_inputs(tmp_path: Path) -> None:
    given, _ = artefact(tmp_path, "Mixed", ("numbers", "kinds"), ("scores", "flags"))
    loss = Loss("scores", labels=np.array([0, 1, 2, 0]))
    right = opened("torch", given).gradient(VALUES, loss)
    got = opened("jax", converted("torch_to_jax", given, tmp_path, VALUES), batch=4).gradient(VALUES, loss)
    assert list(got.gradient) == ["numbers"]
    assert got.gradient["numbers"] == pytest.approx(right.gradient["numbers"], abs=1e-5)
    assert list(got.answers) == ["scores", "flags"]


def test_slopes_in_bf16_point_where_those_in_fp32_do(tmp_path: Path) -> None:
    sample = _models.samples("torch", tmp_path)[0]
    carried = converted("torch_to_jax", sample.artefact, tmp_path, sample.values)
    for given in (_jax.mlp(tmp_path).artefact, carried):
        exact, low = (opened("jax", given, precision=kind).gradient({"features": ROWS}, lossy("cross_entropy")) for kind in ("fp32", "bf16"))  # fmt: skip
        ours, theirs = low.gradient["features"].ravel(), exact.gradient["features"].ravel()
        assert ours.dtype == np.float32
        assert ours @ theirs > 0.99 * np.linalg.norm(ours) * np.linalg.norm(theirs)
        assert not np.array_equal(ours, theirs)


def test_what_does_not_fit_is_refused(tmp_path: Path, sessions: Any) -> None:
    session, values = sessions["jax"], {"features": ROWS[:2]}
    wrong = (
        (Loss("logits"), "needs labels"),
        (Loss("logits", "cotangent"), "needs a cotangent"),
        (Loss("none", labels=np.array([0, 1])), "no output `none`, only logits"),
        (Loss("logits", labels=np.array([0, 10])), "labels are 0 to 9"),
        (Loss("logits", "cotangent", cotangent=np.ones((2, 9), np.float32)), r"shape \(5, 9\), the output \(5, 10\)"),
    )
    for loss, words in wrong:
        with pytest.raises(ModelError, match=words):
            session.gradient(values, loss)
    with pytest.raises(ModelError, match="takes the inputs features"):
        session.gradient({"other": ROWS}, lossy("margin"))
    closed = opened("jax", _jax.mlp(tmp_path).artefact)
    closed.close()
    with pytest.raises(ModelError, match="closed"):
        closed.gradient({"features": ROWS}, lossy("margin"))


def test_a_program_without_its_gradient_and_a_model_without_floats_say_so(tmp_path: Path) -> None:
    import jax
    from safetensors.numpy import save_file

    program = jax.export.export(jax.jit(lambda weights, inputs: (inputs[0] @ weights[0],)))(
        [jax.ShapeDtypeStruct((32, 10), "float32")], (jax.ShapeDtypeStruct((5, 32), "float32"),)
    )
    (tmp_path / "model.stablehlo").write_bytes(bytes(program.serialize()))
    save_file({"0": _models.rows(32, 10)}, tmp_path / "weights.safetensors")
    sample = _jax.mlp(tmp_path).artefact
    files = {"model": tmp_path / "model.stablehlo", "weights": tmp_path / "weights.safetensors"}
    signature = sample.signature.model_copy(update={"fixed_batch": 5})
    given = sample.model_copy(update={"entry": "export", "signature": signature, "files": {role: str(file) for role, file in files.items()}, "hashes": {role: _models.sha256(file) for role, file in files.items()}})  # fmt: skip
    session = opened("jax", given)
    assert session.predict({"features": ROWS})["logits"].shape == (5, 10)
    with pytest.raises(Unsupported, match="written without its gradient"):
        session.gradient({"features": ROWS}, lossy("margin"))
    part = catalog.find("conversions", "torch_to_jax")
    shown = SimpleNamespace(fixed=5, examples=(torch.from_numpy(ROWS),))
    endless = catalog.load(part)._written([], lambda _, inputs: (jax.lax.while_loop(lambda x: x.sum() < 9, lambda x: x + 1, inputs[0]),), shown, catalog.options(part), "float32")  # fmt: skip
    assert not jax.export.deserialize(bytearray(endless)).has_vjp()
    whole = opened("jax", _jax.mlp(tmp_path).artefact)
    with pytest.raises(Unsupported, match="no input is a float"):
        whole.gradient({"features": ROWS.astype(np.int32)}, lossy("margin"))


@pytest.mark.parametrize("fault", ["sign", "one input left out", "a row of another's", ""])
def test_the_exam_finds_planted_faults(tmp_path: Path, fault: str) -> None:
    sample = _jax.mlp(tmp_path)
    honest = opened("jax", sample.artefact)

    class Broken:
        def gradient(self, values: Any, loss: Loss) -> Slope:
            slope = honest.gradient(values, loss)
            if fault == "sign":
                return replace(slope, gradient={name: -one for name, one in slope.gradient.items()})
            if fault == "a row of another's":
                return replace(slope, gradient={name: np.roll(one, 1, axis=0) for name, one in slope.gradient.items()})
            return replace(slope, gradient={}) if fault else slope

    def examined() -> None:
        runtimes.check_gradient("here", Broken(), sample, Setting())

    if not fault:
        examined()
        return
    with pytest.raises(AssertionError, match="gradients by" if fault == "one input left out" else "otherwise than the gradient says"):  # fmt: skip
        examined()
