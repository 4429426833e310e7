"""Roles of rows, so that nothing is chosen and judged on the same rows."""

from __future__ import annotations

from enum import StrEnum


class Role(StrEnum):
    """What rows may be used for."""

    TRAIN = "train"
    CALIBRATE = "calibrate"  # fixes ranges and temperatures
    TUNE = "tune"  # chooses settings
    DISCOVER = "discover"  # finds slices
    CONFIRM = "confirm"  # judges


EVALUATION = (Role.DISCOVER, Role.CONFIRM)
"""Rows that no candidate was made from: quality is measured on both together."""
