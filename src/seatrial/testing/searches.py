"""The exam for searches: whoever is left out has a reason, the best is not lost to noise, and of equals nobody is.

`play` runs a search over figures that are known, without workers: of use to whoever writes a search and wants to know what it
saves and how often it errs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from seatrial import catalog
from seatrial.contracts.candidate import Candidate, PartRef
from seatrial.contracts.part import PartInfo
from seatrial.contracts.race import Entrant, Failing, Leaving, Race

Draw = Callable[[str, int], float | None]
"""The preferred figure of a candidate in a round; None where the round was disturbed."""


class Played(NamedTuple):
    """Who stays, who was left out and why, and how many short rounds each candidate ran."""

    staying: tuple[str, ...]
    left: tuple[Leaving, ...]
    rounds: Mapping[str, int]


def play(search: Any, options: Any, entrants: Sequence[Entrant], draw: Draw, better: Any = "higher") -> Played:
    """A search over entrants whose figures are drawn: what `flow` does with workers. Those left out draw no more."""
    running, gone, left = {one.id: one for one in entrants}, {}, []
    counts = search.rungs(options).counts
    rounds = dict.fromkeys(running, 0)
    for count in counts:
        for id_, one in running.items():
            seen = {f"r{index}": draw(id_, index) for index in range(rounds[id_], count)}
            clear = {name: value for name, value in seen.items() if value is not None}
            running[id_] = replace(one, values={**one.values, **clear})
            rounds[id_] = count
        race = Race(
            [*running.values()], [*gone.values()], len(entrants), len(counts), "speedup", better, 2, count == counts[-1]
        )
        for leaving in search.leave(race, options):
            gone[leaving.candidate] = running.pop(leaving.candidate)
            left.append(leaving)
            if leaving.by in running:
                running[leaving.by] = replace(running[leaving.by], relied=True)
        if len(running) < 2:
            break
    return Played(tuple(running), tuple(left), rounds)


def entrants(count: int, **fields: Any) -> list[Entrant]:
    """So many candidates that differ in their runtime alone."""
    made = [Candidate(model="m", runtime=PartRef(name=f"r{index:02d}"), **fields) for index in range(count)]
    return [Entrant(one, f"r{index:02d}") for index, one in enumerate(made)]


def exam(part: PartInfo) -> None:
    """Raises `AssertionError` where the search doesn't do what searches do."""
    search, options = catalog.load(part), catalog.options(part)
    _orders_all(search, options)
    _rungs_rise(search, options)
    _keeps_the_best(search, options)
    _keeps_equals(search, options)
    _spares_what_it_knows_nothing_of(search, options)
    _says_why(search, options)


def _orders_all(search: Any, options: Any) -> None:
    made = [one.candidate for one in entrants(7)]
    assert sorted(search.order(made, options)) == sorted(one.id for one in made), "a candidate is lost, or named twice"
    assert search.order([], options) == []


def _rungs_rise(search: Any, options: Any) -> None:
    counts, share = search.rungs(options)
    assert list(counts) == sorted(set(counts)), "the counts of rounds don't rise"
    assert 0 < share <= 1, "a short round is no share of a full one"


def _keeps_the_best(search: Any, options: Any) -> None:
    """One candidate of twelve is a fifth better; noise of 3 %; of 60 races it is lost in at most a few."""
    field, lost = entrants(12), 0
    for seed in range(60):
        random = np.random.default_rng(seed)
        played = play(search, options, field, lambda id_, _: (1.2 if "r05" in id_ else 1.0) * random.lognormal(0, 0.03))  # noqa: B023
        lost += not any("r05" in id_ for id_ in played.staying)
    assert lost <= 8, f"the best candidate was left out in {lost} of 60 races"


def _keeps_equals(search: Any, options: Any) -> None:
    """Of candidates that are all the same the first look leaves somebody, and all figures equal is no error."""
    assert play(search, options, entrants(5), lambda *_: 1.0).staying, "of equals nobody is left"
    assert play(search, options, entrants(1), lambda *_: 1.0).staying, "who is alone is left out"


def _spares_what_it_knows_nothing_of(search: Any, options: Any) -> None:
    field = entrants(4)
    assert not search.leave(Race(field, [], 4, 3, "speedup", "higher"), options), "left out without a figure"
    seen = [replace(one, values={f"r{k}": 10.0**n for k in range(8)}) for n, one in enumerate(field)]
    assert not search.leave(Race(seen, [], 4, 3), options), "left out by a preference that there isn't"
    unsound = [replace(one, sound=False) for one in seen]
    left = search.leave(Race(unsound, [], 4, 3, "speedup", "higher"), options)
    assert not left, "displaced by a candidate that may not pass"


def _says_why(search: Any, options: Any) -> None:
    """Whoever fails a requirement may be left out, with that reason; nobody twice, nobody that isn't in the race."""
    failing, *others = entrants(4)
    failing = replace(failing, failing=(Failing("accuracy.drop", "the drop is at least 9 pp"),))
    left = search.leave(Race([failing, *others], [], 4, 3), options)
    assert {one.candidate for one in left} <= {failing.id}, "left out without a reason"
    assert all("9 pp" in one.reason for one in left), "the reason isn't said"
    assert len({one.candidate for one in left}) == len(left)
