"""Whether a row's answer is its own: some rows are asked again, alone, and must be answered as they were in their batch.

Two things can be wrong. Answers that stand at another row of the batch make every figure of quality worthless, so they are an
error. Answers that change with the batch are a property of some models and runtimes (int8 with scales found at run time), so
how much they change is said.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from seatrial.errors import ModelError

if TYPE_CHECKING:
    from seatrial.contracts.values import Array

ROWS = 32
SAME = 1e-5
FAR, NEAR = 0.5, 0.1
"""Where answers change with the batch anyway: a row is out of place if its answer differs by more than the first (of how far
its batch lies around it), and one other place of the batch by less than the second (of that difference)."""

Ask = Callable[[int], Mapping[str, Any]]


class Asked(NamedTuple):
    """A row asked alone: its place in its batch, and how far every answer of that batch is from the row's own."""

    row: int
    place: int
    far: Array

    @property
    def own(self) -> float:
        """How far the answer at the row's own place is."""
        return float(self.far[self.place])


def check(pieces: Mapping[str, Sequence[Any]], rows: range, samples: int, ask: Ask) -> dict[str, Any]:
    """The largest difference of a sample of `rows` asked alone, and the largest answer; empty where nothing can be compared.

    `pieces` are the answers by output name, a batch of `samples` rows each. Raises `ModelError` where the answers of a batch
    stand in another order than its rows.
    """
    floating = [name for name, batches in pieces.items() if _kind(batches[0]) == "f"]
    names = floating or [name for name, batches in pieces.items() if _kind(batches[0]) in "biu"]
    if samples < 2 or len(rows) < 2 or not names:
        return {}
    chosen = sorted(random.Random(0).sample(rows, min(ROWS, len(rows))))
    answers = [ask(row) for row in chosen]
    largest, scale, asked = 0.0, 0.0, [Asked(row, (row - rows.start) % samples, _zero()) for row in chosen]
    for name in names:
        own = [_flat(answer[name])[0] for answer in answers]
        batches = [_flat(pieces[name][(row - rows.start) // samples]) for row in chosen]
        if any(one.shape != batch.shape[1:] for one, batch in zip(own, batches, strict=True)):
            continue  # an output as wide as its batch: nothing to compare
        far = [abs(batch - one).max(axis=1, initial=0) for one, batch in zip(own, batches, strict=True)]
        size = max(float(abs(one).max(initial=0)) for one in own)
        asked = [one._replace(far=_most(one.far, new / max(1.0, size))) for one, new in zip(asked, far, strict=True)]
        largest = max(largest, *(float(new[one.place]) for one, new in zip(asked, far, strict=True)))
        scale = max(scale, size)
    if asked[0].far.ndim:
        _refuse(asked, 2 if floating else max(2, len(asked) // 2))
    return {"difference": largest, "scale": scale, "rows": len(asked)}


def _refuse(asked: Sequence[Asked], least: int) -> None:
    """Raises `ModelError` if every row that is out of place is found elsewhere in its batch, `least` of them at one place alone."""
    for lost, near in (_exactly(asked), _roughly(asked)):
        places = [(one, [place for place in range(len(one.far)) if one.far[place] <= most]) for one, most in zip(lost, near, strict=True)]  # fmt: skip
        found = {(one.row - one.place, there[0]): one for one, there in places if len(there) == 1}
        if len(found) >= least and all(there for _, there in places):
            (start, place), one = next(iter(found.items()))
            raise ModelError(
                f"the answers of a batch are in another order than its rows: what row {one.row} is answered alone stands "
                f"at row {start + place} in its batch of {len(one.far)} ({len(lost)} of {len(asked)} rows tried are out of place)",
                next_step="correct the runtime or the model, or run it with `batch: 1`",
            )


def _exactly(asked: Sequence[Asked]) -> tuple[list[Asked], list[float]]:
    lost = [one for one in asked if one.own > SAME]
    return lost, [SAME] * len(lost)


def _roughly(asked: Sequence[Asked]) -> tuple[list[Asked], list[float]]:
    import numpy as np

    lost = [one for one in asked if one.own > max(SAME, FAR * float(np.median(one.far)))]
    return (lost, [NEAR * one.own for one in lost]) if 2 * len(lost) > len(asked) else ([], [])


def _kind(answer: Any) -> str:
    kind = getattr(getattr(answer, "dtype", None), "kind", "?")
    return str(kind) if hasattr(answer, "reshape") else "?"


def _zero() -> Array:
    import numpy as np

    return np.zeros(())


def _most(one: Array, other: Array) -> Array:
    import numpy as np

    return np.maximum(one, other)


def _flat(answer: Any) -> Array:
    """Rows x numbers; what is no number counts as nought."""
    import numpy as np

    flat = np.asarray(answer, np.float64).reshape(len(answer), -1)
    return np.nan_to_num(flat, nan=0.0, posinf=0.0, neginf=0.0)
