"""The last step: reports are made from the dossier and written beside it."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from pydantic import TypeAdapter, ValidationError

from seatrial import catalog
from seatrial.contracts.candidate import PartRef, Ref
from seatrial.contracts.dossier import Dossier
from seatrial.contracts.part import PartInfo
from seatrial.errors import PartError, SeatrialError
from seatrial.flow.arrays import written

_REFS: TypeAdapter[tuple[PartRef, ...]] = TypeAdapter(tuple[Ref, ...])


class Published(NamedTuple):
    """What was written: the path of each report by name; and by name why one could not be."""

    paths: dict[str, Path]
    failures: dict[str, str]


def publish(dossier: Dossier, folder: Path, base: Path | None = None) -> Published:
    """Write each report that the study names into `folder`. One that raises stops no other and is returned in `failures`.

    A report that declares no file (it is meant to be looked at) isn't written. A report named by the path of a local file
    is looked for in `base`, the folder of the study file unless another is given.
    """
    folder.mkdir(parents=True, exist_ok=True)
    published = Published({}, {})
    for ref in _REFS.validate_python(dossier.study.get("reports", ())):
        try:
            part = catalog.find("reports", ref.name, base or _home(dossier))
            name = file_name(part)
            if name is None:
                continue
            path = folder / name
            if path in published.paths.values():
                raise PartError(f"another report of this study is already written as {name}")
            _write(path, _text(dossier, part, ref.options))
        except Exception as error:  # noqa: BLE001 - a report's fault, whatever it is, must not cost the others
            published.failures[ref.name] = _reason(error)
        else:
            published.paths[ref.name] = path
    return published


def render(dossier: Dossier, name: str, options: dict[str, Any] | None = None, base: Path | None = None) -> str:
    """One report as text. Options that aren't given come from the study, where it names this report.

    Raises `UnknownPart`, `MissingPackage`, or `PartError` where an option is wrong.
    """
    stated = {ref.name: ref.options for ref in _REFS.validate_python(dossier.study.get("reports", ()))}
    return _text(dossier, catalog.find("reports", name, base or _home(dossier)), stated.get(name, {}) | (options or {}))


def file_name(part: PartInfo) -> str | None:
    """What the report is written as: the file it declares, its name with the suffix it declares, or None.

    Raises `PartError` where a part declares a path that isn't a plain file name.
    """
    declared = part.gives.get("file") or tuple(f"{part.name}.{suffix}" for suffix in part.gives.get("suffix", ()))
    if not declared:
        return None
    if Path(declared[0]).name != declared[0] or declared[0].startswith("."):
        raise PartError(f"the report `{part.name}` declares the file `{declared[0]}`, which is no plain file name")
    return declared[0]


def _home(dossier: Dossier) -> Path:
    return Path(dossier.run.study_file).parent


def _text(dossier: Dossier, part: PartInfo, given: dict[str, Any]) -> str:
    catalog.require(part)
    try:
        options = catalog.options(part, given)
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors())
        raise PartError(
            f"the report `{part.name}` can't be made with these options: {faults}",
            next_step=f"seatrial explain {part.name}",
        ) from error
    text = catalog.load(part).render(dossier, options)
    if not isinstance(text, str):
        raise PartError(f"the report `{part.name}` gave {type(text).__name__}, not text")
    return text


def _write(path: Path, text: str) -> None:
    with written(path.parent) as (file, target):
        file.write(text.encode())
        target.append(path)


def _reason(error: Exception) -> str:
    said = str(error) if isinstance(error, SeatrialError) else f"{type(error).__name__}: {error}"
    return said.strip()
