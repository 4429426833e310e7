"""The command on tables: `data` hashes them by content, compares two versions, and shows that rows are gone."""

from __future__ import annotations

import datetime
import json as json_
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from seatrial.apps.cli import _out
from seatrial.errors import StudyError

if TYPE_CHECKING:
    from seatrial.contracts.provenance import Difference

FOUND = 1
Limits = dict[str, str]
SHOWN = 8


class What(StrEnum):
    """What is to be done with the table."""

    HASH = "hash"
    DIFF = "diff"
    MARK = "mark"
    GONE = "gone"


Action = Annotated[
    What,
    typer.Argument(
        help="`hash FILE`: by content, for `approved:`. `diff A B --key id`: rows added, removed, changed. "
        "`mark FILE --row 7 --secret KEY`: rows to be deleted. `gone MARKS FILE... --secret KEY`: that they are."
    ),
]
Files = Annotated[list[Path], typer.Argument(help="Tables: Parquet, CSV, Arrow, .npz, or folders of them.")]
Key = Annotated[
    list[str] | None, typer.Option("--key", help="Column that names each row; may be repeated.", metavar="COLUMN")
]
Rows = Annotated[list[int] | None, typer.Option("--row", help="Number of a row, from 0; may be repeated.", min=0)]
Secret = Annotated[
    Path | None,
    typer.Option(
        "--secret", help="File with the key of the hashes (16 bytes or more); it stays yours.", dir_okay=False
    ),
]
AnyOrder = Annotated[bool, typer.Option("--any-order", help="The order of rows doesn't count.")]
Out = Annotated[
    Path | None, typer.Option("--out", help="The file to write the marks, or the proof that they are gone, to.")
]
Folder = Annotated[
    Path, typer.Option("--in", help="The folder of the study whose kept files are looked at.", file_okay=False)
]
Limit = Annotated[
    list[str] | None,
    typer.Option(
        "--limit", help="What a file may ask for, such as `group=16GiB`; may be repeated.", metavar="NAME=VALUE"
    ),
]
Json = Annotated[bool, typer.Option("--json", help="For machines: JSON on stdout.")]


def data(
    action: Action,
    files: Files,
    key: Key = None,
    row: Rows = None,
    secret: Secret = None,
    any_order: AnyOrder = False,
    out: Out = None,
    folder: Folder = Path(),
    limit: Limit = None,
    json: Json = False,
) -> int:
    """Hash tables by content, compare two versions of one, mark rows to be deleted and show that they are gone.

    What a row holds is never printed: rows are named by their numbers. `diff` exits with 1 where the two differ, `gone` where a row
    is still there.
    """
    limits = _out.pairs(limit)
    if action is What.HASH:
        return _hash(files, any_order, limits, json)
    if action is What.DIFF:
        return _diff(files, key or [], limits, json)
    if action is What.MARK:
        return _mark(files, row or [], key or [], _secret(secret), limits, out)
    return _gone(files, _secret(secret), folder, limits, out, json)


def _hash(files: list[Path], any_order: bool, limits: Limits, json: bool) -> int:
    from seatrial.flow import contents

    told = []
    for file in files:
        found = contents.content(contents.of_file(file, limits), any_order)
        columns = {} if any_order else found.columns()
        told.append(
            {
                "file": str(file),
                "sha256": found.digest(),
                "rows": found.rows,
                "any_order": any_order,
                "columns": columns,
            }
        )
    if json:
        _out.data(told)
        return 0
    for one in told:
        _out.say(
            f"sha256:{one['sha256']}  {one['file']}  ({one['rows']:,} rows{', in any order' if any_order else ''})"
        )
    if len(told) == 1:
        hash_ = f"sha256:{told[0]['sha256']}"
        words = f"{{sha256: '{hash_}', any_order: true}}" if any_order else f"'{hash_}'"
        _out.note(f"To have a study tell whether its data is still this: `approved: {words}` in the data set.")
    return 0


# --- two versions ----------------------------------------------------------------------------------------------------------


def _diff(files: list[Path], key: list[str], limits: Limits, json: bool) -> int:
    from seatrial.flow import contents

    if len(files) != 2 or not key:
        raise StudyError("two versions are compared by a key", next_step="`seatrial data diff OLD NEW --key id`")
    found = contents.difference(contents.of_file(files[0], limits), contents.of_file(files[1], limits), key)
    if json:
        _out.data(found.model_dump(mode="json") | {"alike": found.alike})
    else:
        _tell(found, files)
    return 0 if found.alike else FOUND


