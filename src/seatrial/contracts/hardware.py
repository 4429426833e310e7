"""Hardware: devices of the catalogue, the work of a model's operators, what a machine was measured to reach, and a prediction."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from seatrial.contracts.record import Record

Kind = Literal["matmul", "convolution", "depthwise", "recurrent", "elementwise", "normalisation", "pooling", "movement", "lookup", "transfer", "free"]  # fmt: skip
"""What an operator does, as far as hardware cares. `transfer` carries inputs and outputs between host and device; `free` costs nothing."""
Limit = Literal["arithmetic", "data", "waiting", "link"]
"""What a model's time goes to: computing, moving data, starting operators, or carrying inputs and outputs between host and device."""


BATCHES = 8
"""How many times as many rows a call are tried on paper, as a change that might help."""


class Share(Record):
    """Which share of a promised figure programs reach: a range, and where it comes from."""

    low: float = Field(gt=0, le=1, description="what a modest program reaches")
    high: float = Field(gt=0, le=1, description="what the best program reaches")
    source: str = Field(description="where the range comes from")


class Accelerator(Record):
    """One device of the catalogue. Peaks are dense (without sparsity); a figure that isn't known is left out, not guessed."""

    name: str = Field(description="what it is called")
    vendor: str = Field(description="who makes it")
    kind: Literal["gpu", "tpu", "asic", "cpu", "soc", "edge"] = Field(description="what sort of device it is")
    year: int = Field(description="when it came out")
    peaks: dict[str, float] = Field(description="promised operations a second, by precision")
    memory_bytes: float | None = Field(default=None, description="its memory")
    bandwidth: float | None = Field(default=None, description="promised bytes a second from its memory")
    power_w: float | None = Field(default=None, description="its power limit in watts")
    own_source: bool = Field(description="whether the figures are from the vendor's own pages; else they are a lead")
    confidence: Literal["high", "medium", "low"] = Field(description="how far the row can be relied on")
    sources: tuple[str, ...] = Field(description="where the figures stand")
    note: str = Field(default="", description="conflicts, derivations, doubts")
    matrix: Share = Field(description="share of the peak that matrix products reach")
    vector: Share = Field(
        description="share of the peak outside matrix units that depthwise convolutions and simple steps reach"
    )
    memory: Share = Field(description="share of the bandwidth that programs reach")
    random: Share = Field(description="share of the bandwidth that looking up scattered rows reaches")


class Operator(Record):
    """The work of one operator at one batch size. A multiply-add is two operations; bytes are those that must move at least once."""

    name: str = Field(description="its name in the model, or its type and place")
    type: str = Field(description="the operator as the model's format calls it")
    kind: Kind = Field(description="what it does, as far as hardware cares")
    flops: float = Field(default=0.0, description="arithmetic operations")
    weights: float = Field(default=0.0, description="bytes of constants it reads")
    table: float = Field(default=0.0, description="bytes of the whole constant, where it only looks up some of it")
    reads: float = Field(default=0.0, description="bytes of other inputs it reads")
    writes: float = Field(default=0.0, description="bytes it writes")
    saved: float = Field(
        default=0.0, description="of those read and written, bytes that never reach memory because neighbours are fused"
    )
    fused: bool = Field(default=False, description="whether it runs as part of the operator before it")
    quantised: bool = Field(default=False, description="whether it computes in int8 because the file says so")

    @property
    def moved(self) -> float:
        """Bytes moved, without constants."""
        return max(0.0, self.reads + self.writes - self.saved)


class Work(Record):
    """The operators of a model for one batch. `uncounted` names what couldn't be counted, with the reason: the sums are too low by it."""

    model: str = Field(description="the file's name")
    batch: int = Field(description="rows in one call")
    width: int = Field(description="bytes of one floating-point number")
    operators: tuple[Operator, ...] = Field(description="in the order in which they run")
    uncounted: tuple[str, ...] = Field(default=(), description="operators that couldn't be counted, and why")
    stored: float = Field(default=0.0, description="bytes of all constants that are read, each once, tables as a whole")

    @property
    def needed(self) -> float:
        """Bytes that must lie in memory at once, at the least: constants, and what the largest operator reads and writes."""
        return self.stored + max((one.moved for one in self.operators if one.kind != "transfer"), default=0.0)

    @property
    def flops(self) -> float:
        """Operations in all."""
        return sum(one.flops for one in self.operators)

    @property
    def weights(self) -> float:
        """Bytes of constants in all, tables as a whole."""
        return sum(one.table or one.weights for one in self.operators)

    @property
    def bytes(self) -> float:
        """Bytes that must move, constants included."""
        return sum(one.weights + one.moved for one in self.operators)


class Level(Record):
    """Bandwidth with a working set of this many bytes: small ones stay in a cache."""

    size: float = Field(description="bytes that are used over and over")
    bandwidth: float = Field(description="bytes a second, read and written")


