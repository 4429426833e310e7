"""A prediction as findings, for programs, studies and reports: all of origin *predicted*, so that no requirement passes on them."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

from seatrial.contracts.finding import Finding, Origin
from seatrial.contracts.hardware import Forecast, Range
from seatrial.contracts.record import Scalar
from seatrial.flow.hardware.advice import sentences, words
from seatrial.flow.hardware.picture import picture

LATENCY, THROUGHPUT, MEMORY, LIMIT = "predicted.latency", "predicted.throughput", "predicted.memory", "predicted.limit"
ADVICE, DRAWN = "advice", "roofline"
"""Artefacts of `predicted.limit`: sentences, one a line; and the roofline as the address of an SVG that carries its own content."""


def findings(made: Forecast, at: Mapping[str, Scalar] | None = None, model: str = "") -> list[Finding]:
    """Latency, throughput, memory, and what it is held up by with advice; with the picture where a `model`'s name is given."""
    setting = {**(at or {}), "batch": made.batch, "device": made.device, "precision": made.precision}
    common: dict[str, Any] = {
        "at": setting,
        "origin": Origin.PREDICTED,
        "method": f"roofline: {made.basis}",
        "note": "; ".join(made.doubts),
    }
    drawn = {DRAWN: _address(picture(made, model))} if model else {}
    return [
        Finding(what=LATENCY, better="lower", **_number(made.latency), **common),
        Finding(what=THROUGHPUT, better="higher", **_number(made.throughput), **common),
        Finding(
            what=MEMORY, value=made.needs, unit="B", better="lower", **common | {"method": words()["told"]["needs"]}
        ),
        Finding(
            what=LIMIT,
            value=words()["limit"][made.limit],
            artefacts={ADVICE: "\n".join(sentences(made))} | drawn,
            **common,
        ),
    ]


def _number(one: Range) -> dict[str, Any]:
    return {"value": one.value, "low": one.low, "high": one.high, "unit": one.unit}


def _address(svg: str) -> str:
    return "data:image/svg+xml;base64," + base64.b64encode(svg.encode()).decode()
