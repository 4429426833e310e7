"""What poisoned rows would do to training: from each seed a clean model and, for each poison and share, its poisoned twin.

Twins share the seed, so the same beginnings and the same order of rows; what is compared is the difference within a seed. A training is
the unit that is kept.

poisoning.accuracy       {share: 0}      of the clean models
poisoning.accuracy.drop  {kind, share}   by how much less accurate the poisoned twins are
poisoning.success        {kind, share}   how often a trigger gets the wanted answer; share 0: of the clean models
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from seatrial import catalog
from seatrial.contracts.candidate import PartRef
from seatrial.contracts.finding import Finding, State, missing
from seatrial.contracts.messages import ArrayRef
from seatrial.contracts.poisoning import Twins
from seatrial.contracts.record import digest
from seatrial.contracts.study import Study, classes_of
from seatrial.contracts.training import ASIDE, RIGHT, Learning, Way, Ways
from seatrial.errors import DataError, SeatrialError, Unsupported, WorkerError
from seatrial.flow import arrays
from seatrial.flow._bounded import bounded
from seatrial.flow.gang import Gang
from seatrial.flow.keep import TRAINING
from seatrial.flow.reach import reach
from seatrial.flow.training import handed_rows, prepared
from seatrial.flow.training_through import last
from seatrial.flow.trial import Voyage, now
from seatrial.numerics.interval import Interval
from seatrial.numerics.means import mean

ACCURACY, DROP, SUCCESS, RUN = "poisoning.accuracy", "poisoning.accuracy.drop", "poisoning.success", "poisoning.run"


class Twin(NamedTuple):
    """One poison at one share; share 0 is the clean model, with the trigger shown to it where there is one."""

    ref: PartRef
    version: int
    share: float

    @property
    def at(self) -> dict[str, Any]:
        """How findings name it."""
        return {"kind": str(self.ref), "share": self.share}


Told = Mapping[tuple[str, float], Mapping[int, Mapping[str, float]]]
"""By poison and share, by seed: each measure as it was told last."""


def measure_twins(voyage: Voyage, fresh: bool = False) -> None:
    """Train what isn't kept yet and state what came of it; nothing where the study asks for none."""
    study = voyage.plan.study
    asked = study.measure.poisoning.twins if study.measure.poisoning else None
    if asked is None:
        return
    try:
        model = _model(study, asked)
        twins = _twins(asked, voyage.folder)
    except SeatrialError as error:
        voyage.findings.append(missing(DROP, State.UNSUPPORTED, error.what, better="lower", measured_at=now()))
        return
    handed, why = handed_rows(voyage, model)
    way = Way(trainer=asked.trainer, batch=asked.batch, threads=asked.threads)
    learning = Learning(model=model, ways=(Ways(trainer=(asked.trainer,)),), seeds=asked.seeds, epochs=asked.epochs)
    trained = prepared(voyage, learning, way, handed, why)
    if trained.failure is not None:
        voyage.findings.append(trained.failure.model_copy(update={"what": RUN}))
        return
    poison = {"classes": len(classes_of(study.models[model].outputs))} | _reached(voyage, model, handed)
    told = dict[tuple[str, float], dict[int, Mapping[str, float]]]()
    first = study.measure.seed
    for seed in range(first, first + asked.seeds):
        for number, twin in enumerate(twins):
            note = f"{twin.ref}, share {twin.share:g}, seed {seed}"
            settings = poison | {"name": twin.ref.name, "options": twin.ref.options, "share": twin.share}
            key = f"{trained.through_key}/poison/{digest([settings, twin.version])}/seed/{seed}"
            body = None if fresh else voyage.keeper.get(TRAINING, key)
            if body is None and not voyage.out_of_time():
                voyage.tell("round", str(asked.trainer), number, len(twins), note)
                body = _trained(voyage, way, asked, handed, settings, seed, twin)
                if body is not None:
                    voyage.keeper.put((TRAINING, key, body))
                    voyage.measured += 1
            else:
                voyage.reused += body is not None
            if body is not None:
                told.setdefault((str(twin.ref), twin.share), {})[seed] = last(body)
    voyage.findings.extend(_stated(told, twins, asked, voyage.plan.levels.describe))


