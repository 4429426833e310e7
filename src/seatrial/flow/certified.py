"""What no change within a distance can move, of candidates that answer by vote over noisy copies: proved, not tried.

certified.accuracy     {norm, epsilon}   share of the rows that are right, and certified to stay so within the budget
certified.radius       {norm}            the median distance within which a row's right answer is certified; 0 of a row without
certified.abstained                      share of the rows whose vote is too close to certify anything

A radius is wrong with a probability of at most `alpha` a row (Cohen, Rosenfeld & Kolter 2019); distances are in shares of each feature's
range, as budgets of attacks are. Rows, noise and answers are those of the very session that is deployed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seatrial.contracts.artefact import Step
from seatrial.contracts.finding import Finding, State, missing
from seatrial.errors import WorkerError
from seatrial.flow import arrays
from seatrial.flow._bounded import bounded
from seatrial.flow._sampling import Sampling
from seatrial.flow.besieged import Siege
from seatrial.flow.crew import session_order
from seatrial.flow.keep import ATTACKED
from seatrial.flow.trial import Trial, Voyage, asks_a_server
from seatrial.numerics.interval import Interval
from seatrial.numerics.percentiles import median_interval
from seatrial.numerics.proportions import proportion
from seatrial.numerics.replicates import share_by_group
from seatrial.numerics.smoothing import radius

CERTIFICATE = "certificate"
ACCURACY, RADIUS, ABSTAINED = "certified.accuracy", "certified.radius", "certified.abstained"
Array = NDArray[Any]


def certify(voyage: Voyage, trial: Trial, siege: Siege, fresh: bool) -> None:
    """Count votes on the attacked rows where the candidate's answers come with a certificate, unless they are kept."""
    step = _voting(voyage, trial)
    if step is None or siege.why:
        return
    key = f"{trial.kept_prediction}/{siege.key(CERTIFICATE, voyage.plan.study.measure.seed)}"
    kept = None if fresh else voyage.keeper.get(ATTACKED, key)
    if kept is None:
        voyage.tell("attack", trial.planned.label, 0, 1, CERTIFICATE)
        kept = _counted(voyage, trial, siege, step)
        voyage.measured += "failed" not in kept
        if "failed" not in kept:
            voyage.keeper.put((ATTACKED, key, kept))
    else:
        voyage.reused += 1
    trial.attacked[CERTIFICATE] = kept


def _voting(voyage: Voyage, trial: Trial) -> Step | None:
    """The step that answers by vote; None where there is none, or where another stands before it."""
    first = trial.artefact.before[:1]
    return next((one for one in first if "certificate" in voyage.find("variants", one.name).gives), None)


def _counted(voyage: Voyage, trial: Trial, siege: Siege, step: Step) -> dict[str, Any]:
    """The votes, from a fresh worker; or why there are none."""
    study, candidate = voyage.plan.study, trial.planned.candidate
    link = voyage.start(f"certify {candidate.id}", network=asks_a_server(trial.runtime))
    try:
        setting = {name: getattr(candidate, name) for name in ("device", "precision", "threads", "batch")}
        fields: dict[str, Any] = {"part": candidate.runtime, "artefact": trial.artefact, "setting": setting}
        link.ask(session_order(voyage, trial, "open", **fields), study.measure.limits.open)
        settings = {name: step.options[name] for name in ("chosen", "certified")}
        order = session_order(voyage, trial, "certify", settings=settings, seed=study.measure.seed)
        answer = link.ask(order.model_copy(update={"values": dict(siege.values)}), study.measure.limits.attack)
    except WorkerError as error:
        return {"failed": error.what, "state": error.state}
    finally:
        link.close()
    how = {name: step.options[name] for name in ("sigma", "alpha", "certified")}
    return {"counted": answer["counted"]} | how


def certified_findings(trial: Trial, siege: Siege, sampling: Sampling, level: float) -> Iterator[Finding]:
    """What is proved of a candidate, at this level; nothing where it doesn't vote."""
    body = trial.attacked.get(CERTIFICATE)
    if body is None:
        return
    if "counted" not in body:
        yield missing(ACCURACY, State(body["state"]), str(body["failed"]), better="higher")
        return
    radii, right, how = _radii(body, siege.labels)
    proved = np.where(right, np.nan_to_num(radii, nan=0.0), 0.0)
    for budget in siege.budgets["l2"]:
        found = share(proved > budget, siege.rows, sampling, level)
        yield bounded(ACCURACY, found, len(proved), "higher", at={"norm": "l2", "epsilon": budget}, note=how)
    middle = median_interval(proved, level)
    if not sampling.plain:
        middle = middle._replace(low=None, high=None, method="median of rows that count alike; no bounds, as rows are weighted or come in clusters")  # fmt: skip
    yield bounded(RADIUS, middle, len(proved), "higher", at={"norm": "l2"}, note=how)
    yield bounded(ABSTAINED, share(np.isnan(radii), siege.rows, sampling, level), len(proved), "lower", note=how)


def _radii(body: Mapping[str, Any], labels: Array) -> tuple[Array, Array, str]:
    """The radius of each row (NaN: too close), whether its class is the label, and how it was got in words."""
    counted = arrays.unpack(body["counted"])
    top = counted["chosen"].argmax(axis=1)
    hits = counted["certified"][np.arange(len(top)), top]
    radii = radius(hits, int(body["certified"]), float(body["sigma"]), float(body["alpha"]))
    how = f"from {body['certified']} copies a row, noise of {body['sigma']:g} of each range; a row's radius is wrong at most {body['alpha']:.2%} of the time"  # fmt: skip
    return radii, top == labels, how


def share(flags: NDArray[np.bool_], rows: NDArray[np.int64], sampling: Sampling, level: float) -> Interval:
    """The share of these rows with its interval, by how they were drawn."""
    if sampling.plain:
        return proportion(int(flags.sum()), len(flags), level)
    return share_by_group(flags, *sampling.of(rows), level)
