"""Secure evaluation: what three parties agree on beforehand, and what came of it. Nothing here is secret."""

from __future__ import annotations

import hashlib
import json
from typing import Literal

from pydantic import Field

from seatrial.contracts.record import Record

Role = Literal["model", "data", "helper"]
ROLES: tuple[Role, ...] = ("model", "data", "helper")
"""In the order of the parties' numbers, 0 to 2. The later one of two waits for the earlier one to connect."""
CALLED: dict[str, str] = {"model": "the model's owner", "data": "the data's owner", "helper": "the helper"}
Counts = Literal["correct", "correct_per_class", "confusion"]
TRUST = (
    "Three parties, of whom at most one may be corrupt, and each follows the protocol (honest majority, semi-honest): two who put "
    "together what they hold can read both model and rows. So the helper is run by somebody who has no stake in either and whom neither owner "
    "controls (an auditor, a notary, a regulator), on a machine and an account of their own. A party that doesn't follow the protocol can make counts wrong."
)
"""Said wherever the result is."""


class Layer(Record):
    """One step of the network. Shapes are those of one row; `bits` bound its values, as the model's owner worked out."""

    kind: Literal["linear", "convolution", "relu", "max_pool", "average_pool"] = Field(description="what it does")
    inputs: tuple[int, ...] = Field(description="shape of what goes in, a row")
    outputs: tuple[int, ...] = Field(description="shape of what comes out, a row")
    weights: tuple[int, ...] = Field(default=(), description="shape of its weights: inputs x outputs of one window")
    window: tuple[int, int] = Field(default=(1, 1), description="height and width that are looked at together")
    stride: tuple[int, int] = Field(default=(1, 1), description="steps between windows")
    pads: tuple[int, int, int, int] = Field(default=(0, 0, 0, 0), description="zeros around: top, left, bottom, right")
    bits: int = Field(ge=2, le=47, description="its fixed-point values lie within ± 2^(bits - 1)")
    wide: int = Field(ge=2, le=47, description="the same before it cuts the product's fraction off")


class Card(Record):
    """Who a party is: its role, what it is called, the certificate that it shows, and where it is reached."""

    role: Role = Field(description="`model`, `data` or `helper`")
    name: str = Field(min_length=1, max_length=200, description="who runs it, as declared")
    certificate: str = Field(max_length=20_000, description="its certificate (PEM)")
    host: str = Field(default="", max_length=255, description="where it listens; the model's owner only connects")
    port: int = Field(default=0, ge=0, le=65535, description="the port that it listens on")


class Terms(Record):
    """What all three start with. Two files with one character of difference have two hashes, and nothing is computed."""

    schema_: Literal[1] = Field(default=1, alias="schema", description="version of these terms")
    parties: tuple[Card, Card, Card] = Field(description="the model's owner, the data's owner, the helper")
    rows: int = Field(ge=1, le=10_000_000, description="how many rows the data's owner brings")
    inputs: tuple[int, ...] = Field(description="shape of a row")
    low: float = Field(description="least value of an input")
    high: float = Field(description="largest value of an input")
    classes: tuple[str, ...] = Field(
        min_length=2, description="names of the classes, in the order of the model's outputs"
    )
    counts: Counts = Field(description="what is opened to the two owners, and nothing else but `uncertain`")
    layers: tuple[Layer, ...] = Field(min_length=1, description="the network: kinds and shapes, without its weights")
    fraction: int = Field(ge=4, le=20, description="binary digits behind the point")
    security: int = Field(
        default=40,
        ge=30,
        le=40,
        description="bits of statistical security of masks (MPyC's `-K`); the field has room for 40",
    )
    error: float = Field(
        ge=0, description="how far a score may be from the plain model's, as the model's owner worked out"
    )
    batch: int = Field(default=250, ge=1, description="rows that are computed together")
    patience: float = Field(default=60.0, gt=0, description="seconds of silence after which a party is given up")
    longest: float = Field(default=3600.0, gt=0, description="seconds after which the whole evaluation is given up")

    def card(self, role: str) -> Card:
        """The party of this role."""
        return self.parties[ROLES.index(role)]

    @property
    def hash(self) -> str:
        """SHA-256 of the terms in canonical JSON (hex): what all three compare before they begin."""
        text = json.dumps(self.model_dump(mode="json"), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        return hashlib.sha256(text.encode()).hexdigest()

    @property
    def margin(self) -> int:
        """Fixed-point distance within which a best and a second score may stand the other way round in the plain model."""
        return 2 * int(-(-self.error * 2**self.fraction // 1)) + 1


class Opened(Record):
    """What one party knows afterwards: the agreed counts (the helper: none), what it cost, and what was opened on the way."""

    role: Role = Field(description="whose this is")
    terms: str = Field(description="hash of the terms")
    counts: tuple[tuple[int, ...], ...] = Field(default=(), description="the agreed counts: predicted class x label")
    uncertain: int | None = Field(default=None, description="rows whose margin is within what fixed point may change")
    seconds: float = Field(description="from the first connection to the last count")
    waited: float = Field(default=0.0, description="seconds before all three were there")
    sent: int = Field(description="bytes sent, without TLS's own")
    received: int = Field(description="bytes received, without TLS's own")
    messages: int = Field(description="messages sent")
    rounds: int = Field(description="longest chain of messages, each sent after the one before it had come")
    masked: dict[str, int] = Field(
        default={}, description="values opened behind one-time masks, by the step that needs them"
    )
    agreed: tuple[str, ...] = Field(default=(), description="what was opened without a mask, by name")
