"""The answer by vote over noisy copies of each input (randomised smoothing), within a stated distance of which no change can move it.

Each row is answered `copies` times with normal noise of standard deviation `sigma` (in shares of each feature's range) and gets the
class that wins most often; the noise is drawn once, from the seed, so that the same row always gets the same answer. Where `measure.security`
is asked for, radii are certified on noise of their own: R = sigma x Phi^-1(p), p the one-sided Clopper-Pearson lower bound of the share of
copies that get the class, at 1 - `alpha`. It takes `copies` times as long to answer. A model that was trained on noisy rows loses less.
Cohen, Rosenfeld & Kolter (2019), "Certified adversarial robustness via randomized smoothing".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from seatrial.contracts.artefact import Artefact
from seatrial.contracts.part import PartOptions
from seatrial.contracts.protocols import Loss, Making, Session, Slope
from seatrial.contracts.values import Values
from seatrial.errors import Unsupported
from seatrial.parts.variants import _through

ACCEPTS = {"ranges": ("study",)}
GIVES = {"step": ("before",), "certificate": ("l2",)}
CANNOT = {
    "abstaining": (
        "not yet ours",
        "a row whose vote is close is answered all the same; `certified.abstained` says how many are",
    ),
    "one batch": ("not yet ours", "copies are answered one after the other, in batches of the size that was asked"),
    "linf": (
        "never",
        "normal noise certifies L2 distances; one of Linf is that over the root of the number of features",
    ),
}
VERSION = 1
FELT = 16
"""Copies whose gradients are averaged, at most."""

Array = NDArray[Any]


class Options(PartOptions):
    """How much noise, and how many copies."""

    sigma: float = Field(default=0.1, gt=0, description="standard deviation of the noise, as a share of each feature's range")  # fmt: skip
    copies: int = Field(default=32, ge=2, description="noisy copies that are answered, a row")
    chosen: int = Field(default=50, ge=2, description="copies that choose the class whose radius is certified")
    certified: int = Field(default=500, ge=10, description="copies that certify its radius")
    alpha: float = Field(default=0.001, gt=0, lt=0.5, description="how often a radius may be wrong, a row")


def make(artefact: Artefact, making: Making, options: Options) -> Artefact:
    """The same files with the vote around them. Raises `Unsupported` where there are no ranges, or no scores of classes."""
    space = _through.spaced("smoothed", making)
    named = [(name, one.means) for name, one in making.outputs.items() if one.means in ("logits", "probabilities", "scores")]  # fmt: skip
    if not named:
        raise Unsupported("smoothed votes on classes, and no output is stated as logits, probabilities or scores")
    more = {"low": _through.kept(space.low), "span": _through.kept(space.span), "free": _through.kept(space.free)}
    more |= {"output": named[0][0], "means": named[0][1], "seed": making.seed}
    return _through.stepped("smoothed", VERSION, artefact, making, options, more)


def around(session: Session, given: Mapping[str, Any]) -> Session:
    """A session that answers by vote; `given` are the step's options."""
    return Voting(session, given)


class Voting(_through.Through):
    """Answers by vote. The same noise for each row, so that a row's answer doesn't depend on those beside it."""

    def __init__(self, session: Session, given: Mapping[str, Any]) -> None:
        super().__init__(
            session, f"smoothed (sigma {given['sigma']:g}, {given['copies']} copies)", lambda values: values
        )
        self._ranges = _through.Ranges(given["low"], given["span"])
        self._free = {name: np.asarray(one, np.float32) for name, one in given["free"].items()}
        self._output, self._means, self._sigma = given["output"], given["means"], float(given["sigma"])
        self._copies, self._seed = int(given["copies"]), int(given["seed"])
        self._noise: dict[str, Array] = {}

    def predict(self, values: Values) -> Values:
        """The share of copies that each class won; of logits, its logarithm with half a copy more for each."""
        counts = sum(
            self._won(self._session.predict(self._noisy(values, at))[self._output]) for at in range(self._copies)
        )
        shares = np.asarray(counts, np.float64)
        if self._means == "logits":
            made = np.log((shares + 0.5) / (self._copies + 0.5 * shares.shape[1]))
        else:
            made = shares / self._copies
        return {self._output: self._as_given(made)}

    def gradient(self, values: Values, loss: Loss) -> Slope:
        """The mean gradient over the first copies, each through the model as it is (expectation over transformation)."""
        many = min(self._copies, FELT)
        slopes = [_through.own(self._session)(self._noisy(values, at), loss) for at in range(many)]
        gradient = {name: sum(one.gradient[name] for one in slopes) / many for name in slopes[0].gradient}
        return Slope(gradient, sum(one.loss for one in slopes) / many, slopes[0].answers)

    def votes(self, values: Values, copies: int, seed: int) -> NDArray[np.int64]:
        """How many of so many copies, noise drawn for each row and copy, are given each class: rows x classes."""
        draw = np.random.default_rng(seed)
        total: Any = 0
        for _ in range(copies):
            noise = {name: draw.standard_normal(np.shape(values[name]), np.float32) for name in self._free}
            total = total + self._won(self._session.predict(self._added(values, noise))[self._output])
        return np.asarray(total, np.int64)

    def _noisy(self, values: Values, copy: int) -> Values:
        for name in self._free:
            if name not in self._noise:
                shape = (self._copies, *np.shape(values[name])[1:])
                self._noise[name] = np.random.default_rng(self._seed).standard_normal(shape, np.float32)
        return self._added(values, {name: self._noise[name][copy] for name in self._free})

    def _added(self, values: Values, noise: Mapping[str, Array]) -> Values:
        """The values with noise on what an attacker could change; it isn't cut off at the ends of a range."""
        return self._ranges.changed(values, lambda name, points: points + self._sigma * self._free[name] * noise[name])

    def _won(self, answer: Any) -> NDArray[np.int64]:
        """1 for each row's class, 0 for the others; one number a row says which of two."""
        scores = np.asarray(answer).reshape(len(answer), -1)
        self._single = scores.shape[1] == 1
        if self._single:
            middle = 0.5 if self._means == "probabilities" else 0.0
            scores = np.concatenate([np.full_like(scores, middle), scores], axis=1)
        self._shape = np.shape(answer)[1:]
        made = np.zeros(scores.shape, np.int64)
        made[np.arange(len(scores)), scores.argmax(axis=1)] = 1
        return made

    def _as_given(self, made: Array) -> Array:
        """In the shape and type of the model's own answers."""
        if self._single:
            made = made[:, 1] - made[:, 0] if self._means != "probabilities" else made[:, 1]
        return made.astype(np.float32).reshape(len(made), *self._shape)
