"""The sample dossier with training: ways to train, of which one waits for data and one could not be compiled. The numbers are made up."""

from __future__ import annotations

from typing import Any

from seatrial.contracts.dossier import Dossier
from seatrial.contracts.finding import Finding, Origin, State, missing

TARGET = "accuracy ≥ 0.9"
REFERENCE = "fp32 b128"


def with_training(dossier: Dossier) -> Dossier:
    """The same with what was found of four ways to train."""
    found = [
        *_way(REFERENCE, 0.112, 0.02, 180.0, 1.0),
        *_way("bf16 b128", 0.046, 0.03, 75.0, 2.43),
        *_way("bf16 b512", 0.175, 0.41, 110.0, 2.56),
        missing(
            "training.run",
            State.UNSUPPORTED,
            "torch.compile on a CPU needs a C++ compiler",
            at={"way": "bf16 compiled b128"},
        ),
        missing(
            "training.run", State.FAILED, "`loss` became nan at step 412 (seed 3)", at={"way": "bf16 b512", "seed": 3}
        ),
        _one(
            "training.batch_effect",
            "bf16 b512",
            0.011,
            0.004,
            against="bf16 b128",
            at={"measure": "accuracy"},
            better="lower",
        ),
        _one("training.scaling_efficiency", "bf16 b128", 0.81, 0.03, at={"workers": 2}, better="higher"),
    ]
    return dossier.model_copy(update={"findings": (*dossier.findings, *found)})


def _way(way: str, step: float, waits: float, time: float, speed: float) -> list[Finding]:
    batch = float(way.rpartition("b")[2])
    target: dict[str, Any] = {"at": {"target": TARGET}}
    found = [
        _one("training.step.p50", way, step, step / 20, unit="s", better="lower"),
        _one("training.throughput", way, batch / step, 5.0, unit="samples/s", better="higher"),
        _one("training.first_step", way, 3 * step, step, unit="s", better="lower"),
        _one("training.starved", way, waits, waits / 5, better="lower"),
        _one("training.quality", way, 0.91, 0.004, at={"measure": "accuracy"}, better="higher"),
        _one("training.reached", way, 1.0 if waits < 0.1 else 0.8, 0.0, better="higher", **target),
        _one("training.time_to_target", way, time, time / 10, unit="s", better="lower", **target),
        _one("training.money_to_target", way, time / 1800, time / 18000, unit="USD", origin=Origin.DECLARED, **target),
    ]
    if way != REFERENCE:
        found.append(_one("training.speedup", way, speed, 0.1, unit="x", against=REFERENCE, better="higher"))
    return found


def _one(what: str, way: str, value: float, half: float, **more: Any) -> Finding:
    at = {"way": way} | more.pop("at", {})
    given: dict[str, Any] = {"n": 5, "unit_of_replication": "rounds", "method": "made up"} | more
    return Finding(what=what, at=at, value=value, low=value - half, high=value + half, level=0.95, **given)
