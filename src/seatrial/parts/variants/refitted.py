"""The scikit-learn model fitted anew to the training rows, with the hyperparameters that it has.

For a model whose training rows have changed, or to see how much hangs on the fit: another fit of the same recipe differs by chance alone.
The choice of features (`measure.features`) is judged with it: fitted once with all features and once with the chosen ones. Seeds that
are open are set; a model that was tuned by hand in other ways isn't tuned again.
"""

from __future__ import annotations

from seatrial.contracts.artefact import Artefact
from seatrial.contracts.part import PartOptions
from seatrial.contracts.protocols import Making
from seatrial.parts.variants._refit import kept, lesson

NEEDS = ("sklearn", "skops", "threadpoolctl")
EXTRA = "sklearn"
ACCEPTS = {"format": ("skops",), "rows": ("train",)}
GIVES = {"format": ("skops",), "way": ("refit",)}
CANNOT = {
    "onnx": ("not yet ours", "it runs on scikit-learn itself: conversions come before variants, not after them"),
    "other formats": ("not yet ours", "fitting anew needs a trainer; scikit-learn models bring their own"),
    "weights of the data": ("not yet ours", "a `weight` column of the training rows isn't handed to the fit"),
}
VERSION = 1


class Options(PartOptions):
    """There is nothing to set."""


def make(artefact: Artefact, making: Making, options: Options) -> Artefact:
    """The model fitted anew. Raises `Unsupported` without training rows."""
    return kept("refitted", lesson("refitted", artefact, making).fitted(), artefact, making, options)
