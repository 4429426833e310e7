"""Step four: keep. Everything lies in `.seatrial` beside the study: the store, arrays, artefacts, runs and logs.

.seatrial/seatrial.db                rounds, predictions, artefacts and runs by key
.seatrial/arrays/<sha256>.npy        inputs, outputs, latencies
.seatrial/artefacts/<key>/           files of variants
.seatrial/runs/<id>/dossier.json     what a run found, and its reports
.seatrial/logs/<id>/                 what workers printed
"""

from __future__ import annotations

import datetime
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from seatrial import catalog
from seatrial.contracts.candidate import PartRef
from seatrial.contracts.dossier import Dossier, Run
from seatrial.contracts.protocols import Store
from seatrial.contracts.study import STORE
from seatrial.errors import StoreError
from seatrial.flow import arrays
from seatrial.flow._unfinished import BEGUN, abandoned, remove

ROUND, PREDICTION, CHANGED, FACTS, REFUSAL = "round", "prediction", "changed", "facts", "refusal"
ARTEFACT, FORM, STEP, RUN, SHORT_ROUND = "artefact", "form", "step", "run", "short_round"
TRAINING, ATTACKED, AUDITED, SEARCHED = "training", "attacked", "audited", "searched"
SHADOWS, PRIVACY = "shadows", "privacy"
HOLD_ARRAYS = (ROUND, SHORT_ROUND, PREDICTION, FORM, CHANGED, ATTACKED, AUDITED)
"""Shelves whose entries refer to arrays, which `clean` leaves alone as long as they do."""
ARRAYS = "arrays"


class Cleaned(NamedTuple):
    """What `clean` removed."""

    runs: int
    files: int
    bytes: int


class Keeper:
    """The open store of one study folder, and where its files lie."""

    def __init__(self, folder: Path, store: PartRef | None = None) -> None:
        self.home = home(folder)
        info = catalog.find("stores", (store or PartRef(name=STORE)).name, folder)
        part = catalog.load(info)
        self.store: Store = part.open(self.home, catalog.options(info, store.options if store else {}))
        self.arrays = self.home / ARRAYS

    def get(self, shelf: str, key: str) -> Any | None:
        """One body whose files are all still there, or None."""
        body = self.store.get(shelf, key)
        return body if body is not None and _whole(body) else None

    def all(self, shelf: str, prefix: str) -> list[tuple[str, Any]]:
        """Keys that start with `prefix` and bodies whose files are all still there."""
        return [(key, body) for key, body in self.store.all(shelf, prefix) if body is not None and _whole(body)]

    def put(self, *entries: tuple[str, str, Any]) -> None:
        """Keep entries, all or none."""
        self.store.put(entries)

    def forget(self, shelf: str, prefix: str) -> None:
        """Count these entries no more: `--fresh` measures them again."""
        self.put(*((shelf, key, None) for key, body in self.store.all(shelf, prefix) if body is not None))


def home(folder: Path) -> Path:
    """The folder of everything that is kept for the studies in `folder`."""
    return folder / ".seatrial"


def run_folder(home: Path, run: str) -> Path:
    """Where a run's dossier and reports lie."""
    return home / "runs" / run


def runs(home: Path) -> list[Run]:
    """All runs that are kept, oldest first."""
    if not (home / "runs").is_dir():
        return []
    store = Keeper(home.parent).store
    found = [
        Run(**body) for _, body in store.all(RUN) if body is not None
    ]  # in the order of keeping: clocks are set back
    return [run for run in found if (run_folder(home, run.id) / "dossier.json").exists()]


def load(home: Path, run: str = "latest") -> Dossier:
    """A kept dossier by run id, by the beginning of one, or the `latest`. Raises `StoreError`."""
    known = [kept.id for kept in runs(home)]
    matching = known[-1:] if run == "latest" else [id_ for id_ in known if id_.startswith(run)]
    if len(matching) != 1:
        what = f"there is no run `{run}`" if not matching else f"`{run}` begins {len(matching)} runs"
        raise StoreError(f"{what} in {home}", next_step="`seatrial runs` lists them; `seatrial run STUDY` makes one")
    return read_dossier(run_folder(home, matching[0]) / "dossier.json")


def read_dossier(file: Path) -> Dossier:
    """A dossier from its file. Raises `StoreError`."""
    try:
        return Dossier.model_validate_json(file.read_bytes())
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no dossier"
        raise StoreError(
            f"can't read {file}: {reason}", next_step="give a run's id, its folder or its dossier.json"
        ) from error


def keep_dossier(keeper: Keeper, dossier: Dossier) -> Path:
    """Write `dossier.json` of a run and note the run. Returns the run's folder."""
    folder = run_folder(keeper.home, dossier.run.id)
    with arrays.written(folder) as (file, target):
        file.write(dossier.model_dump_json(indent=1).encode())
        target.append(folder / "dossier.json")
    keeper.put((RUN, dossier.run.id, dossier.run.model_dump()))
    return folder


def clean(home: Path, keep: int = 5, everything: bool = False, before: float | None = None) -> Cleaned:
    """Remove all but the newest `keep` runs, and arrays and partial files that nothing refers to; or everything.

    With `before` (seconds since 1970) runs and logs from before that time go as well, and so do all arrays that were kept before it, whoever
    refers to them: what rests on those is measured again when it is wanted.
    """
    if everything or not home.is_dir():
        size, files = _weigh(home.rglob("*"))
        count = len(runs(home))
        shutil.rmtree(home, ignore_errors=False) if home.is_dir() else None
        return Cleaned(count, files, size)
    keeper = Keeper(home.parent)
    known = runs(home)
    old = known[:-keep] if keep else known
    old += [run for run in known[len(old) :] if before is not None and _began(run) < before]
    folders = [run_folder(home, run.id) for run in old] + [home / "logs" / run.id for run in old]
    doomed = [file for folder in folders for file in folder.rglob("*")] + list(_orphans(keeper))
    if before is not None:
        doomed = list({*doomed, *(file for file in keeper.arrays.glob("*.npy") if file.stat().st_mtime < before)})
    size, files = _weigh(doomed)
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)
    for file in doomed:
        remove(file)
    keeper.put(*((RUN, run.id, None) for run in old))
    return Cleaned(len(old), files, size)


def sweep(home: Path) -> None:
    """Remove what a killed run left unfinished (older than an hour, so that a run beside this one keeps its own)."""
    for path in list(abandoned(home)):
        remove(path)


def weigh_arrays(home: Path) -> tuple[int, int]:
    """Bytes and number of the arrays that are kept."""
    return _weigh((home / ARRAYS).glob("*.npy"))


def _began(run: Run) -> float:
    return datetime.datetime.fromisoformat(run.started).timestamp()


def _orphans(keeper: Keeper) -> Iterator[Path]:
    bodies = [body for shelf in HOLD_ARRAYS for _, body in keeper.store.all(shelf)]
    wanted = {Path(ref.path).name for body in bodies for ref in arrays.refs(body)}
    yield from (file for file in keeper.arrays.glob("*.npy") if file.name not in wanted)
    yield from keeper.home.rglob(f"{BEGUN}*")


def _weigh(files: Iterator[Path] | Sequence[Path]) -> tuple[int, int]:
    sizes = [file.stat().st_size for file in files if file.is_file()]
    return sum(sizes), len(sizes)


def _whole(body: Any) -> bool:
    return all(Path(ref.path).exists() for ref in arrays.refs(body))
