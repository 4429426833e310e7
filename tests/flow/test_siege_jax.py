"""A JAX candidate under attack lends its own slopes, and falls where a file of the same model in another runtime does."""

from __future__ import annotations

from pathlib import Path

import pytest
from test_robust import study
from test_siege import told

import seatrial
from seatrial.contracts.finding import State

SECURITY = "security: {linf: [0.02, 0.1], rows: 60, attacks: [fgsm, {pgd: {steps: 5, restarts: 1}}, {apgd: {steps: 5, restarts: 1}}, transferred]}"  # fmt: skip
CODE = """
import jax.numpy as jnp

def linear(x):
    return {"logits": x @ jnp.array([[-1.2, 1.2], [0.7, -0.7], [0.2, -0.2], [0.0, 0.0]])}
"""


def test_a_jax_candidate_is_attacked_by_its_own_slopes(tmp_path: Path) -> None:
    file = study(tmp_path, f"metrics: [accuracy], {SECURITY}")
    (tmp_path / "linear.py").write_text(CODE)
    text = file.read_text().replace("forms: {onnx: {path: linear.onnx}}", "forms: {onnx: {path: linear.onnx}, jax: {function: 'linear.py:linear'}}")  # fmt: skip
    file.write_text(text.replace("{runtime: onnxruntime, variant: [as_is]", "{runtime: [onnxruntime, jax], variant: [as_is]"))  # fmt: skip
    dossier = seatrial.run(file)
    assert [one.label for one in dossier.candidates if "jax" in one.label]
    for attack in ("fgsm", "pgd(restarts=1, steps=5)", "apgd(restarts=1, steps=5)", "transferred", "all"):
        for epsilon in (0.02, 0.1):
            found = told(dossier, "attack.accuracy", attack=attack, epsilon=epsilon)
            jax, other = (next(one for label, one in found.items() if ("jax" in label) is mine) for mine in (True, False))  # fmt: skip
            assert jax.state is State.OK, f"{attack}: {jax.note}"
            assert jax.value == pytest.approx(other.value, abs=1 / 60), attack
            assert jax.value < 1
    flags = [one for one in dossier.findings if one.what == "attack.flag" and "jax" in str(one.candidate)]
    assert flags
    assert not [one.at["flag"] for one in flags if one.value]
