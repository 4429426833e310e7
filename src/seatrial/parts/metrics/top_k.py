"""Share of rows whose right class is among the k highest scores.

For tasks with many like classes, where a person picks from a short list. A class counts as among the k highest only where
fewer than k others score at least as high: ties earn nothing, so `top_k` with k 1 can be below `accuracy`, which takes
the first of equal scores.

    metrics: [{top_k: {k: 3}}]
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pydantic import Field

from seatrial.contracts.finding import Finding
from seatrial.contracts.part import PartOptions
from seatrial.contracts.protocols import Batch
from seatrial.numerics.losses import top_k_hits
from seatrial.parts.metrics._counts import add, labels, names, scores, share

ACCEPTS = {"task": ("classification",), "answers": ("scores",)}
GIVES = {"finding": ("top_k",)}
CANNOT = {"weights": ("not yet ours", "every row counts alike")}
VERSION = 1


class Options(PartOptions):
    """How long the short list is."""

    k: int = Field(default=5, ge=1, description="how many of the highest-scored classes may hold the right one")


def count(batch: Batch, options: Options) -> dict[str, Any]:
    """Rows, and rows whose label is among the k highest."""
    hits = top_k_hits(scores(batch.answers), labels(batch), options.k)
    return {"classes": names(batch), "rows": len(hits), "hits": int(hits.sum())}


merge = add


def findings(state: dict[str, Any], level: float, options: Options) -> Iterable[Finding]:
    """The share of hits, `{k: 3}`."""
    found = share("top_k", state["hits"], state["rows"], level, "higher", at={"k": options.k})
    width = len(state["classes"])
    trivial = found.value is not None and options.k >= width
    yield (
        found.model_copy(update={"note": f"every label is among {options.k} of {width} classes"}) if trivial else found
    )
