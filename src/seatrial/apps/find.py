"""Finds what was kept by what people write: a study file, a run's folder or name, a `dossier.json`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from seatrial.errors import StoreError

if TYPE_CHECKING:
    from seatrial.contracts.dossier import Dossier

STUDY = (".yaml", ".yml")


def is_study(text: str) -> bool:
    """Whether this names a study file rather than a run."""
    return text.endswith(STUDY)


def home(run: str, folder: Path, found: Dossier) -> Path:
    """Where what this run measured is kept: the `.seatrial` around its dossier, else beside its study."""
    from seatrial.flow import keep

    place = Path(run) / "dossier.json" if Path(run).is_dir() else Path(run)
    if is_study(run):
        return keep.home(place.parent)
    around = place.resolve().parents
    if place.is_file() and len(around) > 2 and (around[2] / keep.ARRAYS).is_dir():
        return around[2]
    return keep.home(folder) if not place.is_file() else keep.home(Path(found.run.study_file).parent)


def dossier(run: str, folder: Path) -> Dossier:
    """The dossier of a run: its folder, a `dossier.json`, a study file (its latest run), or its name (or `latest`) in `folder`.

    Raises `StoreError` with what there is.
    """
    from seatrial.flow import keep

    place = Path(run)
    if is_study(run):
        return keep.load(keep.home(place.parent), "latest")
    if place.is_dir() and (place / "dossier.json").is_file():
        place = place / "dossier.json"
    if place.is_file():
        return keep.read_dossier(place)
    home = keep.home(folder)
    if not home.is_dir():
        raise StoreError(
            f"there is no run `{run}`: nothing is kept in {folder.resolve()}",
            next_step="name the study file or the run's folder, or say where with `--in FOLDER` (the folder of the study)",
        )
    return keep.load(home, run)
