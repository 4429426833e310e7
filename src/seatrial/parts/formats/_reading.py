"""What formats share: errors in one form, texts cut short, types by one name, files that lie beside a model."""

from __future__ import annotations

import contextlib
import hashlib
import math
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from seatrial.contracts.inspection import Beside, Bounds
from seatrial.errors import ModelError

AGAIN = "copy or export the file again, and compare sizes: it may be cut off"


@contextlib.contextmanager
def reading(path: Path, format_: str) -> Iterator[None]:
    """Whatever a reader raises here becomes a `ModelError`: a hostile file can make it raise anything."""
    try:
        yield
    except ModelError:
        raise
    except Exception as error:
        words = (str(error).strip() or type(error).__name__).split("\n")[0][:200]
        raise ModelError(f"{path} can't be read as {format_}: {words}", next_step=AGAIN) from error


def refused(path: Path, why: str, field: str = "") -> ModelError:
    """The error for what goes beyond a bound, with how to set it."""
    step = (
        f"if the file is meant to be so large: `seatrial inspect {path.name} --limit {field}=VALUE`" if field else AGAIN
    )
    return ModelError(f"{path}: {why}", next_step=step)


def short(text: object, bounds: Bounds) -> str:
    """A text of the file, cut to what is shown."""
    words = str(text)
    return words if len(words) <= bounds.text else f"{words[: bounds.text]}... ({len(words)} characters)"


def cut(metadata: Mapping[str, object], bounds: Bounds, most: int = 50) -> dict[str, str]:
    """Metadata cut short: at most so many entries."""
    kept = dict(list(metadata.items())[:most])
    made = {short(name, bounds): short(value, bounds) for name, value in kept.items()}
    return made if len(metadata) <= most else made | {"...": f"{len(metadata) - most} more"}


def numbers(path: Path, shape: Iterable[int], bounds: Bounds) -> int:
    """How many numbers a shape holds. Raises `ModelError` for one that can't be true."""
    sizes = [int(one) for one in shape]
    count = math.prod(sizes)
    if min(sizes, default=0) < 0 or count > bounds.elements:
        raise refused(path, f"a shape of {sizes[:8]} can't be true", "elements")
    return count


def beside(folder: Path, name: str, bounds: Bounds) -> Beside:
    """A file that a model names, if it is a plain one in the model's folder: no link, no way out."""
    shown = short(name, bounds)
    try:
        file = folder / name
        root = folder.resolve()
        if file.is_symlink():
            return Beside(name=shown, problem="it is a symbolic link")
        if Path(name).is_absolute() or ".." in Path(name).parts or root not in file.resolve().parents:
            return Beside(name=shown, problem="it lies outside the model's folder: it could be any file of yours")
        if not file.is_file():
            return Beside(name=shown, problem="it isn't there")
        if file.stat().st_nlink > 1:
            return Beside(name=shown, problem="it is a hard link: it could be any file of yours")
        with file.open("rb") as stream:
            return Beside(
                name=shown, bytes=file.stat().st_size, sha256=hashlib.file_digest(stream, "sha256").hexdigest()
            )
    except (OSError, ValueError) as error:
        return Beside(name=shown, problem=f"it can't be read: {error}")


def tally(counts: Iterable[tuple[str, int]]) -> dict[str, int]:
    """Sums by name, the largest first."""
    summed: dict[str, int] = {}
    for name, count in counts:
        summed[name] = summed.get(name, 0) + count
    return dict(sorted(summed.items(), key=lambda one: (-one[1], one[0])))
