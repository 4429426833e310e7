"""Prices of machines by the hour: a table of the user's own, and the one that is shipped. Each row has its date and its source.

The table is a CSV with the columns provider, instance, accelerator, hour, currency, kind, region, date, source and left_out (why the row
is no price to reckon with); those that aren't there are empty. `provider`, `instance` and `hour` must be there.
"""

from __future__ import annotations

import csv
import datetime
import re
from pathlib import Path

from pydantic import ValidationError

from seatrial.catalog import nearest
from seatrial.contracts.money import Money, Price
from seatrial.errors import StudyError

SHIPPED = Path(__file__).with_name("prices.csv")
STALE_DAYS = 183
"""From so many days on a price of a table is called old."""
_DATED = re.compile(r"\b(20\d\d)-(\d\d)(?:-(\d\d))?\b")
_NEEDED = ("provider", "instance", "hour")
_OPTIONAL = ("currency", "accelerator", "kind", "region", "date", "source")


def stated(money: Money, folder: Path) -> Price | None:
    """The price that a study states, or names in a table; None where it does neither. Raises `StudyError`."""
    if money.hour is not None:
        return Price(name="this machine", hour=money.hour, currency=money.currency, kind="stated", source="stated")
    if money.price is None:
        return None
    found = find(money.price, folder / money.prices if money.prices else None)
    if found.currency != money.currency:
        raise StudyError(
            f"the price `{money.price}` is in {found.currency}, the other amounts in {money.currency}",
            next_step=f"say `currency: {found.currency}` and all amounts in it, or the price as `hour`",
        )
    return found


def doubt(price: Price, today: datetime.date) -> str:
    """Why a price of a table may no longer hold: it is older than half a year, or nobody says how old; empty where nothing speaks against it."""
    if price.kind == "stated":
        return ""
    instead = "ask the provider and state today's price, like `1.20/h`"
    try:
        found = _DATED.search(price.date)
        of = found and datetime.date(int(found[1]), int(found[2]), int(found[3] or 1))
    except ValueError:
        of = None
    if not of:
        return f"this price may be old: its table gives no date of it; {instead}"
    months = round((today - of).days / 30.44)
    return f"this price is old: {months} months by its date; {instead}" if (today - of).days > STALE_DAYS else ""


def find(name: str, own: Path | None = None) -> Price:
    """The row `provider/instance`, of one's own table before the shipped one. Raises `StudyError` where it can't be reckoned with."""
    known: dict[str, Price | str] = table(SHIPPED) | (table(own) if own else {})
    if name not in known:
        near = nearest(name, list(known))
        raise StudyError(
            f"there is no price `{name}`",
            next_step=f"did you mean `{near}`?"
            if near
            else f"say an hour's price instead; known are {', '.join(known)}",
        )
    found = known[name]
    if isinstance(found, str):
        raise StudyError(
            f"the price `{name}` is left out: {found}", next_step="say what an hour costs instead: `1.20/h`"
        )
    return found


def table(file: Path) -> dict[str, Price | str]:
    """A price table: by `provider/instance` a price, or why it is left out. Raises `StudyError` with the line."""
    try:
        text = file.read_text(encoding="utf-8-sig")
    except (OSError, ValueError) as error:
        raise StudyError(f"the price table can't be read: {error}", next_step="check `prices`") from error
    rows = csv.DictReader(text.splitlines())
    if gone := [name for name in _NEEDED if name not in (rows.fieldnames or ())]:
        raise StudyError(f"the price table has no column {', '.join(gone)}", where=f"{file}:1")
    return {f"{row['provider']}/{row['instance']}": _row(row, f"{file}:{rows.line_num}") for row in rows}


def _row(row: dict[str, str], where: str) -> Price | str:
    if row.get("left_out"):
        return row["left_out"]
    said = {name: row[name] for name in _OPTIONAL if row.get(name)}
    try:
        return Price.model_validate({"name": f"{row['provider']}/{row['instance']}", "hour": row["hour"]} | said)
    except ValidationError as error:
        raise StudyError(f"`{row['hour']}` is no price of an hour", where=where) from error
