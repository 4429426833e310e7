"""What a variant found out about the model's layers while it was made, from the artefact's lineage to findings."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from seatrial.contracts.artefact import Artefact
from seatrial.contracts.finding import Finding
from seatrial.flow.trial import now


def layers(artefact: Artefact, candidate: str) -> Iterator[Finding]:
    """`sensitivity` of each layer, and `left_in_float`: the layers that the variant left, and recommends to leave, in float."""
    found, of = artefact.lineage.found, {"candidate": candidate, "part": artefact.lineage.recipe, "measured_at": now()}
    rows = {"n": found["rows"], "unit_of_replication": "rows"} if "rows" in found else {}
    for layer, value in found.get("sensitivity", {}).items():
        yield Finding(
            what="sensitivity",
            at={"layer": layer},
            value=value,
            better="lower",
            method="root mean square change of the answers with this layer alone in int8, over their standard deviation",
            **rows,
            **of,
        )
    if "left_in_float" in found:
        names = ", ".join(found["left_in_float"]) or "none"
        yield Finding(what="left_in_float", value=names, method=_method(found), **rows, **of)


def _method(found: dict[str, Any]) -> str:
    if "lost" not in found:
        return "operators that read or give numbers beyond half of the type's range"
    sure = found["confidence"]
    most = (
        f", at most {found['lost_at_most']:.2%} (one-sided {sure:.0%} bound)"
        if sure
        else ", counted on these rows alone"
    )
    return (
        f"the fewest, most sensitive first, with which the bound holds; {found['lost']:.2%} of {found['of']} lost{most}, "
        f"{found['lost_with_all_in_int8']:.2%} with every layer in int8; right is what says: {found['right']}"
    )
