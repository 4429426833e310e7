"""Inverse square roots modulo the prime 2^89 - 1, many at once.

Numbers are held as three limbs of 30, 30 and 29 bits in uint64, so that no product overflows: a column of a product is at most five
products of limbs. 2^90 is 2 modulo the prime, so what overflows comes back at the lower end, twice. The prime is 3 modulo 4: the root of a
square a is a^((p+1)/4), its inverse a^((p-3)/4) = a^(2^87 - 1), found by 86 squarings and 10 products (an addition chain for 87).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

PRIME = 2**89 - 1
Limbs = tuple[NDArray[np.uint64], NDArray[np.uint64], NDArray[np.uint64]]
_LOW, _BITS, _ONE = np.uint64(2**30 - 1), np.uint64(30), np.uint64(1)
_CHAIN = ((1, 1), (2, 2), (4, 1), (5, 5), (10, 10), (20, 1), (21, 21), (42, 1), (43, 43), (86, 1))
"""From a^(2^m - 1) and a^(2^n - 1) comes a^(2^(m+n) - 1): (m, n) up to 87."""
_BLOCK = 4096
"""Numbers that are worked on together: their limbs stay in the processor's cache."""


def inverse_roots(numbers: NDArray[Any]) -> NDArray[Any]:
    """1 / sqrt(a) for each a, all of them squares other than 0: Python integers in an object array of the same shape.

    Of the two roots the one that is a square itself. What isn't a square gives a number that is no root of it.
    """
    flat = numbers.reshape(-1)
    made = np.empty(len(flat), object)
    for start in range(0, len(flat), _BLOCK):
        made[start : start + _BLOCK] = _numbers(_power(_limbs(flat[start : start + _BLOCK])))
    return made.reshape(numbers.shape)


def _power(base: Limbs) -> Limbs:
    """base^(2^87 - 1)."""
    known = {1: base}
    for more, less in _CHAIN:
        value = known[more]
        for _ in range(less):
            value = _square(value)
        known[more + less] = _product(value, known[less])
    return known[87]


def _square(a: Limbs) -> Limbs:
    a0, a1, a2 = a
    twice = a0 << _ONE
    return _carried(a0 * a0 + ((a1 * a2) << np.uint64(2)), twice * a1 + ((a2 * a2) << _ONE), twice * a2 + a1 * a1)


def _product(a: Limbs, b: Limbs) -> Limbs:
    (a0, a1, a2), (b0, b1, b2) = a, b
    return _carried(
        a0 * b0 + ((a1 * b2 + a2 * b1) << _ONE),
        a0 * b1 + a1 * b0 + ((a2 * b2) << _ONE),
        a0 * b2 + a1 * b1 + a2 * b0,
    )


def _carried(c0: NDArray[np.uint64], c1: NDArray[np.uint64], c2: NDArray[np.uint64]) -> Limbs:
    """Limbs of 30 bits again (the middle one may be a little more)."""
    c1 += c0 >> _BITS
    c0 &= _LOW
    c2 += c1 >> _BITS
    c1 &= _LOW
    c0 += (c2 >> _BITS) << _ONE
    c2 &= _LOW
    c1 += c0 >> _BITS
    c0 &= _LOW
    return c0, c1, c2


def _limbs(numbers: NDArray[Any]) -> Limbs:
    packed = b"".join([one.to_bytes(12, "little") for one in numbers.tolist()])
    words = np.frombuffer(packed, "<u4").reshape(-1, 3).astype(np.uint64)
    first, second, third = words.T
    middle = (first >> _BITS | second << np.uint64(2)) & _LOW
    return first & _LOW, middle, second >> np.uint64(28) | third << np.uint64(4)


def _numbers(limbs: Limbs) -> NDArray[Any]:
    low = (limbs[0] + (limbs[1] << _BITS)).astype(object)
    made: NDArray[Any] = (low + limbs[2].astype(object) * 2**60) % PRIME
    return made
