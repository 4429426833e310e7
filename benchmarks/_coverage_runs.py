"""Simulated studies of known populations: what the flow states of each, and whether its bounds hold the truth.

Many studies go through the flow at once, each a slice of its own: what is simulated is what a study does, methods switched by
counts, widened by replicate groups and paired with the reference.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

import numpy as np
from _coverage_held import Bounds, Held, Key, hash_of, held, of_finding, of_measure
from _coverage_people import EACH, GALLERY, Make
from numpy.typing import NDArray

from seatrial import catalog
from seatrial.contracts.finding import Condition, Finding
from seatrial.contracts.quality import Batch
from seatrial.contracts.tally import Slice
from seatrial.flow import arrays, stated
from seatrial.flow._sampling import Sampling
from seatrial.flow.counted import Asked, Judged, Pieces, count
from seatrial.flow.slices import Sliced
from seatrial.flow.whole import state as state_whole

Places = NDArray[np.int64]


class Scene(NamedTuple):
    """One situation: a population, how many rows (or clusters) a study has, and how they were drawn: plain, weighted, clustered.

    `metrics` with their options, `at_once` studies at a time. `paired`: differences from the reference, too.
    """

    people: Make
    rows: int
    metrics: dict[str, dict[str, Any]]
    drawn: str = "plain"
    at_once: int = 9
    paired: bool = True
    groups: int = 1


class Simulated:
    """One scene under way: its truths, and studies drawn from it by number, so that it can go on where it ended."""

    def __init__(self, name: str, scene: Scene) -> None:
        self.name, self.scene, self.at_once = name, scene, scene.at_once
        self._people = scene.people()
        self._asked = [Asked(catalog.find("metrics", one), given) for one, given in scene.metrics.items()]
        with tempfile.TemporaryDirectory() as folder:
            everyone = np.arange(len(self._people.group))[None]
            self.truths = {key: float(one.value[0]) for key, one in self._stated(everyone, Path(folder), truths=True)}

    def studies(self, first: int) -> dict[Key, Held]:
        """`at_once` studies, drawn by the number of the first."""
        rng = np.random.default_rng([hash_of(self.name), first])
        with tempfile.TemporaryDirectory() as folder:
            drawn = np.stack([self._draw(rng) for _ in range(self.scene.at_once)])
            return held(self._stated(drawn, Path(folder)), self.truths)

    def _draw(self, rng: np.random.Generator) -> Places:
        rows, people = self.scene.rows, self._people
        if self.scene.drawn == "clustered":
            clusters = rng.integers(0, len(people.group) // EACH, rows)
            return np.asarray((clusters[:, None] * EACH + np.arange(EACH)).ravel())
        if self.scene.drawn == "weighted":
            chance = np.cumsum(1.0 / people.weight)
            return np.searchsorted(chance, rng.random(rows) * chance[-1])
        first = GALLERY if "vectors" in people.batch.answers else 0
        return rng.integers(first, len(people.group), rows)

    def _stated(self, drawn: Places, folder: Path, truths: bool = False) -> Iterator[tuple[Key, Bounds]]:
        """What is stated of studies (studies, rows); of the population itself no rows are weighted or clustered."""
        batch = _take(self._people.batch, drawn.ravel())
        cells, codes = self._cells(drawn)
        sampling = Sampling() if truths else self._sampling(drawn, folder)
        if "vectors" in batch.answers:
            batch, codes = _with_gallery(self._people.batch, batch, codes)
        groups = tuple(range(len(cells))) if self.scene.groups > 1 else ()
        names = tuple(map(str, range(len(cells))))
        judged = Judged(Sliced(cells, names, arrays.save(folder, codes.astype(np.int16)), groups), sampling)
        whole = [asked for asked in self._asked if asked.info.whole]
        if counted := [asked for asked in self._asked if not asked.info.whole]:
            yield from self._counted(counted, batch, judged)
        if whole:
            alone = any("slices" in asked.info.cannot for asked in whole)
            rows = Judged(Sliced(), sampling) if alone else judged
            reference = replace(batch, answers=batch.reference or {}, reference=None)
            found = state_whole(whole, _once(batch), _once(reference), rows, (0.95,), 0)
            yield from (of_finding(info, one) for info, one in found if one.slice or alone)

    def _counted(self, asked: list[Asked], batch: Batch, judged: Judged) -> Iterator[tuple[Key, Bounds]]:
        """Metrics of shared counts. The flow is kept from making findings of its measures, which would take most of the time."""
        other, one = None, replace(batch, reference=None)
        asked = [each for each in asked if self.scene.paired or not each.info.paired]
        if self.scene.paired:
            theirs = [each for each in asked if not each.info.paired]
            reference = replace(batch, answers=batch.reference or {}, reference=None)
            other, one = count(theirs, _once(reference), judged, dealt=True), batch
        own = count(asked, _once(one), judged, dealt=self.scene.paired)
        with mock.patch.object(stated, "_told", lambda question, measure, judged, classes: [measure]):
            made = list(stated.state(asked, _once(one), judged, own, other, (0.95,)))
        for info, found in made:
            if isinstance(found, Finding):
                raise RuntimeError(f"{info.name}: {found.note}")
            yield of_measure(info, found, skip=int(self.scene.groups == 1))

    def _cells(self, drawn: Places) -> tuple[tuple[tuple[Slice, ...], ...], Places]:
        """A slice for each study; or a partition for each, whose cells are its groups of people."""
        studies, rows = drawn.shape
        number = np.repeat(np.arange(studies), rows)
        if self.scene.groups == 1:
            return (tuple((Condition(column="study", relation="==", value=one),) for one in range(studies)),), number[
                :, None
            ]
        group = self._people.group[drawn.ravel()]
        codes = np.where(number[:, None] == np.arange(studies), group[:, None], -1)
        cells = tuple(
            tuple((Condition(column="study", relation="==", value=f"{one}.{at}"),) for at in range(self.scene.groups))
            for one in range(studies)
        )
        return cells, codes

    def _sampling(self, drawn: Places, folder: Path) -> Sampling:
        studies = len(drawn)
        if self.scene.drawn == "clustered":
            member = np.arange(studies * self.scene.rows).reshape(studies, -1).repeat(EACH, axis=1)
            groups = max(10, min(100, self.scene.rows))
            return Sampling(
                None, arrays.save(folder, member.ravel().astype(np.int32)), studies * self.scene.rows, groups
            )
        if self.scene.drawn == "weighted":
            weights = self._people.weight[drawn]
            weights = (weights / weights.mean(axis=1, keepdims=True)).ravel()
            return Sampling(arrays.save(folder, weights), worth=float(len(weights) / (weights**2).sum()))
        return Sampling()


def _take(batch: Batch, rows: Places) -> Batch:
    return replace(
        batch,
        answers={name: values[rows] for name, values in batch.answers.items()},
        labels=None if batch.labels is None else batch.labels[rows],
        reference=None if batch.reference is None else {name: one[rows] for name, one in batch.reference.items()},
    )


def _with_gallery(everyone: Batch, drawn: Batch, codes: Places) -> tuple[Batch, Places]:
    """The rows that are searched, before those that ask; they belong to no study."""
    gallery = _take(everyone, np.arange(GALLERY))
    asking = drawn if np.all(drawn.labels[:, 1] == 1) else _take(everyone, np.arange(GALLERY, len(everyone.labels)))  # type: ignore[index]
    codes = codes if asking is drawn else codes[GALLERY:]
    both = replace(
        asking,
        answers={name: np.concatenate([gallery.answers[name], one]) for name, one in asking.answers.items()},
        labels=np.concatenate([gallery.labels, asking.labels]),  # type: ignore[list-item]
        reference={
            name: np.concatenate([gallery.reference[name], one]) for name, one in (asking.reference or {}).items()
        },  # type: ignore[index]
    )
    return both, np.concatenate([np.full((GALLERY, codes.shape[1]), -1), codes])


def _once(batch: Batch) -> Pieces:
    return lambda: iter([(0, batch)])
