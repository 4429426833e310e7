"""Which formats a model goes through when variants are made of it one after the other, and whether a runtime takes what comes out."""

from __future__ import annotations

from collections.abc import Sequence

from seatrial.contracts.part import PartInfo


def formats(links: Sequence[PartInfo], given: str, runtime: PartInfo) -> tuple[str, ...] | str:
    """The format after each link, so that the next takes it and the runtime takes the last; or in words why there is no way.

    A variant that gives several formats gives the one that it was given where that will do, else the first that will.
    """
    if not links:
        return () if runtime.takes("format", given) else f"{runtime.name} doesn't take {given}"
    link, *rest = links
    if not link.takes("format", given):
        return f"{link.name} doesn't take {given}"
    if "after" in link.gives.get("step", ()) and rest:
        return f"{link.name} is a step after the model: nothing can follow it in a chain"
    if "before" in link.gives.get("step", ()) and any("step" not in one.gives for one in rest):
        return f"{link.name} is a step before the model: nothing that changes the model can follow it in a chain"
    offered = link.gives.get("format", (given,))
    why = ""
    for made in sorted(offered, key=lambda one: one != given):
        found = formats(rest, made, runtime)
        if not isinstance(found, str):
            return (made, *found)
        why = found
    return why
