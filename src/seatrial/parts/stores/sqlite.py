"""Findings in one SQLite file beside the study: nothing to start, safe against a crash at any moment.

Write-ahead log with full synchronisation: what `put` returned from survives a kill and a power cut. Several runs may use it at once.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from seatrial.contracts.part import PartOptions
from seatrial.errors import StoreError

SCHEMA = 1


class Options(PartOptions):
    """The file lies in the study's `.seatrial` folder; there is nothing to set."""


class SqliteStore:
    """Keyed JSON bodies on shelves."""

    def __init__(self, file: Path) -> None:
        from sqlalchemy import Column, MetaData, String, Table, Text, create_engine, event

        self.file = file
        self._engine = create_engine(f"sqlite:///{file}", connect_args={"timeout": 30})
        event.listen(self._engine, "connect", _careful)
        self._entries = Table(
            "entry",
            MetaData(),
            Column("shelf", String, primary_key=True),
            Column("key", String, primary_key=True),
            Column("body", Text, nullable=False),
        )
        self._prepare()

    def put(self, entries: Sequence[tuple[str, str, Any]]) -> None:
        """Keep (shelf, key, body) entries in one transaction; an entry with the same shelf and key is replaced."""
        from sqlalchemy.dialects.sqlite import insert

        if not entries:
            return
        rows = [{"shelf": shelf, "key": key, "body": json.dumps(body, allow_nan=False)} for shelf, key, body in entries]
        statement = insert(self._entries)
        statement = statement.on_conflict_do_update(["shelf", "key"], set_={"body": statement.excluded.body})
        with _words(self.file), self._engine.begin() as connection:
            connection.execute(statement, rows)

    def get(self, shelf: str, key: str) -> Any | None:
        """One body, or None."""
        table = self._entries
        query = table.select().where(table.c.shelf == shelf, table.c.key == key)
        with _words(self.file), self._engine.connect() as connection:
            row = connection.execute(query).first()
        return None if row is None else json.loads(row.body)

    def all(self, shelf: str, prefix: str = "") -> list[tuple[str, Any]]:
        """Keys that start with `prefix` and their bodies, in the order in which they were kept."""
        from sqlalchemy import text

        table = self._entries
        query = table.select().where(table.c.shelf == shelf, table.c.key.startswith(prefix, autoescape=True))
        with _words(self.file), self._engine.connect() as connection:
            rows = connection.execute(query.order_by(text("rowid"))).all()
        return [(row.key, json.loads(row.body)) for row in rows]

    def _prepare(self) -> None:
        from sqlalchemy import text
        from sqlalchemy.schema import CreateTable

        with _words(self.file), self._engine.begin() as connection:
            version = connection.execute(text("PRAGMA user_version")).scalar_one()
            if version > SCHEMA:
                raise StoreError(
                    f"{self.file} was written by a newer version (schema {version})", next_step="update seatrial"
                )
            connection.execute(CreateTable(self._entries, if_not_exists=True))  # another run may be making it too
            connection.execute(text(f"PRAGMA user_version = {SCHEMA}"))


def open(folder: Path, options: Options) -> SqliteStore:
    """The store in this folder, made where it isn't there. Raises `StoreError`."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(
            f"can't make {folder}: {error.strerror}", next_step="run where this folder may be written"
        ) from error
    return SqliteStore(folder / "seatrial.db")


class _words:  # noqa: N801 - reads as a phrase: `with _words(file)`
    """Turns SQLAlchemy's errors into a `StoreError` with the file's name."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def __enter__(self) -> None:
        """Nothing to prepare."""

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        from sqlalchemy.exc import SQLAlchemyError

        if isinstance(error, SQLAlchemyError):
            reason = str(getattr(error, "orig", None) or error)
            if self.file.parent.is_dir() and not os.access(self.file.parent, os.W_OK):
                reason += f" (the folder {self.file.parent} is read-only)"
            raise StoreError(
                f"{self.file}: {reason}", next_step="check the disk's space and the folder's rights"
            ) from error


def _careful(connection: Any, record: Any) -> None:
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
