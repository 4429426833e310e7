"""What is lost of a model's answers when it is changed, with the most that it may be on other rows, and by how much they moved.

Of classes: the drop of accuracy, with the upper score bound for paired rows (Tango 1998), as a study's `accuracy.drop` has it. Of labels chosen
one by one: the same of all labels, a row's mean counted once, with Student's upper bound over rows. Of numbers: the squared error that was
added, as a share of the variance of the right ones (what R2 loses), with Student's bound too. What the labels say is right, or what the float
model answers where there are none.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from seatrial.errors import Unsupported
from seatrial.numerics.distributions import normal_quantile
from seatrial.numerics.means import mean
from seatrial.numerics.paired import tango


class Lost(NamedTuple):
    """What was lost on the rows, and the most that it may be on others like them, by the confidence that was asked for."""

    share: float
    most: float


class Judge:
    """Holds answers to the same rows against those of the float model.

    `confidence` is that of the bound, one-sided; None counts on these rows alone. Raises `Unsupported` for answers that are neither.
    """

    def __init__(self, recipe: str, answers: Mapping[str, Any], labels: Any, confidence: float | None) -> None:
        self._name = next((name for name in ("scores", "values") if name in answers), "")
        if not self._name:
            raise Unsupported(
                f"{recipe} needs scores of classes, or numbers; this task gives {', '.join(answers) or 'nothing'}"
            )
        self._confidence, self._float = confidence, self._numbers(answers)
        self.rows, self.labelled = len(self._float), labels is not None
        self.of = {"scores": "the accuracy", "values": "the explained variance"}[self._name]
        given = np.asarray(labels) if labels is not None else self._decided(answers)
        self._right = given.reshape(self.rows, -1)
        self._was = self._wrong(answers)

    def lost(self, answers: Mapping[str, Any]) -> Lost:
        """What these answers lose."""
        more = self._wrong(answers) - self._was
        share = float(more.mean())
        if self._confidence is None:
            return Lost(share, share)
        if self._name == "scores" and more.shape[1] == 1:
            high = tango(int((more > 0).sum()), int((more < 0).sum()), self.rows, 2 * self._confidence - 1).high
        else:
            high = mean(more.mean(axis=1), 2 * self._confidence - 1).high
        return Lost(share, math.inf if high is None else high)

    def fewest(self, drop: float) -> int:
        """How many rows it takes to hold to this bound where no answer changes; 0 where no number of them will do.

        Of classes, Tango's bound is then z^2 / (n + z^2).
        """
        if self._confidence is None or self._right.shape[1] > 1 or self._name == "values":
            return 1 if self._confidence is None else 2
        z = normal_quantile(self._confidence)
        return math.ceil(z * z * (1 - drop) / drop) if drop else 0

    def change(self, answers: Mapping[str, Any]) -> float:
        """Root of the mean squared change of scores or numbers, as a share of their standard deviation over rows and columns."""
        spread = float(self._float.std()) or 1.0
        return float(np.sqrt(np.mean((self._numbers(answers) - self._float) ** 2))) / spread

    def _numbers(self, answers: Mapping[str, Any]) -> NDArray[np.float64]:
        found = np.asarray(answers[self._name], np.float64)
        return found.reshape(len(found), -1)

    def _decided(self, answers: Mapping[str, Any]) -> NDArray[Any]:
        """Which class, which labels, or which numbers."""
        if self._name == "values":
            return self._numbers(answers)
        return np.asarray(answers["chosen"]) if "chosen" in answers else self._numbers(answers).argmax(axis=1)

    def _wrong(self, answers: Mapping[str, Any]) -> NDArray[np.float64]:
        """Of each row and column: 1 where it is wrong; of numbers the squared error over the variance of the right ones."""
        found = self._decided(answers).reshape(self.rows, -1)
        if self._name == "scores":
            return (found != self._right).astype(np.float64)
        spread = self._right.var(axis=0)
        return np.asarray((found - self._right) ** 2 / np.where(spread > 0, spread, 1))
