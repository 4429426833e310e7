"""Defences in real runs: each is attacked as it would be deployed, and what it is worth stands beside what it costs.

The rows are those of Tsipras et al. (2019), "Robustness may be at odds with accuracy": one feature that is right 19 times in 20 and
far from 0, and many that each say little but together nearly all. A plain model leans on the many, which a small change of
each turns around; one that is trained against it has only the one.
"""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from test_robust import study as changed_study

import seatrial
from seatrial import catalog
from seatrial.contracts.artefact import Artefact, Lineage, Signature
from seatrial.contracts.dossier import Dossier
from seatrial.contracts.finding import Finding
from seatrial.contracts.verdict import Outcome
from seatrial.flow.promise import promises

torch = pytest.importorskip("torch")

ROWS, MANY, BUDGET = 1500, 20, 0.15
CODE = "import torch\n\n\ndef net():\n    return torch.nn.Sequential(torch.nn.Linear(21, 8), torch.nn.ReLU(), torch.nn.Linear(8, 2))\n"
STUDY = """\
schema: 1
name: defended
models:
  many:
    forms: {{torch: {{module: "net.py:net", weights: net.safetensors}}}}
    task: classification
    inputs: {{x: {{columns: x}}}}
    outputs: {{logits: {{means: logits, classes: [no, yes]}}}}
data:
  evaluation: {{from: {{npz: {{path: rows.npz}}}}, label: label, roles: {{draw: {{train: 0.6, confirm: 0.4}}}}}}
candidates:
{candidates}
reference: {{variant: as_is, eligible: true}}
measure:
  loads: []
  meters: []
  rounds: 1
  metrics: [accuracy]
  security: {security}
reports: [json]
"""


def rows() -> tuple[Any, Any]:
    """Rows and labels; each feature's range is about -4 to 4 but the first's, which is -1 to 1."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, ROWS)
    sign = 2.0 * labels - 1
    sure = np.where(rng.random(ROWS) < 0.95, sign, -sign)
    many = rng.normal(size=(ROWS, MANY)) + 2 / np.sqrt(MANY) * sign[:, None]
    return np.column_stack([sure, many]).astype(np.float32), labels


def plain(x: Any, labels: Any) -> Any:
    """The model as it would be without any defence."""
    torch.manual_seed(0)
    torch.set_num_threads(1)
    module = torch.nn.Sequential(torch.nn.Linear(21, 8), torch.nn.ReLU(), torch.nn.Linear(8, 2))
    optimiser = torch.optim.Adam(module.parameters(), 0.01)
    for _ in range(150):
        optimiser.zero_grad()
        torch.nn.functional.cross_entropy(module(torch.from_numpy(x)), torch.from_numpy(labels)).backward()
        optimiser.step()
    return module


def defended(folder: Path, candidates: str, security: str) -> Path:
    """A study of the plain model and what defends it."""
    from safetensors.torch import save_file

    x, labels = rows()
    (folder / "net.py").write_text(CODE)
    save_file(dict(plain(x, labels).state_dict()), str(folder / "net.safetensors"))
    np.savez(folder / "rows.npz", x=x, label=labels)
    file = folder / "study.yaml"
    file.write_text(STUDY.format(candidates=candidates, security=security))
    return file


def told(dossier: Dossier, what: str, **at: Any) -> dict[str, Finding]:
    """By the variant."""
    names = {one.id: str(one.candidate.variant) for one in dossier.candidates}
    return {names[one.candidate]: one for one in dossier.findings if one.what == what and one.at.items() >= at.items()}


def test_adversarial_training_makes_it_harder_to_fool_by_the_attacks_that_there_are(tmp_path: Path) -> None:
    ways = [f"adversarially_trained: {{linf: {BUDGET}, loss: {loss}, epochs: 12, batch: 64, learning_rate: 0.02}}" for loss in ("madry", "trades")]  # fmt: skip
    candidates = f"  - {{runtime: torch, variant: [as_is, {{{ways[0]}}}, {{{ways[1]}}}], batch: 64}}"
    security = (
        f"{{linf: {BUDGET}, rows: 120, attacks: [{{pgd: {{steps: 10, restarts: 1}}}}, {{square: {{queries: 30}}}}]}}"
    )
    dossier = seatrial.run(defended(tmp_path, candidates, security))
    robust = told(dossier, "attack.accuracy", attack="all", epsilon=BUDGET)
    drop = told(dossier, "attack.accuracy.drop", attack="all", epsilon=BUDGET)
    clean = told(dossier, "accuracy")
    assert len(drop) == 2
    for name, one in drop.items():
        assert one.high < 0, f"{name}: no more robust than the plain model, {one}"
        assert robust[name].value > robust["as_is"].value + 0.3
        assert clean[name].value > 0.85
    assert clean["as_is"].value > 0.93


ROUNDING = """