def _model(study: Study, asked: Twins) -> str:
    """The model that is trained. Raises `DataError` where that isn't clear."""
    where = "measure.poisoning.twins.model"
    if asked.model is None and len(study.models) > 1:
        raise DataError("the study has several models; say which is trained", where=where)
    name = asked.model or next(iter(study.models))
    if name not in study.models:
        raise DataError(f"the study has no model `{name}`", where=where)
    if not classes_of(study.models[name].outputs):
        raise DataError(f"`{name}` has no classes, and poison is told as right and wrong classes", where=where)
    return name


def _twins(asked: Twins, folder: Path) -> tuple[Twin, ...]:
    """The clean model first, shown a trigger where any poison has one. Raises for parts that can't be used."""
    infos = [catalog.find("poisoning", ref.name, folder) for ref in asked.poisons]
    for ref, info in zip(asked.poisons, infos, strict=True):
        catalog.require(info)
        catalog.options(info, ref.options)
        if "poison" not in info.gives.get("way", ()):
            raise DataError(f"`{ref}` poisons nothing", where="measure.poisoning.twins.poisons")
    known = list(zip(asked.poisons, infos, strict=True))
    clean = next((one for one in known if "trigger" in one[1].gives), known[0])
    poisoned = [Twin(ref, info.version, share) for ref, info in known for share in sorted(asked.shares)]
    return Twin(clean[0], clean[1].version, 0.0), *poisoned


def _reached(voyage: Voyage, model: str, handed: Mapping[str, Any]) -> dict[str, Any]:
    """The range of a picture's pixels, where the model takes pictures."""
    refs = {name: ArrayRef(**one["$array"]) for name, one in handed["judge_inputs"].items()}
    study = voyage.plan.study
    try:
        found = reach(study, voyage.folder, study.models[model], refs)
    except Unsupported:
        return {}
    return {"reach": arrays.pack(found, voyage.keeper.arrays)} if found["axes"] else {}


def _trained(
    voyage: Voyage, way: Way, asked: Twins, handed: Mapping[str, Any], poison: Mapping[str, Any], seed: int, twin: Twin
) -> dict[str, Any] | None:
    """One training; None, with the reason as a finding, where it failed."""
    gang = None
    try:
        gang = Gang(voyage, way, f"{twin.ref} {twin.share:g} seed {seed}", handed, seed)
        return gang.ask({"do": "through", "epochs": asked.epochs, "poison": dict(poison)}, asked.limit) | {"at": now()}
    except WorkerError as error:
        at = twin.at | {"seed": seed}
        voyage.findings.append(missing(RUN, State(error.state), error.what, at=at, method=error.next_step))
        return None
    finally:
        if gang is not None:
            gang.close()


# --- what is stated ---------------------------------------------------------------------------------------------------------


def _stated(told: Told, twins: Sequence[Twin], asked: Twins, level: float) -> Iterator[Finding]:
    clean = told.get((str(twins[0].ref), 0.0), {})
    right = {seed: one[RIGHT] for seed, one in clean.items() if RIGHT in one}
    if not right:
        why = "no clean model was trained to its end, or the trainer doesn't tell how many are right"
        yield missing(DROP, State.UNSUPPORTED, why, better="lower", measured_at=now())
        return
    how = f"after {asked.epochs} passes, on the rows that judge"
    yield _over(ACCURACY, [*right.values()], {"share": 0.0}, level, "higher", how)
    for twin in twins:
        mine = told.get((str(twin.ref), twin.share), {})
        lost = [right[seed] - one[RIGHT] for seed, one in mine.items() if seed in right and RIGHT in one]
        if lost and twin.share:
            yield _over(DROP, lost, twin.at, level, "lower", f"clean less poisoned, the same seeds in pairs; {how}")
        fell = [one[ASIDE + RIGHT] for one in mine.values() if ASIDE + RIGHT in one]
        if fell:
            found = _over(SUCCESS, fell, twin.at, level, "lower", f"rows of other classes that judge, with the trigger; after {asked.epochs} passes")  # fmt: skip
            yield found.model_copy(update={"low": _inside(found.low), "high": _inside(found.high)})


def _inside(bound: float | None) -> float | None:
    return None if bound is None else float(np.clip(bound, 0, 1))


def _over(what: str, values: Sequence[float], at: dict[str, Any], level: float, better: Any, how: str) -> Finding:
    interval: Interval = mean(values, level)
    method = f"{interval.method}; {how}"
    return bounded(what, interval, len(values), better, "seeds", at=at, method=method, measured_at=now())
