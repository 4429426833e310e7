"""One picture as SVG: speed against lost answers, both with their intervals; a dossier's `plot()` shows it."""

from __future__ import annotations

import re

from pydantic import Field

from seatrial.contracts.dossier import Dossier
from seatrial.contracts.part import PartOptions
from seatrial.parts.reports._picture import picture
from seatrial.parts.reports._view import view

GIVES = {"suffix": ("svg",), "file": ("picture.svg",)}
VERSION = 1


class Options(PartOptions):
    """How large it is."""

    width: int = Field(default=820, ge=400, le=4000, description="pixels")
    most: int = Field(default=40, ge=1, description="how many candidates, the best, are drawn")


def render(dossier: Dossier, options: Options) -> str:
    """The picture, which names in its description every candidate that it doesn't draw. It asks for nothing from outside."""
    return re.sub(r"\s*\n\s*", "\n", picture(view(dossier), options.width, options.most)).strip() + "\n"
