"""Where data comes from, as its owner states it (`lineage.yaml`), and what became of its rows from one version to the next."""

from __future__ import annotations

import datetime
import re
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, field_validator

from seatrial.contracts.record import Record

SHA256 = re.compile(r"(sha256:)?[0-9a-f]{64}")


def hash_of(written: str) -> str:
    """The 64 digits of a hash as people write it. Raises `ValueError`."""
    if not SHA256.fullmatch(written.lower()):
        raise ValueError(
            f"`{written[:80]}` is no SHA-256: 64 hexadecimal digits, as `seatrial data hash FILE` prints them"
        )
    return written.lower().removeprefix("sha256:")


def _listed(given: object) -> object:
    return given if isinstance(given, list | tuple) else [given]


def _approved(given: object) -> object:
    return {"sha256": given} if isinstance(given, str) else given


class Approval(Record):
    """The rows that were approved, by their content hash: `seatrial data hash FILE` prints it."""

    sha256: str = Field(description="the content hash")
    any_order: bool = Field(
        default=False, description="whether rows may come in any order (`seatrial data hash --any-order`)"
    )
    by: str = Field(default="", description="who approved them")
    on: str = Field(default="", description="when")

    @field_validator("sha256")
    @classmethod
    def _hash(cls, given: str) -> str:
        return hash_of(given)


Approved = Annotated[Approval, BeforeValidator(_approved)]


def _named(given: object) -> object:
    return {"path": given} if isinstance(given, str) else given


class SourceFile(Record):
    """A file that the rows were made from."""

    path: str = Field(
        description="where it lies, from the lineage file's folder; or what it was called, or its address"
    )
    sha256: str = Field(default="", description="its hash, which is checked where the file is there")

    @field_validator("sha256")
    @classmethod
    def _hash(cls, given: str) -> str:
        return hash_of(given) if given else given


class FeatureNote(Record):
    """Who answers for a feature, and which version of it this is."""

    version: str = Field(default="", description="its version, as its owner counts")
    owner: str = Field(default="", description="who answers for it")
    approval: str = Field(default="", description="who approved it for which use, and when")


Texts = Annotated[tuple[str, ...], BeforeValidator(_listed)]


class Provenance(Record):
    """What the owner of a data set states of it. Whatever is left out is asked for in the report, and in the data set's card."""

    description: str = Field(default="", description="what a row is, and what the rows are for")
    owner: str = Field(default="", description="who answers for the data: a person or a team, with a way to reach them")
    version: str = Field(default="", description="the version of the data, as its owner counts")
    files: tuple[Annotated[SourceFile, BeforeValidator(_named)], ...] = Field(
        default=(), description="files that the rows were made from: a path, or `{path: ..., sha256: ...}`"
    )
    queries: Texts = Field(default=(), description="queries that fetched the rows")
    transformations: Texts = Field(default=(), description="what was done to them, in order: code with its version")
    collection: str = Field(default="", description="how, when and where the rows were collected, and by whom")
    population: str = Field(default="", description="whom or what the rows stand for, and whom they leave out")
    labelling: str = Field(default="", description="who gave the labels, by which instructions, paid how")
    licence: str = Field(default="", description="the licence, as an SPDX name where there is one")
    consent: str = Field(
        default="", description="what the people in the rows agreed to, or on what other ground they are used"
    )
    personal: str = Field(default="", description="which personal data is in the rows: `none`, or what and why")
    retention: str = Field(default="", description="how long the rows are kept, and who deletes them")
    delete_after: datetime.date | None = Field(default=None, description="the day after which they must be gone")
    funding: str = Field(default="", description="who paid for the rows")
    review: str = Field(
        default="",
        description="whether somebody reviewed the ethics of it, and how people can have their rows taken out",
    )
    distribution: str = Field(
        default="", description="to whom the rows are given, how, and what they may not do with them"
    )
    maintenance: str = Field(
        default="", description="who mends and renews the rows, how often, and where faults are told"
    )
    not_for: str = Field(default="", description="uses that the rows are not fit for")
    privacy_tests: Literal["", "allowed", "never"] = Field(
        default="",
        description="whether it may be tried what a model tells of these rows: with `never` no study tries it",
    )
    features: dict[str, FeatureNote] = Field(
        default={}, description="version, owner and approval of columns: `{income: {version: '3', owner: risk team}}`"
    )


ASKED: tuple[str, ...] = (
    *("description", "owner", "version", "collection", "population", "licence", "consent", "personal", "retention"),
    *("transformations", "not_for"),
)
"""What a data sheet must say. Files and queries: one of them."""


class Column(Record):
    """What became of a column: its type in words, then and now; empty where it isn't there."""

    name: str = Field(description="the column")
    before: str = Field(default="", description="its type in the first version")
    after: str = Field(default="", description="its type in the second version")
    changed: int = Field(default=0, description="in how many rows of both its value differs")


class Difference(Record):
    """Two versions of a table, matched by a key: rows by number, never their contents."""

    before_rows: int = Field(description="rows of the first version")
    after_rows: int = Field(description="rows of the second version")
    added: int = Field(description="rows whose key only the second version has")
    removed: int = Field(description="rows whose key only the first version has")
    changed: int = Field(description="rows with a key of both that hold something else")
    same: int = Field(description="rows with a key of both that hold the same")
    repeated: tuple[int, int] = Field(
        description="rows whose key stands in an earlier row, in either version: left aside"
    )
    columns: tuple[Column, ...] = Field(
        description="columns that only one has, whose type differs, or whose values changed"
    )
    rows: dict[str, tuple[int, ...]] = Field(description="numbers of the first rows that were added, removed, changed")
    before_hash: str = Field(description="content hash of the first version")
    after_hash: str = Field(description="content hash of the second version")

    @property
    def alike(self) -> bool:
        """Whether the two versions hold the same rows, in whatever order."""
        return not (self.added or self.removed or self.changed or self.columns or any(self.repeated))
