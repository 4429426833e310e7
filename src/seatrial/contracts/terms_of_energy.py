"""What the names of findings on energy mean."""

from __future__ import annotations

from seatrial.contracts.terms import Term

ENERGY: dict[str, Term] = {
    "energy.query": Term(
        "Energy for a query",
        "What processors, their memory and the GPU drew during a block, over its queries: gross, the machine at rest included.",
        "J",
        "lower",
        short="J/query",
    ),
    "energy.query.net": Term(
        "Energy for a query, net",
        "What a query took beyond what the machine draws at rest.",
        "J",
        "lower",
        short="J/query net",
    ),
    "energy.row": Term(
        "Energy for a row", "Gross energy over the rows that were answered.", "J", "lower", short="J/row"
    ),
    "energy.device": Term(
        "Energy of the GPU for a row",
        "What the GPU drew by its own counter during a block, over the rows that were answered: gross, the processor and its memory left out.",
        "J",
        "lower",
        short="GPU J/row",
    ),
    "energy.device.power": Term(
        "Power of the GPU",
        "What the GPU drew by its own counter, over the time of the block.",
        "W",
        "lower",
        short="GPU power",
    ),
    "energy.power": Term("Power drawn", "Gross energy over the time of the block.", "W", "lower", short="power"),
}
