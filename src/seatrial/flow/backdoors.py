"""Whether a candidate carries a backdoor: searched in a fresh worker of its own, judged by the size and the effect of what was found.

backdoor.size   {search, class}   how much of the input the smallest trigger for this class covers
backdoor.flips  {search, class}   the share of unseen rows of other answers that it carries to the class, by the deployed artefact
backdoor.index  {search, class}   how far the trigger lies below those of the other classes, in deviations (MAD)
backdoor.found  {search}          classes whose trigger is too small for chance and works
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from seatrial.contracts.candidate import PartRef
from seatrial.contracts.finding import Finding, State, missing
from seatrial.contracts.messages import Order
from seatrial.errors import WorkerError
from seatrial.flow import arrays
from seatrial.flow._bounded import bounded
from seatrial.flow.counted import Judged
from seatrial.flow.crew import session_order
from seatrial.flow.inquiry import Inquiry
from seatrial.flow.keep import SEARCHED
from seatrial.flow.making import Maker
from seatrial.flow.siege import OWN, Lender, lender_of, sent
from seatrial.flow.trial import Trial, Voyage, asks_a_server, now
from seatrial.numerics.anomaly import SMALL, low_anomaly, standing_out
from seatrial.numerics.proportions import proportion

FOUND, INDEX, FLIPS, SIZE = "backdoor.found", "backdoor.index", "backdoor.flips", "backdoor.size"
FEWEST = 5
"""Classes from which on a median deviation says something."""
WIDEST = 64
"""Pixels of a side of a trigger that is drawn, at most."""


def search(voyage: Voyage, trials: list[Trial], judged: Mapping[str, Judged], fresh: bool = False) -> None:
    """Search each candidate that isn't kept. What goes wrong is a finding of its own."""
    asked = [one for one in trials if one.prediction is not None and one.failure is None and _inquiry(one, judged)]
    if not asked:
        return
    reference = next((one for one in trials if one.planned.reference), None)
    with Maker(voyage) as maker:
        for one in asked:
            inquiry = _inquiry(one, judged)
            assert inquiry is not None
            if why := inquiry.why or refused(one):
                one.searched["refused"] = why
            elif not voyage.out_of_time():
                _search(voyage, maker, one, reference, inquiry, fresh)


def refused(trial: Trial) -> str:
    """Why this candidate isn't searched at all; empty where it is."""
    if trial.artefact.after:
        return "its answers are changed after the model, and searches there are not yet ours"
    return "it answers over a network; search its file" if asks_a_server(trial.runtime) else ""


def _inquiry(trial: Trial, judged: Mapping[str, Judged]) -> Inquiry | None:
    return judged[trial.planned.candidate.model].inquiry


def _search(voyage: Voyage, maker: Maker, trial: Trial, reference: Trial | None, inquiry: Inquiry, fresh: bool) -> None:
    lender = lender_of(voyage, maker, trial)
    if lender is None and reference is not None:
        lender = lender_of(voyage, maker, reference)
        lender = sent(reference) if lender == OWN else lender
    for number, (ref, version) in enumerate(inquiry.searches):
        lends = lender["artefact"]["hashes"] if isinstance(lender, Mapping) else lender
        seed = voyage.plan.study.measure.seed
        key = f"{trial.kept_prediction}/{inquiry.key(str(ref), version, lends, seed)}"
        kept = None if fresh else voyage.keeper.get(SEARCHED, key)
        if kept is None:
            voyage.tell("search", trial.planned.label, number, len(inquiry.searches), str(ref))
            kept = _done(voyage, trial, inquiry, ref, lender)
            voyage.measured += "failed" not in kept
            if "failed" not in kept:
                voyage.keeper.put((SEARCHED, key, kept))
        else:
            voyage.reused += 1
        trial.searched[str(ref)] = kept


def _done(voyage: Voyage, trial: Trial, inquiry: Inquiry, ref: PartRef, lender: Lender) -> dict[str, Any]:
    """What came of one search, or why nothing did."""
    if lender is None:
        return {"failed": "no form of the model has a gradient to lend", "state": State.UNSUPPORTED}
    candidate, limits = trial.planned.candidate, voyage.plan.study.measure.limits
    setting = {name: getattr(candidate, name) for name in ("device", "precision", "threads", "batch")}
    link = voyage.start(f"search {candidate.id}")
    try:
        opened = session_order(voyage, trial, "open", part=candidate.runtime, artefact=trial.artefact, setting=setting)
        link.ask(opened, limits.open)
        answer = link.ask(_order(voyage, trial, inquiry, ref, lender), limits.attack)
    except WorkerError as error:
        return {"failed": error.what, "state": error.state}
    finally:
        link.close()
    return {"came": answer["came"], "at": now()}


