"""One pass over rows that counts, for all rows and for every slice, what metrics are computed from.

Counters and the shapes of what they sum, for C cells and K classes:

    rows                (C,)            rows; always there
    right               (C,)            rows whose predicted class is the label
    confusion           (C, K, K)       rows by label and predicted class
    ranks               (C, K)          rows by how many other classes score at least as high as the label (ties count)
    scores              (C, M, 2, B)    rows by whether they have the class (0: not) and the bin of its score
                                        (`numerics/score_bins.py`); M is 1 (the second class) for two classes, else K
    confidence          (C, 2, B)       rows by whether they are right (0: not) and the bin of their highest probability; of two
                                        classes by whether they have the second (0: not) and the bin of its probability, as `scores`
    log_loss, brier     (C, 3)          sums of the rows' losses, their squares and cubes
    kl                  (C, 3)          the same of the divergence from the reference's probabilities
    log_loss_change, brier_change  (C, 3)   the same of the candidate's loss minus the reference's
    pair                (C, 2, 2)       rows by whether the reference, and whether the candidate, is right
    changed             (C,)            rows whose predicted class isn't the reference's
    pair_scores         (C, M, 128, 128)    rows by the bins of the reference's, and of the candidate's score of a class; M as above
    pair_confusion      (C, K, K, K)    rows by label, the reference's and the candidate's predicted class; K up to 16
    output_difference   (C, 3)          sums of the row's mean absolute difference of raw outputs; its largest in `peaks`, (C,)

Counters of predicted numbers are those of `numerics/valued.py`, of several labels a row those of `numerics/chosen.py`.
A name that ends in `?` is left out where it can't be counted. With weights every count is a sum of weights.

Cost: a row's quantities are worked out once, whatever the number of slices. Partitions are counted several at a time, by
one number for the row's cells in all of them, and told apart at the end. Memory doesn't depend on the rows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seatrial.contracts.quality import Batch
from seatrial.contracts.tally import Partition, Tally
from seatrial.errors import DataError, SeatrialError, Unsupported
from seatrial.numerics import chosen, valued
from seatrial.numerics.cells import Cells, Pile
from seatrial.numerics.rows import Rows, classed, confident, raw, scored_twice
from seatrial.numerics.score_bins import BINS

CHUNK_ROWS, CHUNK_NUMBERS = 2**17, 2**18
MOST_CLASSES = 16  # for pair_confusion
MOST_COUNTS, MOST_BINS = 2**25, 2**22  # numbers that one counter may hold: 256 MiB, and 32 MiB of score bins
LEAST_BINS = 256
PAIRED_BINS = 128  # of either score in pair_scores; always as many, or replicates would differ from the whole
MOST_PAIRED = 2**23  # numbers that pair_scores may hold: 64 MiB

Coded = Callable[[Rows], NDArray[np.intp]]
Valued = Callable[[Rows], NDArray[np.float64]]

_LABELS = {
    "right",
    "confusion",
    "ranks",
    "scores",
    "confidence",
    "log_loss",
    "brier",
    "log_loss_change",
    "brier_change",
    "pair",
} | {"pair_confusion"}
_REFERENCE = {
    "pair_scores",
    "kl",
    "log_loss_change",
    "brier_change",
    "pair",
    "changed",
    "pair_confusion",
    "output_difference",
}
_PROBABILITIES = {"confidence", "log_loss", "brier", "kl", "log_loss_change", "brier_change"}
_SUMMED: dict[str, Valued] = {
    "log_loss": lambda rows: rows.own.log_loss,
    "brier": lambda rows: rows.own.brier,
    "kl": lambda rows: rows.kl,
    "log_loss_change": lambda rows: rows.own.log_loss - rows.other.log_loss,
    "brier_change": lambda rows: rows.own.brier - rows.other.brier,
    "output_difference": lambda rows: rows.mean_difference,
}
COUNTERS = ("rows", "changed", *sorted(_LABELS), "pair_scores", "kl", "output_difference")
_ALL = (*COUNTERS, *valued.COUNTERS, *chosen.COUNTERS)
_WHOLE = set(_ALL) - set(_SUMMED) - set(valued.COUNTERS) - {"jaccard"}
_OF_SETS = {"rows", "confusion", "scores", "output_difference"}


def tally(batch: Batch, partitions: Sequence[Partition], counters: Sequence[str]) -> Tally:
    """The counts of these rows in the cell of all rows and in every partition's cells, in order.

    Raises what `obstacle` returns for a counter without `?`; `ValueError` for a name that is no counter.
    """
    names = [name for one in counters if (name := _countable(batch, partitions, one))]
    rows, width = raw(batch.answers).shape
    cells = Cells(partitions, rows)
    known = _read_off(batch, names, width)
    counted = [name for name in dict.fromkeys(["rows", *names]) if name not in known]
    piles = {name: _piles(name, batch, cells.count) for name in counted}
    crossed = {name: chosen.Pairs(cells, width) for name in names if name == "label_pairs"}
    peaks = {name: cells.lowest() for name in names if name == "output_difference"}
    step = max(1024, min(CHUNK_ROWS, CHUNK_NUMBERS // width))
    for start in range(0, rows, step):
        chunk = slice(start, min(start + step, rows))
        seen, at = Rows(batch, chunk), cells.at(chunk)
        for name, kept in piles.items():
            for pile in kept:
                pile.add(at, seen)
            if name in crossed:
                crossed[name].add(chunk, seen)
            if name in peaks:
                at.raise_to(peaks[name], seen.difference.max(axis=1, initial=0.0))
    sums = {name: _shaped(name, [cells.spread(pile) for pile in kept], batch) for name, kept in piles.items() if kept}
    sums |= {name: one.kept for name, one in crossed.items()}
    if batch.weights is None:
        sums = {name: found.astype(np.int64) if name in _WHOLE else found for name, found in sums.items()}
    sums |= {name: read(sums) for name, read in known.items()}
    columns = valued.targets(batch) if valued.asked(batch) else width
    return Tally(cells.names, batch.classes or tuple(map(str, range(columns))), sums, peaks, batch.about)


def _read_off(batch: Batch, names: Sequence[str], width: int) -> dict[str, Callable[[Mapping[str, Any]], Any]]:
    """Counters that need no counting, since others hold them: how each is read off those. Sums of weights are counted, for rounding."""
    if chosen.asked(batch):
        return {}
    found: dict[str, Callable[[Mapping[str, Any]], Any]] = {}
    if "confidence" in names and "scores" in names and width == 2:
        found["confidence"] = lambda sums: sums["scores"][:, 0]
    if "confusion" in names and batch.weights is None:
        found["rows"] = lambda sums: sums["confusion"].sum(axis=(1, 2))
        if "right" in names:
            found["right"] = lambda sums: np.diagonal(sums["confusion"], axis1=1, axis2=2).sum(axis=1)
    return found


def bins_for(cells: int, classes: int) -> int:
    """How many bins each score histogram has: 4,096, fewer where there are many cells and classes; 0 where none would be enough."""
    found = BINS
    while found >= LEAST_BINS and cells * _histograms(classes) * 2 * found > MOST_BINS:
        found //= 2
    return found if found >= LEAST_BINS else 0


def obstacle(batch: Batch, counter: str, cells: int = 1) -> SeatrialError | None:
    """Why this counter (without `?`) can't be counted of this batch in so many cells; None where it can."""
    width = raw(batch.answers).shape[1]
    if counter not in _ALL:
        raise ValueError(f"there is no counter `{counter}`; there are {', '.join(_ALL)}")
    if counter in valued.COUNTERS:
        return valued.obstacle(batch, counter) or _size_fault(counter, cells, width)
    if counter in chosen.COUNTERS:
        return chosen.obstacle(batch, counter, cells) or _size_fault(counter, cells, width)
    if counter not in ("rows", "output_difference") and valued.asked(batch):
        return Unsupported("this metric is for models that choose among classes, not for predicted numbers")
    if counter not in _OF_SETS and chosen.asked(batch):
        return Unsupported("this metric is for models that choose one class, not any number of labels")
    if chosen.asked(batch) and counter in _LABELS:
        return chosen.labels_fault(batch) or _size_fault(counter, cells, width)
    if counter in _LABELS and (fault := _labels_fault(batch, width)):
        return fault
    if counter in _REFERENCE and (fault := _reference_fault(batch)):
        return fault
    if counter == "pair_scores" and (fault := _kinds_fault(batch)):
        return fault
    if counter in _PROBABILITIES:
        sides = [batch.answers] + ([batch.reference] if counter in _REFERENCE and batch.reference else [])
        if any("probabilities" not in side for side in sides):
            return Unsupported(
                "this metric needs probabilities", next_step="say `means: logits` or `means: probabilities`"
            )
    return _size_fault(counter, cells, width)


