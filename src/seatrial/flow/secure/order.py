"""What one party's process is told to do."""

from __future__ import annotations

from pydantic import Field

from seatrial.contracts.parties import Role, Terms
from seatrial.contracts.record import Record


class Order(Record):
    """What this process shall do: its role, and what it brings."""

    role: Role = Field(description="whose part it plays")
    terms: Terms = Field(description="what was agreed on")
    keys: str = Field(description="folder of the key and certificate")
    brings: str = Field(default="", description="the model's file, or the file of rows and labels")
    inputs: tuple[str, ...] = Field(default=("x",), description="columns of the model's inputs")
    label: str = Field(default="y", description="column of the right class")
    listen: str = Field(default="", description="address to listen at, if not that of the terms")
    wait: float = Field(default=300.0, description="seconds to wait for the others at the start")
