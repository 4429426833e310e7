"""How audits are let to look: what can't be read is told and costs nothing else, and the queue keeps its order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from seatrial.contracts.audit import Auditing, Chunk, Table
from seatrial.contracts.finding import Finding
from seatrial.errors import DataError
from seatrial.flow.audit import audit
from seatrial.flow.audit_rows import RowFiles
from seatrial.testing import _faulty
from seatrial.testing.audits import table

KEY = b"k" * 32


def breaking(one: Table, column: str, at: int) -> Table:
    """The same table, of which a column can't be read from a row on."""
    whole = one.reader

    def read(names: Sequence[str], rows: int | None) -> Iterator[Chunk]:
        for chunk in whole(names, rows):
            if column in names and chunk.first + len(chunk) > at:
                raise DataError(f"a row of `{column}` is damaged")
            yield chunk

    one.reader = read
    return one


def found(tables: dict[str, Table], folder: Path, *names: str) -> dict[str, Finding]:
    asked = Auditing(audits=names)
    return {one.key: one for one in audit(tables, asked, folder, folder / "rows", KEY)}


@pytest.mark.parametrize("column", ["income", "y"])
def test_a_column_that_breaks_further_on_is_told_and_the_others_are_looked_at(tmp_path: Path, column: str) -> None:
    columns = _faulty.faulty(900)
    broken = breaking(table(columns, "train", "train", 100, label="y"), column, 500)
    told = found({"train": broken}, tmp_path, "duplicates", "outliers", "imbalance")
    assert told["audit.unread{table=train}"].note == f"{column}: a row of `{column}` is damaged"
    assert told["audit.duplicates{table=train}"].value >= 60
    assert told["audit.rows{table=train}"].value == 900
    assert f"audit.column{{column={column},table=train}}" not in told
    assert ("audit.imbalance{table=train}" in told) == (column != "y")


def test_a_table_of_which_nothing_can_be_read_is_an_error(tmp_path: Path) -> None:
    one = breaking(table({"a": np.arange(300)}, "train", "train", 100), "a", 150)
    with pytest.raises(DataError, match="damaged"):
        found({"train": one}, tmp_path, "duplicates")


def test_rows_to_look_at_keep_their_order_and_stand_once(tmp_path: Path) -> None:
    one = table({"a": np.arange(300)}, "train", "train", 100)
    RowFiles(tmp_path / "rows", tmp_path)("queue", one, iter([30, 2, 17, 2]))
    lines = (tmp_path / "rows" / "queue-train.csv").read_text().splitlines()
    assert [line.split(",")[0] for line in lines] == ["row", "30", "2", "17"]


def test_the_types_of_columns_are_listed_for_a_data_sheet(tmp_path: Path) -> None:
    told = found({"train": table(_faulty.clean(200), "train", "train")}, tmp_path, "duplicates")
    assert told["audit.column{column=town,table=train}"].value == "text"
    assert told["audit.column{column=height,table=train}"].value == "float64"