def _countable(batch: Batch, partitions: Sequence[Partition], counter: str) -> str | None:
    name = counter.removesuffix("?")
    fault = obstacle(batch, name, 1 + sum(len(one.cells) for one in partitions))
    if fault is not None and name == counter:
        raise fault
    return None if fault else name


def _labels_fault(batch: Batch, width: int) -> SeatrialError | None:
    if batch.labels is None:
        return DataError("this metric needs labels", next_step="name the `label` column of the evaluation data")
    if len(batch.labels) and (batch.labels.min() < 0 or batch.labels.max() >= width):
        least, most = batch.labels.min(), batch.labels.max()
        return DataError(f"labels go from {least} to {most}, the model answers for {width} classes")
    return None


def _reference_fault(batch: Batch) -> SeatrialError | None:
    if batch.reference is None:
        return DataError("this metric compares with the reference, whose answers are not there")
    own, other = raw(batch.answers).shape, raw(batch.reference).shape
    if own != other:
        return DataError(f"the candidate answers with shape {own}, the reference with {other}: they can't be compared")
    return None


def _kinds_fault(batch: Batch) -> SeatrialError | None:
    """Scores and probabilities of several classes don't rise together from row to row."""
    own, other = ("probabilities" in side for side in (batch.answers, batch.reference or {}))
    if own == other:
        return None
    return Unsupported(
        "one of the two models gives probabilities and the other bare scores: their order isn't comparable"
    )


