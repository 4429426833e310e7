"""The door for Python code: `read`, `plan`, `run`, `load`. They take paths as people write them.

A dossier from here shows itself in a notebook: `dossier`, `dossier.frame()`, `dossier.plot()`.
"""

from __future__ import annotations

from collections.abc import Iterable
from os import PathLike
from pathlib import Path

from seatrial.apps.notebook import Dossier, shown
from seatrial.contracts.plan import Plan
from seatrial.contracts.progress import Watch, silent
from seatrial.contracts.quantity import parse
from seatrial.contracts.study import Study


def read(study: str | PathLike[str]) -> Study:
    """The study in this file, checked. Raises `StudyError` with file, line and column."""
    from seatrial.flow.read import read as step

    return step(Path(study)).study


def plan(study: str | PathLike[str], *, only: Iterable[str] = (), quick: bool = False) -> Plan:
    """What `run` would do: the candidates, what was left out and why, and how long it may take. Measures nothing."""
    from seatrial.flow.plan import make_plan
    from seatrial.flow.read import read as step

    return make_plan(step(Path(study)), only=tuple(only), quick=quick)


def run(
    study: str | PathLike[str],
    *,
    quick: bool = False,
    only: Iterable[str] = (),
    budget: float | str | None = None,
    fresh: bool = False,
    trust: Iterable[str] = (),
    on: str | None = None,
    watch: Watch = silent,
) -> Dossier:
    """Carry out a study: measure what isn't measured yet, decide, and write its reports.

    `only` are patterns of candidates (`*openvino*`), `budget` is seconds or a time like `10m`, `fresh` measures everything
    again, `quick` measures less, `trust` are hashes of files that are refused otherwise, `on` is another machine
    (`ssh://user@host`), and `watch` is called with each step. Raises `SeatrialError`; what was measured until then is kept.
    """
    from seatrial.flow.study import run as step

    seconds = parse(budget).value if isinstance(budget, str) else budget
    return shown(
        step(
            Path(study),
            quick=quick,
            only=tuple(only),
            budget=seconds,
            fresh=fresh,
            trust=tuple(trust),
            on=on,
            watch=watch,
        )
    )


def load(run: str | PathLike[str] = "latest", folder: str | PathLike[str] = ".") -> Dossier:
    """A dossier that was kept: a run's folder, a `dossier.json`, a study file (its latest run), or a run's name in `folder`."""
    from seatrial.apps.find import dossier

    return shown(dossier(str(run), Path(folder)))
