"""What whole trainings from several seeds tell: quality at the end, what the batch does to it, time and money to the target."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from seatrial.contracts.finding import Finding, Origin, State, missing
from seatrial.contracts.glossary import term
from seatrial.contracts.money import Price
from seatrial.contracts.record import Scalar
from seatrial.contracts.training import Learning, Target
from seatrial.flow._bounded import bounded
from seatrial.flow.trained import Body, Trained
from seatrial.flow.training_ways import priced
from seatrial.numerics.interval import Interval
from seatrial.numerics.means import mean
from seatrial.numerics.proportions import proportion
from seatrial.numerics.ratios import paired_ratio
from seatrial.numerics.reaching import bounds_alone, median_time


def quality(
    asked: Learning, one: Trained, reference: Trained, ways: Sequence[Trained], level: float
) -> Iterator[Finding]:
    """Quality at the end by measure; how it differs from the reference's, and from that of another batch, seed by seed."""
    sibling = one.other_batch(ways, reference)
    for measure in dict.fromkeys(name for body in one.runs.values() for name in last(body)):
        own = {seed: last(body)[measure] for seed, body in one.runs.items() if measure in last(body)}
        better = "lower" if _lower(measure, asked.target) else "higher"
        how = "on the rows that judge, after the last pass"
        yield _over_seeds("training.quality", mean([*own.values()], level), {"measure": measure}, better, how, len(own))
        for what, other in (("training.batch_effect", sibling), ("training.quality.drop", reference)):
            if other is None or other is one or (what == "training.quality.drop" and other is sibling):
                continue
            theirs = {seed: last(body).get(measure) for seed, body in other.runs.items()}
            worse = [
                (value - (theirs[seed] or 0.0)) * (1 if better == "lower" else -1)
                for seed, value in own.items()
                if theirs.get(seed) is not None
            ]
            if worse:
                told = f"by how much worse than {other.label}, the same seeds in pairs"
                found = _over_seeds(what, mean(worse, level), {"measure": measure}, "lower", told, len(worse))
                yield found.model_copy(update={"against": other.label})


def _over_seeds(what: str, interval: Interval, at: dict[str, Scalar], better: Any, how: str, n: int) -> Finding:
    return bounded(what, interval, n, better, "seeds", at=at, method=f"{interval.method}; {how}")


def last(body: Body) -> dict[str, float]:
    """Each measure as it was told last."""
    found: dict[str, float] = {}
    for point in body["curve"]:
        found |= point["measures"]
    return found


def _lower(measure: str, target: Target | None) -> bool:
    if target is not None and target.measure == measure:
        return target.at_most is not None
    known = term(measure)
    return known.better == "lower" if known else measure.endswith(("loss", "error"))


def target_findings(asked: Learning, one: Trained, reference: Trained, level: float) -> Iterator[Finding]:
    """How many seeds reach the target, and the median time and money until then."""
    target = asked.target
    if target is None:
        return
    at: dict[str, Scalar] = {"way": one.label, "target": str(target)}  # in full: its key is named by the money
    if not any(target.measure in last(body) for body in one.runs.values()) and one.runs:
        told = sorted({name for body in one.runs.values() for name in last(body)})
        why = f"the trainer never told `{target.measure}`; it told {', '.join(told) or 'no quality at all'}"
        yield missing("training.time_to_target", State.UNSUPPORTED, why, at=at)
        return
    times = [_until(body, target) for body in one.runs.values()]
    times += [(0.0, False)] * len(one.lost)  # how long it lasted isn't known: it counts as not reached, from the start
    reached = [there for _, there in times]
    share = proportion(sum(reached), len(reached), level)
    yield _over_seeds("training.reached", share, at, "higher", f"within {_passes(asked)}", len(reached))
    yield from _time(asked, at, times, len(one.lost), level, _disturbed(one))
    if one is not reference and reference.runs:
        yield _sooner(one, reference, target, at, level)


