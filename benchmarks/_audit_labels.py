"""Planted label noise on pictures: the queue against cleanlab's ranking by the same probabilities, and whether the rate is covered."""

from __future__ import annotations

import gzip
import time
from pathlib import Path
from typing import Any

import numpy as np

from seatrial.numerics.confident import error_rate, likely_errors
from seatrial.numerics.held_out import probabilities
from seatrial.parts.audits import label_errors
from seatrial.testing.audits import table

NOISES = (0.02, 0.05, 0.1)


def fashion(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """The 60,000 training pictures and labels of Fashion-MNIST, from a folder with its files."""
    pictures = gzip.decompress((folder / "train-images-idx3-ubyte.gz").read_bytes())
    labels = gzip.decompress((folder / "train-labels-idx1-ubyte.gz").read_bytes())
    return (
        np.frombuffer(pictures, np.uint8, offset=16).reshape(-1, 28, 28),
        np.frombuffer(labels, np.uint8, offset=8).astype(np.int64),
    )


def noise(pictures: np.ndarray, labels: np.ndarray, share: float, seed: int = 0) -> dict[str, Any]:
    """One share of labels made wrong: area under precision and recall of ours and of cleanlab's rankings, the rate, CPU seconds."""
    from cleanlab.rank import get_label_quality_scores
    from sklearn.metrics import average_precision_score

    rng = np.random.default_rng(seed)
    wrong = rng.random(len(labels)) < share
    given = np.where(wrong, (labels + rng.integers(1, 10, len(labels))) % 10, labels)
    one = table({"picture": pictures, "y": given}, "train", "train", 4000, label="y")
    begun = time.process_time()
    known, _ = label_errors._labels(one)
    p = probabilities(label_errors._scores(one, known, 0), known)
    rate, found = error_rate(known, p), likely_errors(known, p)
    seconds = time.process_time() - begun
    own = p[np.arange(len(known)), known]
    methods = ("self_confidence", "normalized_margin", "confidence_weighted_entropy")
    theirs = {
        name: float(average_precision_score(wrong, -get_label_quality_scores(known, p, method=name)))
        for name in methods
    }
    mine = float(average_precision_score(wrong, -own))
    return {
        "noise": share,
        "auprc": mine,
        "cleanlab": theirs,
        "label_noise_auprc_ratio": mine / max(theirs.values()),
        "rate": None if rate is None else (rate.low, rate.value, rate.high),
        "covered": rate is not None and bool((rate.low or 0) <= wrong.mean() <= (rate.high or 1)),
        "suspected": int(found.suspected.sum()),
        "cpu_s": seconds,
    }


def label_noise(folder: Path) -> list[dict[str, Any]]:
    """At 2, 5 and 10 % of planted noise."""
    pictures, labels = fashion(folder)
    return [noise(pictures, labels, share) for share in NOISES]
