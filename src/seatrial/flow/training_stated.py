"""What can be stated of the ways to train, from their rounds and their whole trainings.

training.step.p50, .p90      {way}          s           of all steps of all rounds
training.first_step          {way}          s           the first step of each fresh worker: it may compile
training.throughput          {way}          samples/s   rows learnt from in a second, over all workers
training.speedup             {way}          x           throughput against the reference's, paired round by round
training.scaling_efficiency  {way, workers}             t1 / (N tN): steps of one worker against steps of N on the same rows
training.starved             {way}          share       of step time spent waiting for the next batch
training.padding             {way}          share       of tokens that only fill up
training.quality             {way, measure}             at the end, mean over seeds
training.quality.drop        {way, measure}             by how much worse than the reference's, same seeds
training.batch_effect        {way, measure}             the same against the way that differs in its batch alone
training.reached             {way, target}  share       of seeds that reached the target
training.time_to_target      {way, target}  s           median over seeds, censored ones allowed for
training.target_speedup      {way, target}  x           that time of the reference over this one's, the same seeds in pairs
training.money_to_target     {way, target}  currency    that time at the declared price
training.run                 {way, seed}                missing: why a way, or one seed of it, gave nothing
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from seatrial.contracts.finding import Finding, State, missing
from seatrial.contracts.training import Learning
from seatrial.flow._bounded import bounded
from seatrial.flow.rounds import LEAST_CLEAN
from seatrial.flow.trained import Body, Trained
from seatrial.flow.training_through import quality, target_findings
from seatrial.numerics.interval import Interval
from seatrial.numerics.means import mean
from seatrial.numerics.percentiles import percentile_over_rounds
from seatrial.numerics.ratios import paired_ratio

UNFED = "its batches don't come through `job.waiting(...)`, so that waiting can't be told from computing"


def stated(
    asked: Learning, ways: Sequence[Trained], reference: Trained, level: float, cores: int | None = None
) -> list[Finding]:
    """All findings on all ways, of a machine with so many `cores`. Nothing is measured here."""
    found: list[Finding] = []
    for one in ways:
        own = [*_failures(one)]
        if one.rounds:
            own += [_crowded(finding, one, cores) for finding in _speed(one, reference, ways, level)]
        if asked.seeds and (one.runs or one.lost):
            own += [*quality(asked, one, reference, ways, level), *target_findings(asked, one, reference, level)]
        if one.failure is None and (len(one.rounds) < asked.rounds or len(one.runs) + len(one.lost) < asked.seeds):
            why = "the run ended before this way was measured to its end"
            own.append(missing("training.run", State.TOO_FEW, why))
        found += [_signed(finding, one) for finding in own]
    return found


def _signed(finding: Finding, one: Trained) -> Finding:
    dates = [body["at"] for body in (*one.rounds.values(), *one.runs.values())]
    update: dict[str, Any] = {"at": {"way": one.label, **finding.at}, "part": one.way.trainer.name}
    if dates and not finding.measured_at:
        update["measured_at"] = max(dates)
    return Finding.model_validate(finding.model_dump() | update)


def _failures(one: Trained) -> Iterator[Finding]:
    if one.failure is not None:
        yield one.failure
    yield from (why.model_copy(update={"at": {"seed": int(seed)}}) for seed, why in one.lost.items())


# --- from rounds -----------------------------------------------------------------------------------------------------------


def _speed(one: Trained, reference: Trained, ways: Sequence[Trained], level: float) -> Iterator[Finding]:
    bodies, mark = _clean(list(one.rounds.values()))
    for percent in (50, 90):
        yield _percentile(bodies, percent, level, mark)
    yield _first_steps(one, level)
    rates = [rate(body) for body in bodies]
    yield _found(
        "training.throughput", paired_ratio(rates, [1.0] * len(rates), level), bodies, mark, "samples/s", "higher"
    )
    if one is not reference and _pairs(one, reference):
        yield _ratio("training.speedup", one, reference, rate, level, unit="x")
    if (alone := one.alone(ways)) is not None:
        yield _efficiency(one, alone, level)
    yield _waits(bodies, mark, level)
    if padded := sum(body["padded"] for body in one.rounds.values()):
        tokens = sum(body["tokens"] for body in one.rounds.values())
        yield Finding(
            what="training.padding",
            value=1.0 - tokens / padded,
            better="lower",
            n=int(padded),
            unit_of_replication="tokens",
            method="exact count of tokens that only fill up, over all tokens",
        )


def _waits(bodies: Sequence[Body], mark: dict[str, Any], level: float) -> Finding:
    """The share of time that was waiting; missing where batches were taken so that nobody can tell."""
    if not any(body.get("fed", True) for body in bodies):
        return missing("training.starved", State.UNSUPPORTED, UNFED)
    waiting = mean([starved(body) for body in bodies], level)
    return _found("training.starved", _within(waiting), bodies, mark, "", "lower")


def rate(body: Body) -> float:
    """Rows learnt from in a second of step time, in one round."""
    return float(body["rows"] / sum(body["steps"]))


def step_time(body: Body) -> float:
    """Mean seconds of a step in one round."""
    return float(sum(body["steps"]) / len(body["steps"]))


def starved(body: Body) -> float:
    """Share of step time that was waiting for the next batch, in one round."""
    return float(sum(body["waits"]) / sum(body["steps"]))


def _percentile(bodies: Sequence[Body], percent: int, level: float, mark: dict[str, Any]) -> Finding:
    confidence = max(0.99, (1 + level) / 2)
    interval = percentile_over_rounds([body["steps"] for body in bodies], percent / 100, confidence)
    too_few = {} if interval.high is not None else {"state": State.TOO_FEW, "note": interval.method}
    return Finding(
        what=f"training.step.p{percent}",
        value=interval.value,
        high=interval.high,
        level=interval.level,
        unit="s",
        better="lower",
        n=sum(len(body["steps"]) for body in bodies),
        unit_of_replication="steps",
        method=f"{interval.method}; first step of each worker apart, evaluations left out",
        **(mark or too_few),
    )


def _first_steps(one: Trained, level: float) -> Finding:
    """One a fresh worker: rounds of the same worker share theirs."""
    begun = {name.partition("/")[0]: body["first_step_s"] for name, body in one.rounds.items()}
    times = [*begun.values(), *(body["steps"][0] for body in one.runs.values())]
    interval = paired_ratio(times, [1.0] * len(times), level)
    how = f"geometric mean over {len(times)} fresh workers, t interval on logarithms; what is compiled is in it"
    return bounded("training.first_step", interval, len(times), "lower", "workers", unit="s", method=how)


def _ratio(
    what: str, one: Trained, other: Trained, of: Callable[[Body], float], level: float, unit: str, divide: float = 1.0
) -> Finding:
    """The ratio of `of` in the rounds that both were in, paired by round."""
    pairs, mark = _clean_pairs(_pairs(one, other))
    interval = paired_ratio([of(own) for own, _ in pairs], [of(theirs) for _, theirs in pairs], level)
    low, high = (None if end is None else end / divide for end in (interval.low, interval.high))
    scaled = interval._replace(value=interval.value / divide, low=low, high=high)
    return _found(what, scaled, [own for own, _ in pairs], mark, unit, "higher", against=other.label)


def _efficiency(one: Trained, alone: Trained, level: float) -> Finding:
    """t1 / (N tN) on the same global work; missing where that isn't the same."""
    what, at = "training.scaling_efficiency", {"workers": one.way.workers}
    pairs = _pairs(one, alone)
    if not pairs:
        return missing(what, State.TOO_FEW, f"there is no round together with {alone.label}", at=at)
    mine, theirs = (body["rows"] / len(body["steps"]) for body in pairs[0])
    if mine != theirs:
        why = f"a step of {one.way.workers} workers takes {mine:g} rows, that of one {theirs:g}: not the same work"
        return missing(what, State.UNSUPPORTED, why, at=at)
    found = _ratio(what, one, alone, lambda body: 1.0 / step_time(body), level, "", one.way.workers)
    method = f"{found.method}; time of a step with one worker over {one.way.workers} times that with {one.way.workers}"
    return found.model_copy(update={"at": at, "method": method})


