"""Inputs that fooled a candidate, before and after: the contents of rows, so that there are none unless the study asks for them.

attack.example         {norm, number}            what was changed, in words; of a picture both pictures are among its artefacts

They lie in the run's dossier and reports and in `.seatrial`, nowhere else; `seatrial clean --older-than` removes them.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from seatrial.contracts.finding import Finding
from seatrial.contracts.study import Model, classes_of
from seatrial.flow import arrays
from seatrial.flow.besieged import Siege
from seatrial.flow.steps import Step
from seatrial.numerics.png import png

Array = NDArray[Any]
EXAMPLE = "attack.example"
WIDEST = 128
"""Pixels to a side; larger pictures are shown with fewer."""
NAMED = 6
"""Of changed columns, how many are named: those that changed most."""


class Fooled(NamedTuple):
    """One row that was fooled: by which attack, how far away, what it was taken for; the point before and after."""

    step: Step
    row: int
    far: float
    said: int
    before: Any
    after: Any


def examples(came: Mapping[Any, Sequence[tuple[Step, Mapping[str, Any]]]], siege: Siege, model: Model) -> Iterator[Finding]:  # fmt: skip
    """As many as the study asks for by each norm, those with the smallest changes."""
    by_norm: dict[str, dict[int, Fooled]] = {}
    for made in came.values():
        for step, body in made:
            nearest = by_norm.setdefault(step.norm, {})
            for one in _told(step, body):
                if one.row not in nearest or one.far < nearest[one.row].far:
                    nearest[one.row] = one
    for norm, found in by_norm.items():
        ordered = sorted(found.values(), key=lambda one: (one.far, one.row))
        for number, one in enumerate(ordered[: siege.examples], 1):
            yield _finding(one, number, norm, siege, model)


def _told(step: Step, body: Mapping[str, Any]) -> Iterator[Fooled]:
    told = body["came"].get("examples")
    if told:
        plain = arrays.unpack(told)
        for at, row in enumerate(np.asarray(plain["rows"]).tolist()):
            yield Fooled(step, row, float(plain["far"][at]), int(plain["said"][at]), plain["before"][at], plain["after"][at])  # fmt: skip


def _finding(one: Fooled, number: int, norm: str, siege: Siege, model: Model) -> Finding:
    names = classes_of(model.outputs)
    right, said = (names[at] if at < len(names) else str(at) for at in (int(siege.labels[one.row]), one.said))
    reach: Mapping[str, Any] = arrays.unpack(siege.reach)
    pictures: dict[str, str] = {}
    if isinstance(one.after, str):
        what = f"`{one.before}` became `{one.after}`"
    elif reach["axes"]:
        what = "a picture"
        pictures = {"before": _drawn(one.before, reach["axes"]), "after": _drawn(one.after, reach["axes"])}
    else:
        what = _columns(one, reach, model)
    return Finding(
        what=EXAMPLE,
        at={"norm": norm, "number": number},
        value=f"{what}: `{right}` was taken for `{said}`, {one.far:.3g} away, by {one.step.name}",
        method="asked twice of the deployed artefact",
        artefacts=pictures,
    )


def _drawn(point: Array, axes: str) -> str:
    """A picture, from black (0) to white (1), as the address of a PNG that carries its own bytes; empty where it is none."""
    pixels = np.moveaxis(point, 0, -1) if axes == "CHW" else point
    if pixels.shape[-1] not in (1, 3, 4):
        return ""
    step = -(-max(pixels.shape[:2]) // WIDEST)
    shown = np.rint(np.clip(pixels[::step, ::step], 0, 1) * 255).astype(np.uint8)
    return "data:image/png;base64," + base64.b64encode(png(shown)).decode()


def _columns(one: Fooled, reach: Mapping[str, Any], model: Model) -> str:
    """The columns that changed most, in units as stored."""
    before, after = (np.asarray(point, np.float64).reshape(-1) for point in (one.before, one.after))
    names = [name for of in reach["low"] for name in _spelt(of, model, np.asarray(reach["low"][of]).size)]
    zero, step = (np.concatenate([np.asarray(reach[field][of]).reshape(-1) for of in reach["low"]]) for field in ("zero", "step"))  # fmt: skip
    changed = np.argsort(-np.abs(after - before), kind="stable")[:NAMED]
    told = [
        f"{names[at]} {(before[at] - zero[at]) / step[at]:.4g} to {(after[at] - zero[at]) / step[at]:.4g}"
        for at in changed.tolist()
        if before[at] != after[at] and step[at]
    ]
    return "; ".join(told)


def _spelt(name: str, model: Model, size: int) -> list[str]:
    """What each number of an input is called: its column, or its place where a column holds several."""
    columns = model.inputs[name].columns
    return list(columns) if len(columns) == size else [f"{name}[{at}]" for at in range(size)]