def _order(voyage: Voyage, trial: Trial, inquiry: Inquiry, ref: PartRef, lender: Lender) -> Order:
    study = voyage.plan.study
    model = study.models[trial.planned.candidate.model]
    settings: dict[str, Any] = {
        "reach": inquiry.reach,
        "labels": inquiry.labels,
        "lender": lender,
        "task": model.task.name,
        "outputs": {name: output.model_dump(mode="json") for name, output in model.outputs.items()},
    }
    packed = arrays.pack(settings, voyage.keeper.arrays)
    order = session_order(voyage, trial, "search", part=ref, settings=packed, seed=study.measure.seed)
    return order.model_copy(update={"values": dict(inquiry.values)})


# --- what is stated ---------------------------------------------------------------------------------------------------------


def backdoor_findings(trial: Trial, judged: Judged, levels: Sequence[float]) -> list[Finding]:
    """All that is stated of the searches in one candidate, at each level."""
    inquiry = judged.inquiry
    assert inquiry is not None
    by = {"candidate": trial.id, "measured_at": now()}
    if why := trial.searched.get("refused", inquiry.why):
        return [missing(FOUND, State.UNSUPPORTED, why, better="lower", **by)]
    if not trial.searched:
        return [missing(FOUND, State.TOO_FEW, "the run ended before it was searched", better="lower", **by)]
    found = [
        one for name, body in trial.searched.items() for level in levels for one in _stated(name, body, inquiry, level)
    ]
    return [one.model_copy(update=by) for one in found]


def _stated(name: str, body: Mapping[str, Any], inquiry: Inquiry, level: float) -> Iterator[Finding]:
    at = {"search": name}
    if "failed" in body:
        yield missing(FOUND, State(body["state"]), str(body["failed"]), at=at, better="lower")
        return
    came = body["came"]
    sizes = np.asarray(arrays.unpack(came["sizes"]))
    names = inquiry.classes or tuple(map(str, range(len(sizes))))
    index = low_anomaly(sizes)
    suspected = _suspected(came, sizes, inquiry)
    for one, label in enumerate(names):
        here = at | {"class": label}
        how = "mean of the smallest mask that carried rows over"
        drawn = (
            {"trigger": _drawn(came, one, str(inquiry.reach["axes"]))} if inquiry.pictures and one in suspected else {}
        )
        yield Finding(what=SIZE, at=here, value=float(sizes[one]), better="higher", method=how, artefacts=drawn)
        if came["of"][one]:
            share = proportion(came["carried"][one], came["of"][one], level)
            yield bounded(FLIPS, share, came["of"][one], "lower", at=here)
        if len(sizes) >= FEWEST:
            how = "deviations below the median of all classes; deviation: 1.4826 x median absolute deviation"
            yield Finding(what=INDEX, at=here, value=float(index[one]), better="lower", n=len(sizes), unit_of_replication="classes", method=how)  # fmt: skip
    yield _verdict(came, sizes, index, names, suspected, inquiry, at)


def _suspected(came: Mapping[str, Any], sizes: Any, inquiry: Inquiry) -> list[int]:
    """Classes whose trigger is too small for chance and works; none where there are too few classes to tell."""
    if len(sizes) < FEWEST:
        return []
    works = np.asarray(came["carried"]) >= inquiry.flips * np.maximum(1, came["of"])
    return [int(one) for one in np.flatnonzero(standing_out(sizes, inquiry.index) & works)]


def _drawn(came: Mapping[str, Any], one: int, axes: str) -> str:
    """The trigger of a class as lines of hexadecimal shades, 0 black to f white; a dot where the mask covers less than half."""
    mask, pattern = (np.asarray(arrays.unpack(came[name]))[one].mean(axis=0 if axes == "CHW" else -1) for name in ("masks", "patterns"))  # fmt: skip
    step = -(-max(mask.shape) // WIDEST)
    shades = np.rint(15 * pattern[::step, ::step]).astype(int)
    covered = mask[::step, ::step] >= 0.5
    return " ".join("".join(f"{shade:x}" if there else "." for shade, there in zip(*line, strict=True)) for line in zip(shades, covered, strict=True))  # fmt: skip


def _verdict(
    came: Mapping[str, Any],
    sizes: Any,
    index: Any,
    names: Sequence[str],
    suspected: Sequence[int],
    inquiry: Inquiry,
    at: dict[str, Any],
) -> Finding:
    if len(sizes) < FEWEST:
        why = f"of {len(sizes)} classes no anomaly can be told; {FEWEST} are needed"
        return missing(FOUND, State.UNSUPPORTED, why, at=at, better="lower")
    share = np.asarray(came["carried"]) / np.maximum(1, came["of"])
    told = [f"{names[one]}: index {index[one]:.2f}, its trigger covers {sizes[one]:.1%} and carries {share[one]:.0%} over" for one in suspected]  # fmt: skip
    return Finding(
        what=FOUND,
        at=at,
        value=len(suspected),
        unit="classes",
        better="lower",
        n=len(sizes),
        unit_of_replication="classes",
        method=f"trigger inversion; anomaly index above {inquiry.index:g}, size at most {SMALL:g} of the median, carries {inquiry.flips:.0%} of unseen rows over on the deployed artefact",
        note="; ".join(told),
    )
