"""How pictures look, one number each: brightness, contrast, blur."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

OVERALL = ("brightness", "contrast")
"""What `look` tells of a picture as a whole: mean and standard deviation, of any row of numbers."""


def look(pictures: ArrayLike, what: str) -> NDArray[np.float64]:
    """`brightness` (mean), `contrast` (standard deviation) or `blur` of each picture, shape (rows,).

    `pictures` are rows x height x width, with channels of 1, 3 or 4 on the last or first axis of a row, or none; channels are
    averaged. `blur` is minus the logarithm of the variance of the Laplacian (Pech-Pacheco et al. 2000), so that more is more
    blurred; a picture without any edge counts as one with variance 1e-12. `ValueError` for other shapes.
    """
    grey = _grey(np.asarray(pictures, np.float64))
    if what == "brightness":
        return np.asarray(grey.mean(axis=(1, 2)))
    if what == "contrast":
        return np.asarray(grey.std(axis=(1, 2)))
    if what == "blur":
        return np.asarray(-np.log(np.maximum(_laplacian(grey).var(axis=(1, 2)), 1e-12)))
    raise ValueError(f"`{what}` is none of brightness, contrast, blur")


def _grey(pictures: NDArray[np.float64]) -> NDArray[np.float64]:
    if pictures.ndim == 3:
        return pictures
    if pictures.ndim == 4 and pictures.shape[3] in (1, 3, 4):
        return np.asarray(pictures[..., :3].mean(axis=3))
    if pictures.ndim == 4 and pictures.shape[1] in (1, 3, 4):
        return np.asarray(pictures[:, :3].mean(axis=1))
    raise ValueError(f"rows of shape {pictures.shape[1:]} are no pictures")


def _laplacian(grey: NDArray[np.float64]) -> NDArray[np.float64]:
    padded = np.pad(grey, ((0, 0), (1, 1), (1, 1)), mode="edge")
    around = padded[:, :-2, 1:-1] + padded[:, 2:, 1:-1] + padded[:, 1:-1, :-2] + padded[:, 1:-1, 2:]
    return np.asarray(around - 4 * grey)
