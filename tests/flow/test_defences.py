"""Defences in real runs: each is attacked as it would be deployed, and what it is worth stands beside what it costs.

The rows are those of Tsipras et al. (2019), "Robustness may be at odds with accuracy": one feature that is right 19 times in 20 and
far from 0, and many that each say little but together nearly all. A plain model leans on the many, which a small change of
each turns around; one that is trained against it has only the one.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import seatrial
from seatrial.contracts.dossier import Dossier
from seatrial.contracts.finding import Finding

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
    security = f"{{linf: {BUDGET}, rows: 120, attacks: [fgsm, {{pgd: {{steps: 10, restarts: 1}}}}, {{square: {{queries: 60}}}}]}}"
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
