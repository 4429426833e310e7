"""How a model gets to a runtime: in a form that the runtime takes, or converted on the way, through other formats where need be."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from seatrial import catalog
from seatrial.contracts.candidate import PartRef
from seatrial.contracts.part import PartInfo
from seatrial.contracts.study import Model
from seatrial.flow.chains import formats

LONGEST = 3
"""Conversions one after the other."""


class Way(NamedTuple):
    """How a model gets to a runtime: its form, and what converts it; or the reason why it doesn't."""

    form: str = ""
    conversion: PartRef | None = None
    reason: str = ""


class _Step(NamedTuple):
    """A way so far: what converted the form, which format that gives, and what all of it needs."""

    form: str
    conversions: tuple[PartRef, ...]
    formats: tuple[str, ...]
    needed: tuple[PartInfo, ...]

    @property
    def way(self) -> Way:
        return Way(self.form, _chain(self.conversions))


def fitting(model: str, stated: Model, links: Sequence[PartInfo], runtime: PartInfo, folder: Path) -> Way:
    """The first form, in the runtime's order of formats and then the study's, that the variant and the runtime take as it
    is; else the first that they take after one conversion, in that order and then the conversions'; else after more of them."""
    known = [(one, catalog.find("conversions", one.name, folder)) for one in stated.conversions] or [
        (PartRef(name=name), info) for name, info in catalog.parts("conversions").items()
    ]
    steps = list(_forms(stated, folder))
    reasons: list[str] = []
    for _ in range(LONGEST + 1):
        found = [one for step in steps if (one := _placed(step, links, runtime, reasons))]
        if found:
            return min(found, key=lambda one: one[0])[1]
        steps = [longer for step in steps for longer in _longer(step, known)]
    return Way(reason=f"no form of {model} fits: {'; '.join(dict.fromkeys(reasons))}")


def not_installed(part: PartInfo) -> Iterator[str]:
    """That a part needs packages which aren't there, and the command that adds them."""
    if gone := catalog.absent(part):
        yield f"{part.name} needs {', '.join(gone)}, which isn't installed: {part.install()}"


def _forms(stated: Model, folder: Path) -> Iterator[_Step]:
    for name in stated.forms:
        subject = catalog.find("subjects", name, folder)
        for given in subject.gives.get("format", (name,)):
            yield _Step(name, (), (given,), (subject,))


def _longer(step: _Step, known: Sequence[tuple[PartRef, PartInfo]]) -> Iterator[_Step]:
    """The step with one more conversion, to each format that it hasn't been in; none where something is missing for it."""
    if any(map(catalog.absent, step.needed)):
        return
    for ref, info in known:
        if info.takes("format", step.formats[-1]):
            for made in info.gives.get("format", ()):
                if made not in step.formats:
                    yield _Step(step.form, (*step.conversions, ref), (*step.formats, made), (*step.needed, info))


def _placed(
    step: _Step, links: Sequence[PartInfo], runtime: PartInfo, reasons: list[str]
) -> tuple[tuple[int, int], Way] | None:
    """The way, with the runtime's place for it, where the variant and the runtime take this format; else note why not."""
    given, needed = step.formats[-1], step.needed[-1]
    made = formats(links, given, runtime)
    if isinstance(made, str):
        if len(step.conversions) < 2:  # what longer ways don't reach says no more
            origin = f", which {needed.name} makes of {step.formats[-2]}" if step.conversions else ""
            reasons.append(f"{made}{origin}")
    elif gone := next(not_installed(needed), ""):
        reasons.append(gone)
    else:
        return (_place(runtime, made[-1]), _place(links[0], given)), step.way
    return None


def _place(part: PartInfo, made: str) -> int:
    """Where a format stands among those that a part takes."""
    accepted = part.accepts.get("format", ())
    return accepted.index(made) if made in accepted else len(accepted)


def _chain(conversions: Sequence[PartRef]) -> PartRef | None:
    """One reference for all of them: a lone one as it is, several with the options under their names."""
    if len(conversions) < 2:
        return next(iter(conversions), None)
    options = {one.name: one.options for one in conversions if one.options}
    return PartRef(name="+".join(one.name for one in conversions), options=options)
