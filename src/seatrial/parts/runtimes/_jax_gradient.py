"""Losses of a JAX function's answers, and their gradient by its inputs, as one program that XLA compiles."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from seatrial.contracts.protocols import Loss
from seatrial.errors import Unsupported
from seatrial.parts.runtimes._slopes import LEAST, wanted

Answering = Callable[[Any, dict[str, Any]], dict[str, Any]]
"""Weights and inputs by name in, answers by name out."""


def sloping(named: Answering, loss: Loss) -> Callable[..., Any]:
    """A function of weights, float inputs, other inputs and `extra` (labels or cotangents): gradients, losses of the rows, answers."""
    import jax

    def summed(floats: dict[str, Any], weights: Any, rest: dict[str, Any], extra: Any) -> Any:
        answers = named(weights, {**floats, **rest})
        each = losses(wanted(loss, answers), loss, extra)
        return each.sum(), (each, answers)

    def slope(weights: Any, floats: dict[str, Any], rest: dict[str, Any], extra: Any) -> Any:
        gradient, (each, answers) = jax.grad(summed, has_aux=True)(floats, weights, rest, extra)
        return gradient, each, answers

    return slope


def parted(inputs: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Inputs that are floats, and the others. Raises `Unsupported` where none is."""
    import jax.numpy as jnp

    floats = {name: one for name, one in inputs.items() if jnp.issubdtype(one.dtype, jnp.floating)}
    if not floats:
        raise Unsupported("no input is a float, so there is no gradient by the inputs")
    return floats, {name: one for name, one in inputs.items() if name not in floats}


def losses(output: Any, loss: Loss, extra: Any) -> Any:
    """The loss of each row, float32, of an output rows x ...; `extra` holds the rows' labels or cotangents, which fit it."""
    import jax
    import jax.numpy as jnp

    output = output.astype(jnp.float32)
    if loss.kind == "cotangent":
        return (output * extra).reshape(len(output), -1).sum(1)
    scores = jnp.log(jnp.maximum(output, LEAST)) if loss.means == "probabilities" else output
    if loss.kind == "cross_entropy":
        return -jnp.take_along_axis(jax.nn.log_softmax(scores, axis=1), extra[:, None], axis=1)[:, 0]
    ordered = -jnp.sort(-scores, axis=1)
    if loss.kind == "targeted_dlr":
        picked = jnp.take_along_axis(scores, extra, axis=1)
        apart = ordered[:, 0] - (ordered[:, 2] + ordered[:, 3]) / 2
        return (picked[:, 1] - picked[:, 0]) / jnp.maximum(apart, LEAST)
    own = jax.nn.one_hot(extra, scores.shape[1], dtype=bool)
    margin = jnp.where(own, -jnp.inf, scores).max(1) - jnp.take_along_axis(scores, extra[:, None], axis=1)[:, 0]
    return margin if loss.kind == "margin" else margin / jnp.maximum(ordered[:, 0] - ordered[:, 2], LEAST)
