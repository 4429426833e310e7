"""The computation itself, on shares: layers in fixed point, the best class, and counts. No party sees a value of it.

It runs the same at every party; what a party doesn't hold, it holds a share of. Comparisons work on as many bits as the terms
say values take, and no more.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from seatrial.contracts.parties import Layer, Terms
from seatrial.flow.secure.network import Step
from seatrial.flow.secure.shares import Guard
from seatrial.numerics.mersenne import PRIME

OWNERS = [0, 1]


class Circuit:
    """The terms as a computation on MPyC's runtime."""

    def __init__(self, mpc: Any, guard: Guard, terms: Terms) -> None:
        self._mpc, self._guard, self._terms = mpc, guard, terms

    def array(self, shares: Any, bits: int) -> Any:
        """Shares (whole numbers of the field) as a secret array whose values take `bits` bits."""
        kind = self._mpc.SecInt(bits, p=PRIME).array
        return kind(kind.sectype.field.array(shares, check=False))

    async def scores(self, rows: Any, weights: list[tuple[Any, Any]]) -> Any:
        """Scores (rows x classes) of rows (rows x inputs); `weights` are shares of those of linear and convolution layers, in order."""
        given = iter(weights)
        for layer in self._terms.layers:
            rows = await self._done(await self._layer(layer, rows, given), layer.bits)
        return rows

    async def counts(self, scores: Any, labels: Any) -> tuple[Any, ...]:
        """Shares of the agreed counts and of the number of uncertain rows; `labels` are 0 and 1 (rows x classes)."""
        mpc, terms, labels = self._mpc, self._terms, self._like(scores, labels)
        best, top = mpc.np_argmax(scores, axis=1, arg_unary=True, arg_only=False, keepdims=True)
        if terms.counts == "confusion":
            counted = mpc.np_matmul(mpc.np_transpose(best), labels)
        else:
            counted = mpc.np_sum(best * labels, axis=0)
            counted = mpc.np_sum(counted) if terms.counts == "correct" else counted
        near = mpc.np_sum(1 - mpc.np_sgn(scores - top + terms.margin, LT=True), axis=1)
        few = len(terms.classes).bit_length() + 2
        uncertain = mpc.np_sum(1 - mpc.np_sgn(near - 2, l=few, LT=True))
        return tuple(np.atleast_1d(one.value).astype(object) for one in await mpc.gather(counted, uncertain))

    async def open(self, name: str, shares: Any) -> Any:
        """An agreed count in the clear, to the two owners: an array of whole numbers; nothing to the helper."""
        kind = self._mpc.SecInt(47, p=PRIME)
        opened = await self._guard.open(name, kind.array(kind.field.array(shares)), OWNERS)
        return None if opened is None else np.asarray(opened.signed_(), dtype=object)

    async def _layer(self, layer: Layer, rows: Any, given: Any) -> Any:
        mpc = self._mpc
        if layer.kind == "relu":
            return rows * (1 - mpc.np_sgn(rows, LT=True))
        if layer.kind == "linear":
            weights, bias = (self._like(rows, one) for one in next(given))
            return self._cut(mpc.np_matmul(rows, weights) + bias, layer)
        places = _places(layer)
        seen = await self._windows(rows, places)
        count, (where, channels, members) = rows.shape[0], places.shape
        if layer.kind == "convolution":
            weights, bias = (self._like(rows, one) for one in next(given))
            flat = mpc.np_reshape(seen, (count * where, channels * members))
            found = self._cut(mpc.np_matmul(flat, weights) + bias, layer)
            channels = weights.shape[1]
        elif layer.kind == "average_pool":
            found = self._cut(mpc.np_sum(seen, axis=3) * round(2**self._terms.fraction / members), layer)
        else:
            found = mpc.np_amax(seen, axis=3)
        turned = mpc.np_transpose(mpc.np_reshape(found, (count, where, channels)), (0, 2, 1))
        return mpc.np_reshape(turned, (count, channels * where))

    def _like(self, secret: Any, shares: Any) -> Any:
        return type(secret)(type(secret).sectype.field.array(shares, check=False))

    def _cut(self, product: Any, layer: Layer) -> Any:
        """A product without the second half of its digits."""
        return self._mpc.np_trunc(product, f=self._terms.fraction, l=layer.wide)

    async def _windows(self, rows: Any, places: Any) -> Any:
        """What each window sees (rows x places x channels x members), zeros in the padding."""
        shares = await self._mpc.gather(rows)
        padded = np.concatenate([shares.value, np.zeros((len(shares.value), 1), object)], axis=1)
        return type(rows)(type(shares)(padded[:, places], check=False))

    async def _done(self, secret: Any, bits: int) -> Any:
        """Waits for a layer, and says how many bits its values take from here on."""
        shares = await self._mpc.gather(secret)
        return self.array(shares.value, bits)


def _places(layer: Layer) -> Any:
    return Step(
        layer.kind, layer.inputs, layer.outputs, window=layer.window, stride=layer.stride, pads=layer.pads
    ).places
