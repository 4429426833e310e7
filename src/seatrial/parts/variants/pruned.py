"""Small weights set to zero (magnitude pruning), without training afterwards; files stay as large, since zeros are stored too.

`weights`: the smallest weights of each layer. `channels`: the weights of whole output channels of each layer but the last, those with the
smallest norm; they still run, as zeros, and what is added to them afterwards stays. Runtimes without sparse kernels get no faster: measure. Han et al. (2015); Li et al. (2017).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from seatrial.contracts.artefact import Artefact
from seatrial.contracts.part import PartOptions
from seatrial.contracts.protocols import Making
from seatrial.errors import Unsupported
from seatrial.parts.variants import _onnx
from seatrial.parts.variants._weights import Weight, smallest, weights

NEEDS = ("onnxruntime", "onnx")
ACCEPTS = {"format": ("onnx",)}
GIVES = {"format": ("onnx",)}
CANNOT = {
    "fine_tuning": ("never", "an ONNX file can't be trained; `thinned` and `narrowed` train a torch module again"),
    "smaller_layers": ("never", "channels of zeros stay; `narrowed` cuts them out of a torch module"),
}
VERSION = 1


class Options(PartOptions):
    """What becomes zero, and how much of it."""

    share: float = Field(default=0.2, gt=0, lt=1, description="share of each layer that becomes zero")
    of: Literal["weights", "channels"] = Field(
        default="weights", description="single weights, or whole output channels"
    )


def make(artefact: Artefact, making: Making, options: Options) -> Artefact:
    """The pruned model. Raises `Unsupported` where it has no float32 weights, no layer before the last to take channels from, or nothing changes."""

    def prune(source: Path, target: Path, large: bool) -> dict[str, Any]:
        model = _onnx.load(source)
        found = list(weights(model.graph))
        pruned = _pruned(found, options)
        if not pruned:
            raise Unsupported(f"pruned: there is nothing to prune; the model holds {_onnx.told(source)}")
        if all(np.array_equal(pruned[one.name], one.values) for one in found if one.name in pruned):
            raise Unsupported(
                f"pruned: a share of {options.share:g} leaves every weight as it is: it is less than one of any layer's, or those are zero already",
                next_step="take a larger `share`",
            )
        _replace(model.graph, pruned)
        _onnx.save(model, target, large)
        zeros, total = (sum(map(count, pruned.values())) for count in (lambda one: int((one == 0).sum()), np.size))
        return {"zeros": round(zeros / total, 6), "weights": total}

    return _onnx.written(artefact, making, "pruned", options, prune, rows_hash=None)


def _pruned(found: list[Weight], options: Options) -> dict[str, NDArray[np.float32]]:
    """The changed weights by name; a weight that several layers share is pruned once."""
    if options.of == "channels":
        return {one.name: channels(one.values, one.axis, options.share) for one in found[:-1]}
    return {one.name: smallest(one.values, options.share) for one in found}


def channels(values: NDArray[np.float32], axis: int, share: float) -> NDArray[np.float32]:
    """The array with this share of its places along `axis`, those with the smallest root sum of squares, at zero."""
    others = tuple(one for one in range(values.ndim) if one != axis)
    norms = np.square(values, dtype=np.float64).sum(axis=others)
    made = np.moveaxis(values.copy(), axis, 0)
    made[np.argsort(norms, kind="stable")[: int(share * len(norms))]] = 0
    return np.moveaxis(made, 0, axis)


def _replace(graph: Any, changed: dict[str, NDArray[np.float32]]) -> None:
    from onnx import numpy_helper

    for tensor in graph.initializer:
        if tensor.name in changed:
            tensor.CopyFrom(numpy_helper.from_array(np.ascontiguousarray(changed[tensor.name]), tensor.name))
