"""What came of auditing data alone, without a study: all that a report of it may read."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from seatrial.contracts.finding import Finding
from seatrial.contracts.record import Record


class Audited(Record):
    """The tables, and everything that was found in them."""

    schema_: int = Field(default=1, alias="schema", description="version of this record")
    name: str = Field(description="what reports call it")
    tables: dict[str, dict[str, Any]] = Field(description="the tables by name: source, role, rows, columns, label")
    findings: tuple[Finding, ...] = Field(description="everything that was found")
    started: str = Field(description="UTC")
    seconds: float = Field(description="how long it took")
    measured: int = Field(default=0, description="results that were looked for")
    reused: int = Field(default=0, description="results that were kept from an earlier audit of the same rows")
    seatrial: str = Field(default="", description="version of seatrial")