class Rounding(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = net()

    def forward(self, x):
        return self.inner(torch.round((x + 5) / 10 * 15) / 15 * 10 - 5)


def rounding():
    return Rounding()
"""


def test_a_filter_fools_who_trusts_its_slope_and_not_who_passes_it_through(tmp_path: Path) -> None:
    """The same filter twice: inside the module, whose own slope is 0 everywhere, and as a step before it, which attacks know."""
    from safetensors.torch import save_file

    candidates = (
        "  - {model: many, runtime: torch, variant: as_is, batch: 64}\n"
        "  - {model: many, runtime: onnxruntime, variant: {preprocessing: {bits: 4}}, batch: 64}\n"
        "  - {model: hidden, runtime: torch, variant: as_is, batch: 64}"
    )
    attacks = "[fgsm, {pgd: {steps: 10, restarts: 1}}]"
    security = f"{{linf: 0.08, rows: 100, attacks: {attacks}, columns: {{x: {{range: [-5, 5]}}}}}}"
    file = defended(tmp_path, candidates, security)
    weights = {f"inner.{name}": one for name, one in plain(*rows()).state_dict().items()}
    save_file(weights, str(tmp_path / "hidden.safetensors"))
    (tmp_path / "net.py").write_text(CODE + ROUNDING)
    text = file.read_text()
    start, end = text.index("  many:\n"), text.index("data:\n")
    hidden = (
        text[start:end]
        .replace("many:", "hidden:")
        .replace("net.py:net", "net.py:rounding")
        .replace("net.safe", "hidden.safe")
    )
    text = text[:end] + hidden + text[end:]
    text = text.replace("reference: {variant", "reference: {model: many, runtime: torch, variant")
    file.write_text(text)
    dossier = seatrial.run(file)
    found: dict[tuple[str, str], dict[Any, Any]] = {}
    for one in dossier.candidates:
        key = f"{one.candidate.model} {one.candidate.runtime}", one.candidate.variant.name
        found[key] = {
            (finding.what, *finding.at.values()): finding for finding in dossier.findings if finding.candidate == one.id
        }
    naive = found["hidden torch", "as_is"]
    clean = naive["accuracy",].value
    assert naive["attack.accuracy", "pgd(restarts=1, steps=10)", 0.08, "linf"].value > clean - 0.05, (
        "zero slopes lead nowhere"
    )
    assert naive["attack.flag", "zero_gradient"].value is True
    adaptive = found["many onnxruntime", "preprocessing"]
    assert abs(adaptive["accuracy",].value - clean) < 0.005, "it is the same filter"
    assert adaptive["attack.accuracy", "all", 0.08, "linf"].value < 0.3
    assert adaptive["attack.flag", "masked_gradient"].value is True
    assert adaptive["attack.flag", "zero_gradient"].value is False
    assert found["many torch", "as_is"]["attack.flag", "masked_gradient"].value is False
    entry = next(one for one in dossier.candidates if one.candidate.variant.name == "preprocessing")
    (step,) = dossier.artefacts[entry.artefact].before
    assert (step.name, step.options["low"], step.options["span"]) == ("preprocessing", {"x": [-5.0]}, {"x": [10.0]})


def test_a_vote_is_certified_and_no_attack_gets_within_the_radius(tmp_path: Path) -> None:
    trained = "noise_trained: {sigma: 0.1, epochs: 6, batch: 64}"
    smoothed = "smoothed: {sigma: 0.1, copies: 16, chosen: 30, certified: 200, alpha: 0.001}"
    both = f"{{noise_trained+smoothed: {{{trained}, {smoothed}}}}}"
    candidates = f"  - {{runtime: torch, variant: [as_is, {both}], batch: 64}}"
    security = "{linf: [], l2: [0.04, 0.3], rows: 60, attacks: [{pgd: {steps: 5, restarts: 1}}], columns: {x: {range: [-5, 5]}}}"
    file = defended(tmp_path, candidates, security)
    dossier = seatrial.run(file)
    certified = {at: told(dossier, "certified.accuracy", epsilon=at) for at in (0.04, 0.3)}
    assert [len(one) for one in certified.values()] == [1, 1], "only what votes is certified"
    (near,), (far,) = (one.values() for one in certified.values())
    (name,) = certified[0.04]
    stands = {at: told(dossier, "attack.accuracy", attack="all", epsilon=at)[name].value for at in (0.04, 0.3)}
    assert 0.3 < near.value <= stands[0.04]
    assert far.value <= stands[0.3]
    assert near.low < near.value < near.high
    (radius,), (close,) = (told(dossier, f"certified.{what}").values() for what in ("radius", "abstained"))
    assert 0.02 < radius.value <= 0.1 * 2.5
    assert "200 copies" in radius.note
    assert 0 <= close.value < 0.4
    again = seatrial.run(file)
    assert again.run.measured == 0
    assert {one.key: one.value for one in again.findings if one.what.startswith("certified")} == {one.key: one.value for one in dossier.findings if one.what.startswith("certified")}  # fmt: skip


def test_private_training_says_what_it_promises_and_can_be_required(tmp_path: Path) -> None:
    pytest.importorskip("opacus")
    private = "{private_training: {epsilon: 4, epochs: 6, batch: 100}}"
    candidates = f"  - {{runtime: torch, variant: {private}, batch: 64}}"
    file = defended(tmp_path, candidates, "{}")
    file.write_text(
        file.read_text().replace("  security: {}\n", "").replace("variant: as_is, eligible", "runtime: torch, eligible")
        + "require:\n  - at_most: {what: privacy.epsilon, bound: 4}\n  - at_least: {what: accuracy, bound: 0.8}\n"
    )
    dossier = seatrial.run(file)
    (epsilon,), (delta,) = (told(dossier, f"privacy.{what}").values() for what in ("epsilon", "delta"))
    assert 3 < epsilon.value <= 4
    assert "Renyi" in epsilon.method
    rows_used = int(epsilon.note.split("among ")[1])
    assert delta.value == pytest.approx(1 / (10 * rows_used))
    (passed,) = [one for one in dossier.verdict.candidates if one.outcome is Outcome.PASS]
    assert passed.candidate == epsilon.candidate
    line = dossier.artefacts[next(one.artefact for one in dossier.candidates if one.id == epsilon.candidate)].lineage
    assert line.found["privacy"]["epsilon"] == epsilon.value


def test_a_promise_outlives_what_doesnt_look_at_the_rows_again() -> None:
    told = {"epsilon": 3.9, "delta": 1e-4, "steps": 5, "share": 0.1, "noise": 1.0, "checked": 4.4, "start": "anew"}
    private = Lineage(recipe="private_training", found={"privacy": told, "rows": 900})

    def promised(*lines: Lineage) -> list[Finding]:
        last = lines[-1].model_copy(update={"earlier": lines[:-1]})
        signature = Signature(inputs=(), outputs=())
        artefact = Artefact(format="onnx", files={}, hashes={}, signature=signature, lineage=last)
        voyage: Any = SimpleNamespace(find=catalog.find)
        return list(promises(voyage, artefact, "one"))

    assert [one.value for one in promised(private)] == [3.9, 1e-4]
    assert [one.value for one in promised(private, Lineage(recipe="int8_static"))] == [3.9, 1e-4]
    assert promised(Lineage(recipe="distilled")) == []
    for lines in ((private, Lineage(recipe="narrowed")), (Lineage(recipe="distilled"), private), (private, private.model_copy(update={"seed": 1}))):  # fmt: skip
        (lost,) = promised(*lines)
        assert lost.value is None
        assert "learnt from the rows" in lost.note
    begun = private.model_copy(update={"found": {"privacy": told | {"start": "weights"}, "rows": 900}})
    assert "never saw these rows" in promised(begun)[0].note


def test_rounded_answers_need_no_rows_to_calibrate_with(tmp_path: Path) -> None:
    file = changed_study(tmp_path, "metrics: [accuracy, calibration_error]", "[as_is, {output_rounding: {digits: 1}}]")
    text = file.read_text().replace(", roles: {draw: {calibrate: 0.4, confirm: 0.6}}", ", roles: confirm")
    file.write_text(text)
    dossier = seatrial.run(file)
    accuracy = {name: one.value for name, one in told(dossier, "accuracy").items()}
    assert len(accuracy) == 2
    assert abs(np.subtract(*accuracy.values())) < 0.03, "rows between the two classes tie, and no others change"
    entry = next(one for one in dossier.candidates if "output_rounding" in one.candidate.variant.name)
    (step,) = dossier.artefacts[entry.artefact].after
    assert step.options == {"digits": 1}