def _size_fault(counter: str, cells: int, width: int) -> SeatrialError | None:
    power = {"confusion": 2, "pair_confusion": 3}.get(counter, 1)
    if counter == "pair_confusion" and width > MOST_CLASSES:
        return Unsupported(f"this comparison is made for up to {MOST_CLASSES} classes, not {width}")
    if cells * width**power > MOST_COUNTS:
        return Unsupported(f"{cells} groups of rows and {width} classes are too many to be counted at once")
    if counter == "pair_scores" and cells * _histograms(width) * PAIRED_BINS**2 > MOST_PAIRED:
        return Unsupported(f"{cells} groups of rows and {width} classes are too many to keep pairs of scores of")
    if counter in ("scores", "confidence") and not bins_for(cells, 2 if counter == "confidence" else width):
        return Unsupported(
            f"{cells} groups of rows and {width} classes are too many: their scores would be kept in fewer than "
            f"{LEAST_BINS} bins each"
        )
    return None


def _histograms(classes: int) -> int:
    return 1 if classes == 2 else classes


def _piles(counter: str, batch: Batch, cells: int) -> list[Pile]:
    """What is kept while counting: one pile of codes, one a class for `scores`, three of sums for a loss."""
    width = raw(batch.answers).shape[1]
    if counter in _SUMMED:
        return [Pile(1, None, value) for value in valued.three(_SUMMED[counter])]
    if counter in valued.COUNTERS:
        return [Pile(1, None, value) for value in valued.summed(counter, batch)]
    if counter != "rows" and chosen.asked(batch):
        return _set_piles(counter, width, cells)
    if counter == "scores":
        bins = bins_for(cells, width)
        places = [1] if width == 2 else range(width)
        return [Pile(2 * bins, partial(classed, place=place, bins=bins)) for place in places]
    if counter == "pair_scores":
        places = [1] if width == 2 else range(width)
        return [Pile(PAIRED_BINS**2, partial(scored_twice, place=place, bins=PAIRED_BINS)) for place in places]
    if counter == "confidence":
        bins = bins_for(cells, 2)
        return [Pile(2 * bins, partial(classed, place=1, bins=bins) if width == 2 else partial(confident, bins=bins))]
    coded: dict[str, tuple[int, Coded | None]] = {
        "rows": (1, None),
        "right": (2, lambda rows: rows.own.right.view(np.int8)),
        "changed": (2, lambda rows: (rows.own.predicted != rows.other.predicted).view(np.int8)),
        "ranks": (width, lambda rows: rows.own.ranks),
        "confusion": (width**2, lambda rows: rows.own.labels * width + rows.own.predicted),
        "pair": (4, lambda rows: rows.other.right * 2 + rows.own.right),
        "pair_confusion": (
            width**3,
            lambda rows: (rows.own.labels * width + rows.other.predicted) * width + rows.own.predicted,
        ),
    }
    return [Pile(*coded[counter])]


def _set_piles(counter: str, labels: int, cells: int) -> list[Pile]:
    """The same where any number of labels are chosen: each label is counted by itself, and what a row comes to."""
    if counter == "confusion":
        return [Pile(4, partial(_placed, label=label)) for label in range(labels)]
    if counter == "scores":
        bins = bins_for(cells, labels if labels != 2 else 3)
        return [Pile(2 * bins, partial(classed, place=label, bins=bins)) for label in range(labels)]
    if counter == "label_errors":
        return [Pile(labels + 1, lambda rows: rows.sets.wrong)]
    return [] if counter == "label_pairs" else [Pile(1, None, value) for value in chosen.summed(counter)]


def _placed(rows: Rows, label: int) -> NDArray[np.intp]:
    return rows.sets.place(label)


def _shaped(counter: str, found: list[NDArray[Any]], batch: Batch) -> NDArray[Any]:
    """Piles of shape (cells, numbers), as the counter's own shape."""
    cells, width = len(found[0]), raw(batch.answers).shape[1]
    if counter in ("rows", "right", "changed"):
        return found[0][:, -1]
    if counter in valued.COUNTERS:
        return valued.shaped(counter, np.concatenate(found, axis=1), batch)
    if counter in _SUMMED or counter in chosen.COUNTERS:
        return np.concatenate(found, axis=1)
    if counter == "confusion" and chosen.asked(batch):
        return np.stack(found, axis=1).reshape(cells, width, 2, 2)
    if counter == "scores":
        return np.stack(found, axis=1).reshape(cells, len(found), 2, -1)
    if counter == "pair_scores":
        return np.stack(found, axis=1).reshape(cells, len(found), PAIRED_BINS, PAIRED_BINS)
    if counter == "confidence":
        return found[0].reshape(cells, 2, -1)
    power = {"confusion": 2, "pair_confusion": 3}.get(counter, 1)
    return found[0].reshape((cells, 2, 2) if counter == "pair" else (cells, *[width] * power))