def _tell(found: Difference, files: list[Path]) -> None:
    counts = {"added": found.added, "removed": found.removed, "changed": found.changed, "the same": found.same}
    rows = [
        (what, f"{count:,}", _numbers(found.rows.get(what, ()), count, files[what != "removed"]))
        for what, count in counts.items()
    ]
    _out.show(_out.table(("rows", "how many", "their numbers"), rows, right=("how many",)))
    if found.columns:
        _out.say()
        cells = [
            (
                one.name,
                one.before or "isn't there",
                one.after or "isn't there",
                f"{one.changed:,}" if one.before and one.after else "",
            )
            for one in found.columns
        ]
        _out.show(_out.table(("column", files[0].name, files[1].name, "rows changed"), cells, right=("rows changed",)))
    for side, count in zip(files, found.repeated, strict=True):
        if count:
            _out.say(f"note: in {side} {count:,} rows have the key of an earlier row; they were left aside")
    _out.say()
    _out.say(
        "They hold the same rows." if found.alike else f"sha256:{found.before_hash}, now sha256:{found.after_hash}"
    )


def _numbers(rows: tuple[int, ...], count: int, file: Path) -> str:
    if not rows:
        return ""
    more = ", ..." if count > SHOWN else ""
    return f"{', '.join(map(str, rows[:SHOWN]))}{more} of {file.name}"


# --- rows that must be gone --------------------------------------------------------------------------------------------------


def now() -> str:
    """The time of day, in UTC, to be written down."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")


def _secret(file: Path | None) -> bytes:
    if file is None:
        raise StudyError(
            "without a secret anybody could try out whom a mark stands for",
            next_step="`head -c 32 /dev/urandom > secret.key`, then `--secret secret.key`",
        )
    try:
        return file.read_bytes()[:64]
    except OSError as error:
        raise StudyError(f"the secret {file} can't be read: {error.strerror}", next_step="correct the path") from error


def _mark(
    files: list[Path], rows: list[int], columns: list[str], secret: bytes, limits: Limits, out: Path | None
) -> int:
    from seatrial.flow import contents

    if len(files) != 1 or not rows:
        raise StudyError(
            "rows of one table are marked by their numbers", next_step="`seatrial data mark FILE --row 7 --secret KEY`"
        )
    source = contents.of_file(files[0], limits)
    names = columns or list(source.columns)
    marks, whole = contents.marks(source.only(names), rows, secret), contents.content(source)
    made = {"schema": 1, "marked_at": now(), "of": {"sha256": whole.digest(), "rows": whole.rows}}
    made |= {"columns": sorted(names), "marks": marks}
    if out is None:
        _out.data(made)
        return 0
    _out.save(out, json_.dumps(made, indent=1) + "\n")
    _out.note(f"{out} marks {len(rows)} rows. Delete them, then: `seatrial data gone {out} NEW_FILE --secret KEY`")
    return 0


def _gone(files: list[Path], secret: bytes, folder: Path, limits: Limits, out: Path | None, json: bool) -> int:
    from seatrial.flow import contents, keep

    marked = _marks(files[0])
    if len(files) < 2:
        raise StudyError("a mark is looked for in tables", next_step="`seatrial data gone MARKS FILE... --secret KEY`")
    told: list[dict[str, Any]] = []
    for file in files[1:]:
        source = contents.of_file(file, limits)
        found, whole = (
            contents.still_there(source, marked["marks"], marked["columns"], secret),
            contents.content(source),
        )
        told.append({"file": str(file), "sha256": whole.digest(), "rows": whole.rows, "still_there": found})
    kept = keep.weigh_arrays(keep.home(folder))
    proof = {
        "schema": 1,
        "looked_at": now(),
        "gone": not any(one["still_there"] for one in told),
        "marks": len(marked["marks"]),
        "marked": {name: marked.get(name) for name in ("marked_at", "of", "columns")},
        "files": told,
        "kept_arrays": kept[1],
        "kept_bytes": kept[0],
    }
    if out is not None:
        _out.save(out, json_.dumps(proof, indent=1) + "\n")
    if json:
        _out.data(proof)
    else:
        _tell_gone(proof, keep.home(folder), out)
    return 0 if proof["gone"] else FOUND


def _tell_gone(proof: dict[str, Any], home: Path, out: Path | None) -> None:
    for one in proof["files"]:
        where = f"rows {', '.join(map(str, one['still_there'][:SHOWN]))}" if one["still_there"] else "none of them"
        _out.say(f"{one['file']}: {where}  ({proof['marks']} marks looked for in {one['rows']:,} rows)")
    if proof["kept_arrays"]:
        size = f"{proof['kept_arrays']} arrays ({proof['kept_bytes'] / 1e6:.1f} MB)"
        _out.say(f"note: {home} keeps {size} that models were fed with; rows can't be")
        _out.say("told in them. `seatrial clean --all`, or `--older-than 30d`, removes them.")
    if out is not None:
        _out.note(
            f"{out} says so for the books: when it was looked, and the content hash of each table before and after."
        )


def _marks(file: Path) -> dict[str, Any]:
    try:
        marked = json_.loads(file.read_bytes())
        if not all(isinstance(one, str) for one in [*marked["marks"], *marked["columns"]]) or not marked["marks"]:
            raise ValueError("it holds no marks")
    except (OSError, ValueError, TypeError, KeyError, RecursionError) as error:
        raise StudyError(
            f"{file} holds no marks: {error}", next_step="`seatrial data mark FILE --row 7 --out marks.json` makes some"
        ) from error
    return dict(marked)
