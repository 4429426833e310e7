"""Pictures as PNG, read back by somebody else's reader."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from seatrial.numerics.png import png


@pytest.mark.parametrize("shape", [(1, 1), (5, 7), (6, 4, 1), (3, 9, 3), (2, 2, 4)])
def test_what_is_written_is_read(shape: tuple[int, ...]):
    pixels = np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)
    read = np.asarray(Image.open(io.BytesIO(png(pixels))))
    assert np.array_equal(read, pixels.reshape(read.shape))


@pytest.mark.parametrize("wrong", [np.zeros((2, 2)), np.zeros((2, 2, 2), np.uint8), np.zeros((0, 3), np.uint8)])
def test_what_is_no_picture_is_told(wrong: np.ndarray):
    with pytest.raises(ValueError, match="a picture is"):
        png(wrong)
