"""On which machine a study runs: `--on ssh://me@host` names an executor and what it reaches."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from pydantic import ValidationError

from seatrial import catalog
from seatrial.contracts.candidate import Candidate, PartRef
from seatrial.contracts.study import Study
from seatrial.errors import StudyError, UnknownPart

LOCAL: str = Candidate.model_fields["machine"].default


def reached(executor: PartRef, folder: Path) -> str:
    """The machine on which this executor's workers run; what an option of it says, else what it declares."""
    info = catalog.find("executors", executor.name, folder)
    options = catalog.options(info, executor.options)
    return str(getattr(options, "machine", None) or next(iter(info.gives.get("machine", ())), LOCAL))


def on(study: Study, address: str | None, folder: Path) -> Study:
    """The study on the machine of an address, `EXECUTOR://host` with options as `?name=value&...`.

    Other options of that executor stay as the study says. Raises `StudyError` for what is no such address.
    """
    if address is None:
        return study
    name, marked, rest = address.partition("://")
    host, _, further = rest.partition("?")
    if not marked or not host:
        raise _no_address(address, "it names no executor and host")
    given: dict[str, Any] = {"host": host.rstrip("/")} | dict(parse_qsl(further, keep_blank_values=True))
    old = study.measure.executor
    executor = PartRef(name=name, options=(old.options if old.name == name else {}) | given)
    try:
        machine = reached(executor, folder)
    except UnknownPart as error:
        raise _no_address(address, error.what) from error
    except ValidationError as error:
        why = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors())
        raise _no_address(address, why) from error
    measure = study.measure.model_copy(update={"executor": executor})
    grids = tuple(
        grid.model_copy(update={"machine": (machine,)}) if "machine" in grid.model_fields_set else grid
        for grid in study.candidates
    )
    return study.model_copy(update={"measure": measure, "candidates": grids})


def _no_address(address: str, why: str) -> StudyError:
    return StudyError(
        f"--on: `{address}` is no machine: {why}", next_step="write it as `--on ssh://user@host` or `ssh://host:port`"
    )
