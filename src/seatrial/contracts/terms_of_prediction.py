"""Glossary: what devices that aren't here would do."""

from __future__ import annotations

from seatrial.contracts.terms import Term

PREDICTION: dict[str, Term] = {
    "predicted.latency": Term(
        "Predicted time of a call",
        "How long a call would take on a device that isn't here, from the best to the worst that is believed of it. By a model of hardware, not by "
        "measuring: no requirement passes on it.",
        "s",
        "lower",
        short="a call",
    ),
    "predicted.throughput": Term(
        "Predicted throughput",
        "Rows a second on a device that isn't here, one call after the other, from the worst to the best that is believed of it.",
        "samples/s",
        "higher",
        short="rows/s",
    ),
    "predicted.speedup": Term(
        "Predicted speed against the reference here",
        "Rows a second predicted for a device that isn't here, over those measured of the reference on this machine.",
        "x",
        "higher",
        short="against here",
    ),
    "predicted.memory": Term(
        "Memory needed there",
        "Memory that the model needs on a device at the least: its constants, and what its largest operator reads and writes.",
        "B",
        "lower",
        short="needs",
    ),
    "predicted.limit": Term(
        "What it would be held up by",
        "What most of a call's predicted time would go to: arithmetic, moving data, starting operators, or the way to the device.",
        short="held up by",
    ),
}