class Reach(Record):
    """What one runtime in one precision reaches on a machine: calibrated on models that were measured there."""

    runtime: str = Field(description="what runs the models")
    precision: str = Field(description="numbers it computes in")
    threads: int = Field(description="processor threads")
    peak: float = Field(description="operations a second of its best large matrix product")
    shares: dict[str, float] = Field(description="share of the peak by kind of operator")
    flow: dict[str, float] = Field(description="share of the bandwidth by kind of operator")
    start_s: dict[str, float] = Field(description="seconds to start an operator, by kind")
    call_s: float = Field(description="seconds to start a call")
    factor: float = Field(
        description="a prediction for a model that wasn't calibrated on was within this factor in nine of ten cases"
    )
    models: int = Field(description="how many models it was calibrated on")
    points: int = Field(description="how many measurements")
    load_1m: float = Field(default=0.0, description="load of the machine when calibration began")
    measured_at: str = Field(default="", description="when, UTC")
    off: dict[str, float] = Field(
        default={},
        description="by model and batch: logarithm of predicted over measured seconds, predicted by a fit that never saw that model",
    )


class Peak(Record):
    """The most operations a second that was measured on this machine."""

    precision: str = Field(description="numbers it computed in, as executed")
    threads: int = Field(description="processor threads")
    flops: float = Field(description="operations a second")
    runtime: str = Field(description="what ran it")
    device: str = Field(default="cpu", description="where")


class Measured(Record):
    """What was measured on a machine, with what it holds for."""

    machine: str = Field(description="the processor")
    key: str = Field(description="machine and library versions it holds for")
    measured_at: str = Field(description="when, UTC")
    seconds: float = Field(description="how long measuring took")
    peaks: tuple[Peak, ...] = Field(default=(), description="arithmetic by precision")
    levels: dict[int, tuple[Level, ...]] = Field(default={}, description="bandwidth by threads and working set")
    load_1m: float = Field(
        default=0.0, description="load of the machine when measuring began: beyond its cores figures are low"
    )
    failures: tuple[str, ...] = Field(default=(), description="what couldn't be measured, and why")


class Range(Record):
    """A predicted number and the range it is expected in."""

    value: float
    low: float
    high: float
    unit: str = "s"


class Spot(Record):
    """One operator in the prediction: where it stands under the roof, and how its time is spent."""

    name: str
    type: str
    kind: Kind
    intensity: float | None = Field(default=None, description="operations a byte; empty where no byte moves")
    rate: float = Field(description="predicted operations a second")
    seconds: float = Field(description="predicted seconds")
    limit: Limit = Field(description="what its time goes to")


class Remedy(Record):
    """Something that could be changed, and what the same model of time says it would bring."""

    change: str = Field(description="its name in the words for people")
    gain: float = Field(description="how many times as many rows a second")


class Suit(Record):
    """A kind of model and the most of a device's arithmetic that it could use, by operations a byte alone."""

    architecture: str
    intensity: float = Field(description="operations a byte at this batch")
    most: float = Field(description="share of the arithmetic that the bandwidth can feed")


class Forecast(Record):
    """A prediction for one model on one device. Its origin is always *predicted*: it passes no requirement."""

    device: str = Field(description="where it would run")
    runtime: str = Field(default="", description="what runs it, where the device is this machine")
    precision: str = Field(description="numbers it would compute in")
    batch: int = Field(description="rows in one call")
    latency: Range = Field(description="seconds a call")
    throughput: Range = Field(description="rows a second, one call after the other")
    shares: dict[Limit, float] = Field(description="what the time goes to")
    limit: Limit = Field(description="the largest of them")
    busy: float = Field(description="share of the device's promised arithmetic that would be used")
    balance: float = Field(description="operations a byte above which the device computes rather than waits for data")
    intensity: float = Field(description="operations a byte of this model")
    computing: float = Field(description="share of the time in which arithmetic units work")
    moving: float = Field(description="share of the time in which memory works")
    needs: float = Field(default=0.0, description="bytes of memory that it needs at the least")
    memory: float | None = Field(default=None, description="the device's memory in bytes; empty if unknown")
    fits: bool | None = Field(default=None, description="whether it fits the device's memory; empty if unknown")
    roof: float = Field(description="operations a second at most")
    bandwidth: float = Field(description="bytes a second at most")
    cached: float | None = Field(default=None, description="bytes a second from a cache, where that was measured")
    spots: tuple[Spot, ...] = Field(description="the operators")
    remedies: tuple[Remedy, ...] = Field(default=(), description="what was tried on paper, best first")
    suits: tuple[Suit, ...] = Field(default=(), description="kinds of model, best fed first")
    basis: str = Field(description="what the prediction rests on")
    doubts: tuple[str, ...] = Field(default=(), description="what makes it less certain")
