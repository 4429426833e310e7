"""What all tests share: the surroundings of whoever starts them change nothing."""

from __future__ import annotations

import os

for name in (
    "COLUMNS",
    "LINES",
    "NO_COLOR",
    "FORCE_COLOR",
    "CLICOLOR_FORCE",
    "TTY_COMPATIBLE",
    "TTY_INTERACTIVE",
    "CI",
):
    os.environ.pop(
        name, None
    )  # widths and colours are those that a program finds without a terminal, in workers of pytest too