def _crowded(finding: Finding, one: Trained, cores: int | None) -> Finding:
    """Scaling on fewer processors than there are threads says more of the machine than of the way: it is noted."""
    threads = one.way.workers * one.way.threads
    if finding.what != "training.scaling_efficiency" or one.way.device != "cpu" or cores is None or threads <= cores:
        return finding
    note = f"{threads} threads share {cores} processor{'s' if cores != 1 else ''}"
    return finding.model_copy(update={"note": "; ".join(filter(None, (finding.note, note)))})


def _pairs(one: Trained, other: Trained) -> list[tuple[Body, Body]]:
    return [(body, other.rounds[name]) for name, body in one.rounds.items() if name in other.rounds]


def _clean(bodies: list[Body]) -> tuple[list[Body], dict[str, Any]]:
    """The rounds that nothing disturbed, where they are enough; else all, and how that is marked."""
    kept, mark = _clean_pairs([(body, body) for body in bodies])
    return [body for body, _ in kept], mark


def _clean_pairs(pairs: list[tuple[Body, Body]]) -> tuple[list[tuple[Body, Body]], dict[str, Any]]:
    clean = [pair for pair in pairs if not any(body["disturbance"]["reason"] for body in pair)]
    if len(clean) >= min(LEAST_CLEAN, len(pairs)):
        return clean, {}
    note = f"the machine did other things in {len(pairs) - len(clean)} of {len(pairs)} rounds"
    return pairs, {"state": State.DISTURBED, "note": note}


def _within(interval: Interval) -> Interval:
    """A share's bounds, kept between 0 and 1."""
    low, high = (None if end is None else min(1.0, max(0.0, end)) for end in (interval.low, interval.high))
    return interval._replace(low=low, high=high)


def _found(
    what: str,
    interval: Interval,
    bodies: Sequence[Body],
    mark: dict[str, Any],
    unit: str,
    better: Any,
    against: str | None = None,
) -> Finding:
    return bounded(what, interval, len(bodies), better, "rounds", against=against, unit=unit, **mark)
