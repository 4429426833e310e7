"""Rows that are nearly alike: signatures of texts (MinHash) and pictures (difference hash), and which rows share most of one.

MinHash: Broder (1997); banding as in Leskovec, Rajaraman & Ullman, Mining of Massive Datasets, chapter 3. Two texts whose shingles have the
Jaccard index s agree in a share s of a signature's places. Difference hash: signs of the differences of neighbouring cells of an 8 x 9 picture.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from seatrial.numerics.row_hash import mixed

PLACES, BANDS = 128, 16
SHINGLE = 3
"""Words of a shingle; a shorter text is one shingle."""
BESIDE = 8
"""Rows of a band that a row is compared with: chains of copies are found link by link."""

Signatures = NDArray[np.uint32]
Agrees = Callable[[NDArray[np.intp], NDArray[np.intp]], NDArray[np.bool_]]


def minhash(texts: Sequence[str]) -> Signatures:
    """Signatures (texts, 128). Words in small letters; texts without a word have a signature of zeros."""
    found = [shingles(text) for text in texts]
    sizes = np.array([len(one) for one in found])
    made = np.zeros((len(texts), PLACES), np.uint32)
    full = sizes > 0
    if not full.any():
        return made
    flat = mixed(np.concatenate([np.array(one, np.uint64) for one in found if one]))
    starts = np.concatenate([[0], np.cumsum(sizes[full])[:-1]])
    factors = mixed(np.arange(1, PLACES + 1, dtype=np.uint64)) | np.uint64(1)
    with np.errstate(over="ignore"):
        for place, factor in enumerate(factors):
            hashed = (flat * factor) >> np.uint64(32)
            made[full, place] = np.minimum.reduceat(hashed, starts).astype(np.uint32)
    return made


def shingles(text: str) -> list[int]:
    """Hashes of runs of three words, each once."""
    words = text.lower().split()
    if not words:
        return []
    runs = {" ".join(words[at : at + SHINGLE]) for at in range(max(1, len(words) - SHINGLE + 1))}
    return [zlib.crc32(run.encode("utf-8", "replace")) for run in runs]


def similarity(one: Signatures, other: Signatures) -> NDArray[np.float64]:
    """The estimated Jaccard index of texts, row by row."""
    return np.asarray((one == other).mean(axis=1), np.float64)


def grey(images: NDArray[np.generic]) -> NDArray[np.float32]:
    """Pictures (n, height, width), channels averaged wherever they stand."""
    made = np.asarray(images, np.float32)
    if made.ndim == 4:
        made = made.mean(axis=1 if made.shape[1] in (1, 3, 4) and made.shape[-1] not in (1, 3, 4) else 3)
    return made


def shrunk(images: NDArray[np.float32], height: int, width: int) -> NDArray[np.float32]:
    """Pictures (n, height, width) of averages; small pictures are repeated first."""
    _, rows, columns = images.shape
    if rows < height or columns < width:
        images = images.repeat(-(-height // rows), axis=1).repeat(-(-width // columns), axis=2)
        _, rows, columns = images.shape
    downs, acrosses = (
        np.linspace(0, size, parts + 1).astype(int) for size, parts in ((rows, height), (columns, width))
    )
    summed = np.add.reduceat(np.add.reduceat(images, downs[:-1], axis=1), acrosses[:-1], axis=2)
    return np.asarray(summed / np.outer(np.diff(downs), np.diff(acrosses)), np.float32)


def difference_hash(images: NDArray[np.float32]) -> NDArray[np.uint64]:
    """64 bits a picture: whether each of 8 x 9 averages is brighter than its left neighbour."""
    brighter = np.diff(shrunk(images, 8, 9), axis=2) > 0
    return np.packbits(brighter.reshape(len(images), 64), axis=1).view(">u8").ravel().astype(np.uint64)


def near_pairs(keys: Sequence[NDArray[np.uint64]], agrees: Agrees, beside: int = BESIDE) -> NDArray[np.bool_]:
    """Which rows are near an earlier one, (rows,): `keys` are one number a row for each band, `agrees` decides pairs that share one.

    Of rows that share a key each is compared with so many that stand `beside` it.
    """
    near = np.zeros(len(keys[0]) if keys else 0, bool)
    for band in keys:
        for earlier, later in _together(band, beside):
            open_ = ~near[later]
            earlier, later = earlier[open_], later[open_]
            near[later[agrees(earlier, later)]] = True
    return near


def near_across(
    known: Sequence[NDArray[np.uint64]], asked: Sequence[NDArray[np.uint64]], agrees: Agrees, most: int
) -> NDArray[np.bool_]:
    """Which of the rows asked about are near a known one, (rows,): bands and `agrees(known row, asked row)` as for `near_pairs`.

    Of the known rows that share a key, at most so many are looked at.
    """
    near = np.zeros(len(asked[0]) if asked else 0, bool)
    for band, own in zip(known, asked, strict=True):
        order = np.argsort(band, kind="stable")
        low, high = (np.searchsorted(band[order], own, side=side) for side in ("left", "right"))
        for step in range(most):
            open_ = np.flatnonzero(~near & (low + step < high))
            if not len(open_):
                break
            near[open_] = agrees(order[low[open_] + step], open_)
    return near


def _together(band: NDArray[np.uint64], beside: int) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """Pairs of rows, the earlier first, that share a key: each with its next neighbours in the band."""
    order = np.argsort(band, kind="stable")
    for step in range(1, min(beside, len(order) - 1) + 1):
        same = band[order][step:] == band[order][:-step]
        if not same.any():
            return
        yield order[:-step][same], order[step:][same]


def band_keys(signatures: Signatures) -> list[NDArray[np.uint64]]:
    """A key a row for each of 16 bands of 8 places: rows at a Jaccard index of 0.8 share one with probability 0.95, at 0.5 with 0.06."""
    width = PLACES // BANDS
    keys = []
    with np.errstate(over="ignore"):
        for band in range(BANDS):
            key = np.full(len(signatures), band, np.uint64)
            for place in range(band * width, (band + 1) * width):
                key = mixed(key * np.uint64(31) + signatures[:, place].astype(np.uint64))
            keys.append(key)
    return keys
