"""Who is served worse, in plain words: for the first page, the terminal and pipelines."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from seatrial.contracts.finding import Finding
from seatrial.parts.reports._fairness import crossed, gaps
from seatrial.parts.reports._numbers import form, interval
from seatrial.parts.reports._robustness import faster
from seatrial.parts.reports._slices import (
    EXCESS,
    HURT,
    Found,
    Served,
    conditions,
    hurt,
    named,
    searched,
    spoken,
)
from seatrial.parts.reports._view import Row, View
from seatrial.parts.reports._words import about, clean, words

MOST = 3
"""Most sentences of one kind."""


class Worse(NamedTuple):
    """What is said of one candidate: whom the change hurt, who is served worse anyway, gaps, spoilt inputs, and good news."""

    row: Row
    hurt: tuple[str, ...]
    behind: tuple[str, ...]
    gaps: tuple[str, ...]
    spoilt: tuple[str, ...]
    quiet: tuple[str, ...]
    more: int

    @property
    def sentences(self) -> tuple[str, ...]:
        """All of them, in the order of what matters."""
        return (*self.hurt, *self.behind, *self.gaps, *self.spoilt, *self.quiet)


def worse(shown: View) -> Worse | None:
    """Of the candidate that is spoken of; None where nothing was found on groups, people or spoilt inputs."""
    row = shown.focus
    if row is None:
        return None
    harmed, behind = list(_hurt(shown, row)), list(_behind(shown, row))
    made = Worse(
        row,
        tuple(harmed[:MOST]),
        tuple(behind[:MOST]),
        tuple(_gaps(row)),
        tuple(_spoilt(shown, row)),
        tuple(_quiet(row, harmed)),
        max(0, len(harmed) - MOST) + max(0, len(behind) - MOST),
    )
    return made if made.sentences else None


def brief(shown: View) -> list[str]:
    """At most three lines: the group that is served worst, the widest gap, spoilt inputs."""
    made = worse(shown)
    if made is None:
        return []
    first = (*made.hurt, *made.behind, *(() if made.gaps or made.spoilt else made.quiet))
    return [*first[:1], *made.gaps[:1], *made.spoilt[:1]]


def groups_hurt(shown: View, row: Row) -> list[str]:
    """The groups of rows that the change hurt, as the study writes them: named ones, and what the search found."""
    found = [*(one.where for one in searched(row, HURT)), *(one.where for one in hurt(shown, row))]
    return list(dict.fromkeys(map(conditions, found)))


def _hurt(shown: View, row: Row) -> Iterator[str]:
    found = searched(row, HURT)
    yield from (_found("hurt", one) for one in found)
    told = {one.where for one in found}
    counted = sum(1 for one in named(shown, row) if one.drop)
    yield from (_named(shown, one, counted) for one in _plainest(hurt(shown, row)) if one.where not in told)


def _plainest(listed: list[Served]) -> list[Served]:
    """Those that are in no wider group of the list: where all rows of a camera are hurt, so are those of it by sex."""
    wide = [set(one.where) for one in listed]
    return [one for one in listed if not any(group < set(one.where) for group in wide)]


def _named(shown: View, one: Served, counted: int) -> str:
    assert one.drop is not None
    how, name = form([one.drop]), about(shown.group_measure[0])["name"]
    low = how.text(one.low or 0.0)
    return _say(
        "hurt_named", where=spoken(one.where), name=name, drop=how.text(one.drop.number), low=low, count=counted
    )


def _behind(shown: View, row: Row) -> Iterator[str]:
    """What the search found, then the named groups that are worse than all rows together."""
    found = searched(row, EXCESS)
    yield from (_found("excess", one) for one in found)
    what, at = shown.group_measure
    overall, told = row.find(what, at), {one.where for one in found}
    behind = sorted((one for one in named(shown, row) if one.behind and one.where not in told), key=_worst)
    for one in behind[:1] if found else behind:
        if one.found and overall:
            yield _apart(one, one.found, overall)


def _apart(one: Served, found: Finding, overall: Finding) -> str:
    """How a named group stands against the other rows: in errors where accuracy is counted, else against all rows."""
    if overall.what == "accuracy" and found.n and overall.n and overall.n > found.n:
        others = (overall.number * overall.n - found.number * found.n) / (overall.n - found.n)
        inside, outside = (_hundred(min(1.0, max(0.0, 1 - share))) for share in (found.number, others))
        return _say("excess", where=spoken(one.where), inside=inside, outside=outside)
    how = form([found, overall])
    values = {"value": how.text(found.number), "overall": how.text(overall.number)}
    return _say("behind", where=spoken(one.where), name=about(found.what)["name"], **values)


def _worst(one: Served) -> float:
    if one.found is None:
        return 0.0
    return one.found.number if one.found.better == "higher" else -one.found.number


def _found(kind: str, one: Found) -> str:
    if one.inside is None or one.outside is None:
        how = form([one.finding])
        return _say("found", where=spoken(one.where), value=how.text(one.finding.number))
    inside, outside = (_hundred(side) if kind == "excess" else _more(side) for side in (one.inside, one.outside))
    return _say(kind, where=spoken(one.where), inside=inside, outside=outside)


def _hundred(share: float) -> str:
    """Of 100 rows: `44`, `0.7`."""
    return f"{100 * share:.2g}" if abs(share) < 0.0095 else f"{100 * share:.0f}"


def _more(share: float) -> str:
    said = words()["served"]
    return str(said["as_many" if share == 0 else "more" if share > 0 else "fewer"].format(count=_hundred(abs(share))))


def _gaps(row: Row) -> Iterator[str]:
    """Of each partition the widest gap that the change widened, else the widest that is more than chance; then who is undecided."""
    listed, told = gaps(row), set()
    for one in sorted(listed, key=lambda one: not one.grew):
        groups = one.finding.at["groups"]
        if groups not in told and (one.grew or (one.finding.low or 0.0) > 0):
            told.add(groups)
            yield _gap(one.finding, one.drop if one.grew else None)
    undecided = {str(one.finding.at["groups"]): names for one in listed if (names := _undecided(one.finding))}
    yield from (_say("undecided", groups=crossed(groups), names=names) for groups, names in undecided.items())


def _gap(finding: Finding, drop: Finding | None) -> str:
    how, ends = form([finding]), ""
    if finding.low is not None and finding.high is not None:
        ends = f" ({interval(finding, how)})"
    given = {"favourable": finding.at.get("favourable", ""), "value": how.text(finding.number), "ends": ends}
    text = _say(
        "gap", groups=crossed(finding.at["groups"]), name=about(finding.what)["name"], who=_who(finding), **given
    )
    return text + (_say("gap_grew", drop=form([drop]).text(drop.number)) if drop else "")


def _who(finding: Finding) -> str:
    """Which groups lie farthest apart, as the metric noted it."""
    told = [piece for piece in finding.note.split("; ") if piece.startswith("highest ")]
    return f": {clean(told[0])}" if told else ""


def _undecided(finding: Finding) -> str:
    """The groups that are too small to speak of, as the metric noted them."""
    told = [piece.partition(": ")[2] for piece in finding.note.split("; ") if piece.startswith("undecided")]
    return clean(told[0]) if told else ""


def _spoilt(shown: View, row: Row) -> Iterator[str]:
    said, names = words()["corruption"], faster(row)
    if names:
        how = [said.get(name.split("(")[0]) or said["other"].format(name=name) for name in names]
        listed = said["or"].join(dict.fromkeys(how[:MOST]))
        more = words()["first"]["care_more"].format(count=len(how) - MOST) if len(how) > MOST else ""
        yield _say("faster", reference=shown.reference.label if shown.reference else "", how=listed + more)


def _quiet(row: Row, harmed: list[str]) -> Iterator[str]:
    """That a search found nothing, and what it would have found."""
    count, least = row.find(f"{HURT}.count"), row.find(f"{HURT}.detectable")
    if harmed or count is None or count.value != 0 or least is None or least.value is None:
        return
    yield _say("quiet", least=form([least]).text(least.number))


def _say(key: str, **given: Any) -> str:
    return clean(str(words()["served"][key]).format(**given))
