"""Shadows: models of the recipe that the study states, each trained on half of the rows that are asked about. Kept, as they cost the most."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from seatrial import catalog
from seatrial.contracts.finding import Finding, State, missing
from seatrial.contracts.messages import Order
from seatrial.contracts.privacy import Shadows
from seatrial.contracts.record import digest
from seatrial.errors import SeatrialError, WorkerError
from seatrial.flow import arrays
from seatrial.flow.keep import SHADOWS
from seatrial.flow.privacy_rows import Exposure
from seatrial.flow.trial import Voyage, now


@dataclass(frozen=True)
class Trained:
    """Shadows' answers as the store keeps them, or why there are none."""

    body: dict[str, Any] | None
    key: str = ""
    state: State = State.UNSUPPORTED
    why: str = ""

    def shadows(self, inside: Any) -> Shadows:
        """The shadows, read."""
        assert self.body is not None
        return Shadows(arrays.unpack(self.body["scores"]), inside)


def shadows(voyage: Voyage, model: str, found: Exposure, fresh: bool) -> Trained:
    """Shadows of this model from the store, or trained now."""
    asked = voyage.plan.study.measure.privacy
    assert asked is not None
    if asked.trainer is None:
        return Trained(None, why="the study doesn't say how the model is trained (`measure.privacy.trainer`), so there are no shadows")  # fmt: skip
    info = voyage.find("trainers", asked.trainer.name)
    if "several" not in info.gives.get("models", ()):
        return Trained(None, why=f"{info.name} trains no models that could be asked, so there are no shadows")
    try:
        catalog.require(info)
        read = catalog.load(info).files(catalog.options(info, asked.trainer.options), voyage.folder)
    except SeatrialError as error:
        return Trained(None, state=State.FAILED, why=error.what)
    versions = {package: voyage.version(package) for package in info.needs}
    seed = voyage.plan.study.measure.seed
    how = {"epochs": asked.epochs, "batch": min(asked.batch, int(found.inside[0].sum())), "threads": asked.threads}
    key = digest([found.key(), str(asked.trainer), info.version, sorted(read.values()), versions, how, seed])
    kept = None if fresh else voyage.keeper.get(SHADOWS, key)
    if kept is not None:
        voyage.reused += 1
        return Trained(kept, key)
    voyage.tell("privacy", model, note=f"training {asked.shadows} shadows")
    packed = {name: {"$array": ref.model_dump()} for name, ref in found.inputs.items()}
    rows = arrays.pack({"labels": found.labels, "inside": found.inside}, voyage.keeper.arrays)
    order = Order(
        order="shadows",
        part=asked.trainer,
        base=str(voyage.folder),
        folder=str(voyage.keeper.arrays),
        seed=seed,
        settings=how,
        train={"inputs": packed, **rows},
    )
    link = voyage.start(f"shadows {model}")
    try:
        answer = link.ask(order, voyage.plan.study.measure.limits.attack)
    except WorkerError as error:
        return Trained(None, state=State(error.state), why=f"shadows could not be trained: {error.what}")
    finally:
        link.close()
    body = {name: answer[name] for name in ("scores", "together", "why")}
    voyage.keeper.put((SHADOWS, key, body))
    voyage.measured += 1
    return Trained(body, key)


def told(model: str, found: Exposure, trained: Trained) -> Finding:
    """How many shadows there are, how they were trained, and how right they are on rows that they learnt from and on others."""
    if trained.body is None:
        return missing("privacy.shadows", trained.state, trained.why, at={"model": model}, measured_at=now())
    one = trained.shadows(found.inside)
    right = one.scores.argmax(axis=2) == found.labels
    how = "in one pass" if trained.body["together"] else f"one after another ({trained.body['why']})"
    learnt, others = (100 * float(np.mean(right[mask])) for mask in (one.inside, ~one.inside))
    rest = f"; the model learnt from {found.rest} rows more" if found.rest else ""
    note = f"trained {how}, each on {int(one.inside[0].sum())} rows{rest}; right on {learnt:.1f} % of the rows that they learnt from and {others:.1f} % of the others"  # fmt: skip
    return Finding(
        what="privacy.shadows",
        at={"model": model},
        value=len(one.inside),
        unit="models",
        note=note,
        method="exact count",
        measured_at=now(),
    )
