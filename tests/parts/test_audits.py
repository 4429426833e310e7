"""Every audit sits the exam."""

from __future__ import annotations

import pytest

from seatrial import catalog
from seatrial.contracts.part import PartInfo
from seatrial.testing.audits import exam


@pytest.mark.parametrize(
    "part", [one for one in catalog.parts("audits").values() if not catalog.absent(one)], ids=lambda part: part.name
)
def test_the_exam(part: PartInfo) -> None:
    exam(part)
