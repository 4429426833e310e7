"""Whether the answers in timed blocks are the model's, and whether they were computed: two checks around every block.

A session may be fast because it answers anything. So loads keep a few answers, drawn by chance, and after the block the same rows are
asked again, calmly: those must be the answers. And a session may be fast because it has seen the input before. Loads
send the same rows over and over, so inputs that are new are timed beside themselves sent again.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from seatrial.contracts.events import Kept
from seatrial.contracts.finding import Finding, State
from seatrial.contracts.protocols import Session
from seatrial.flow.alone import SAME

PAUSE_S = 0.02
"""Before each calm question, so that a session that answers otherwise under pressure has none."""
OWN = 4.0
"""How many times as far as its own two calm answers a timed answer may lie, where a session doesn't repeat itself exactly."""
PAIRS, FEWEST, LOOK_S = 15, 3, 1.0
CACHED = 2.0
"""From how many times on a session counts as answering identical inputs faster."""
FELT_S = 20e-6
"""What a call must save, so that a warm processor cache is not taken for one of answers."""
REPEATS = "identical_inputs"


def rubbish(session: Session, queries: Sequence[Any], kept: Sequence[Kept]) -> str:
    """Why answers given inside the block are not the session's answers to these rows; empty when they are."""
    begin = time.perf_counter()
    for one in kept:
        if time.perf_counter() - begin > LOOK_S:
            break  # a slow session: the first ones will do
        calm = _calm(session, queries[one.query])
        if why := _shapes(one.answer, calm):
            return f"in a timed block it answered otherwise than outside: {why}"
        far, scale = _apart(one.answer, calm)
        if far > SAME * max(1.0, scale):
            own, _ = _apart(_calm(session, queries[one.query]), calm)
            if far > SAME * max(1.0, scale) + OWN * own:
                return (
                    f"in a timed block its answers were not those it gives to the same rows outside: they differ by {far:.3g} "
                    f"where the largest is {scale:.3g}"
                )
    return ""


def repeats(session: Session, queries: Sequence[Any]) -> float | None:
    """How many times as fast inputs are answered when they come again: median of new ones over that of the same.

    The same content comes as another array and as the very same one; the faster counts. None where no new
    inputs can be made (too few different rows), or where one call takes longer than a second.
    """
    import numpy as np

    random = np.random.default_rng(0)
    new = [_mixed(queries, random) for _ in range(PAIRS)]
    if len({_content(one) for one in [*new, *queries]}) < PAIRS + len({_content(one) for one in queries}):
        return None
    copies = [{name: value.copy() for name, value in one.items()} for one in new]
    took: list[tuple[float, float, float]] = []
    begin = time.perf_counter()
    for one, copy in zip(new, copies, strict=True):
        alone = _seconds(session, one)
        if alone > LOOK_S:
            return None
        took.append((alone, _seconds(session, copy), _seconds(session, one)))
        if len(took) >= FEWEST and time.perf_counter() - begin > LOOK_S:
            break
    first, copied, same = np.array(took).T
    again = copied if np.median(copied) < np.median(same) else same
    clear = np.mean(first > 1.5 * again) > 0.8 and np.median(first - again) > FELT_S
    return float(np.median(first) / np.median(again)) if clear else 1.0


def cached(blocks: Sequence[Mapping[str, Any]], load: str, candidate: str, at: str) -> list[Finding]:
    """The finding that a candidate answers identical inputs faster, from its blocks of one load; none where it doesn't."""
    ratios = [ratio for block in blocks if (ratio := block.get("repeats")) is not None]
    if not ratios or max(ratios) < CACHED:
        return []
    return [
        Finding(
            what=REPEATS,
            at={"load": load},
            candidate=candidate,
            value=max(ratios),
            unit="x",
            n=len(ratios),
            unit_of_replication="sessions",
            method="median time of inputs not seen before over that of the same inputs sent again, largest of all sessions",
            note=note(max(ratios)),
            measured_at=at,
        )
    ]


def doubted(finding: Finding, cached: Sequence[Finding]) -> Finding:
    """A figure of speed, marked where identical inputs were answered faster: requirements on it stay open."""
    if not cached or finding.value is None:
        return finding
    state = State.UNSTABLE if finding.state is State.OK else finding.state
    return finding.model_copy(update={"state": state, "note": joined(cached[0].note, finding.note)})


def joined(*notes: str) -> str:
    """Several notes as one."""
    return "; ".join(filter(None, notes))


def note(ratio: float) -> str:
    """What it means, in words."""
    return (
        f"it answers identical inputs {ratio:.3g} times as fast as new ones, and timed rows repeat: "
        "its speed holds for requests that repeat, not for others"
    )


def _calm(session: Session, query: Any) -> dict[str, Any]:
    import numpy as np

    time.sleep(PAUSE_S)
    return {name: np.array(value) for name, value in session.predict(query).items()}


def _shapes(one: Mapping[str, Any], other: Mapping[str, Any]) -> str:
    mine, theirs = ({name: value.shape for name, value in side.items()} for side in (one, other))
    return "" if mine == theirs else f"{mine} instead of {theirs}"


def _apart(one: Mapping[str, Any], other: Mapping[str, Any]) -> tuple[float, float]:
    """The largest difference and the largest number; what is no number on one side alone is infinitely far, other text too."""
    import numpy as np

    far = scale = 0.0
    for name, value in other.items():
        if value.dtype.kind not in "fbiu":
            far = max(far, 0.0 if np.array_equal(value, one[name]) else np.inf)
            continue
        mine, theirs = np.asarray(one[name], np.float64), np.asarray(value, np.float64)
        with np.errstate(invalid="ignore"):
            differences = np.where((mine == theirs) | (np.isnan(mine) & np.isnan(theirs)), 0.0, np.abs(mine - theirs))
        far = max(far, float(np.nan_to_num(differences, nan=np.inf).max(initial=0.0)))
        scale = max(scale, float(np.abs(theirs[np.isfinite(theirs)]).max(initial=0.0)))
    return far, scale


def _mixed(queries: Sequence[Any], random: Any) -> dict[str, Any]:
    """A query whose every number or word stands at its place in some query; floating-point ones a millionth off."""
    import numpy as np

    mixed = {}
    for name in queries[0]:
        pool = np.stack([query[name] for query in queries[:64]])
        chosen = random.integers(0, len(pool), pool.shape[1:])
        value = np.take_along_axis(pool, chosen[None], axis=0)[0]
        if value.dtype.kind == "f":
            value = (value * (1.0 + 1e-6 * random.random(value.shape)) + 1e-7 * random.random(value.shape)).astype(
                value.dtype
            )
        mixed[name] = np.ascontiguousarray(value)
    return mixed


def _content(query: Any) -> bytes:
    return b"|".join(
        value.tobytes() if value.dtype != object else repr(value.tolist()).encode() for value in query.values()
    )


def _seconds(session: Session, query: Any) -> float:
    begin = time.perf_counter()
    session.predict(query)
    return time.perf_counter() - begin