def _sooner(one: Trained, reference: Trained, target: Target, at: dict[str, Scalar], level: float) -> Finding:
    """The reference's time to the target over this way's, seed by seed; missing where a training of either never got there."""
    what, seeds = "training.target_speedup", {*one.runs, *one.lost, *reference.runs, *reference.lost}
    pairs = [
        (_until(reference.runs[seed], target), _until(one.runs[seed], target))
        for seed in sorted(seeds)
        if seed in one.runs and seed in reference.runs
    ]
    whole = [(theirs[0], own[0]) for theirs, own in pairs if theirs[1] and own[1]]
    if len(whole) < len(seeds):
        why = f"in {len(seeds) - len(whole)} of {len(seeds)} pairs of seeds one did not reach it; the others alone would flatter"
        return missing(what, State.TOO_FEW, why, at=at, against=reference.label)
    interval = paired_ratio([theirs for theirs, _ in whole], [own for _, own in whole], level)
    found = _over_seeds(what, interval, at, "higher", "of times to the target, the same seeds in pairs", len(whole))
    return found.model_copy(
        update={"unit": "x", "against": reference.label, **(_disturbed(one) or _disturbed(reference))}
    )


def _time(
    asked: Learning,
    at: dict[str, Scalar],
    times: list[tuple[float, bool]],
    lost: int,
    level: float,
    mark: dict[str, Any],
) -> Iterator[Finding]:
    what, n, price = "training.time_to_target", len(times), priced(asked)
    seconds, reached = [took for took, _ in times], [there for _, there in times]
    short = f"{n - sum(reached)} of {n} seeds did not reach it within {_passes(asked)}"
    short += f", {lost} of them because they failed" if lost else ""
    interval = median_time(seconds, reached, level)
    if interval is None:
        low, _, held = bounds_alone(seconds, reached, level)
        above = f"; half of them take longer than {low:.3g} s, with {50 * (1 + held):.4g} % confidence" if low else ""
        why = f"{short}{above}"
        yield missing(what, State.TOO_FEW, why, at=at, unit="s", n=n, unit_of_replication="seeds")
        if price:
            yield missing("training.money_to_target", State.TOO_FEW, why, at=at, unit=price.currency)
        return
    from_when = "from the first sign of the trainer to the evaluation that reached it; imports left out"
    found = _over_seeds(what, interval, at, "lower", from_when, n)
    notes = [mark["note"]] if mark else []
    if not all(reached):
        notes.append(short)
    if interval.low is not None and interval.level < level - 1e-9:
        notes.append(f"{n} seeds give an interval of {100 * interval.level:.3g} % only; 6 would give 95 %")
    found = found.model_copy(update={"unit": "s", **mark, "note": "; ".join(notes)})
    yield found
    if price:
        yield _money(found, price)


def _passes(asked: Learning) -> str:
    return f"{asked.epochs} pass{'es' if asked.epochs != 1 else ''}"


def _money(time: Finding, price: Price) -> Finding:
    ends = {
        name: None if (end := getattr(time, name)) is None else end * price.hour / 3600.0
        for name in ("value", "low", "high")
    }
    update: dict[str, Any] = {
        "what": "training.money_to_target",
        "unit": price.currency,
        "origin": Origin.DECLARED,
        "inputs": (time.key,),
        "method": f"{time.method}; times the declared price of the machine: {price}",
    }
    return time.model_copy(update=ends | update)


def _until(body: Body, target: Target) -> tuple[float, bool]:
    """Seconds until the first evaluation that reached the target, or for how long it was trained without."""
    first = next((point["seconds"] for point in body["curve"] if target.reached(point["measures"])), None)
    return (float(body["seconds"]), False) if first is None else (float(first), True)


def _disturbed(one: Trained) -> dict[str, Any]:
    out = sum(bool(body["disturbance"]["reason"]) for body in one.runs.values())
    if not out:
        return {}
    return {
        "state": State.DISTURBED,
        "note": f"the machine did other things in {out} of {len(one.runs)} trainings",
    }
