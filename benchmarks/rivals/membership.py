"""Members picked out at 1 % of wrong names by others, from the same answers of the same model and shadows.

python membership.py known.npz, with privacy_meter 1.0.1 and scipy. Prints a JSON object: the share of members, by rival.

`privacy_meter` is its reference attack: of each row a normal distribution of the rescaled logits of models that didn't learn from it, and a row is
named where its loss lies below the quantile; the level of the quantile is chosen so that most members are named with at most 1 % of outsiders.
The newer privacy_meter, with LiRA and RMIA under their names, isn't on PyPI. `authors_*` is LiRA as its authors evaluate it, written from the
paper: medians over shadows as means, and one standard deviation of all confidences.
"""

from __future__ import annotations

import json
import sys

import numpy as np
from privacy_meter.hypothesis_test import logit_rescale_threshold_func
from scipy import special, stats

RATE = 0.01


def main() -> None:
    given = np.load(sys.argv[1])
    labels, inside, members = given["labels"], given["inside"], given["members"]
    rows = np.arange(len(labels))
    loss = -special.log_softmax(given["target"].astype(np.float64), axis=1)[rows, labels]
    losses = -special.log_softmax(given["shadows"].astype(np.float64), axis=2)[:, rows, labels]
    confident, compared = (np.log(np.exp(-one) + 1e-45) - np.log(1 - np.exp(-one) + 1e-45) for one in (loss, losses))
    told = {"privacy_meter": metered(loss, losses, inside, members)}
    told["authors_online"] = picked(authors(confident, compared, inside, True), members)
    told["authors_offline"] = picked(authors(confident, compared, inside, False), members)
    print(json.dumps({name: round(float(share), 4) for name, share in told.items()}))


def metered(loss: np.ndarray, losses: np.ndarray, inside: np.ndarray, members: np.ndarray) -> float:
    outside = np.stack([losses[~inside[:, row], row] for row in range(len(loss))])
    levels = np.concatenate([np.logspace(-12, -2, 200), np.linspace(0.0101, 0.5, 400)])
    threshold = logit_rescale_threshold_func(outside, levels)
    threshold = threshold if threshold.shape[0] == len(loss) else threshold.T
    best = 0.0
    for at in range(len(levels)):
        named = loss <= threshold[:, at]
        if named[~members].mean() <= RATE:
            best = max(best, float(named[members].mean()))
    return best


def authors(confident: np.ndarray, compared: np.ndarray, inside: np.ndarray, online: bool) -> np.ndarray:
    knew = np.where(inside, compared, np.nan)
    lacked = np.where(inside, np.nan, compared)
    without = stats.norm.logpdf(confident, np.nanmedian(lacked, axis=0), np.nanstd(lacked) + 1e-30)
    if not online:
        return -without * np.sign(confident - np.nanmedian(lacked, axis=0))
    return stats.norm.logpdf(confident, np.nanmedian(knew, axis=0), np.nanstd(knew) + 1e-30) - without


def picked(suspicion: np.ndarray, members: np.ndarray) -> float:
    outsiders = np.sort(suspicion[~members])[::-1]
    return float((suspicion[members] > outsiders[int(RATE * len(outsiders))]).mean())


if __name__ == "__main__":
    main()
