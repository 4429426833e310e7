"""A candidate: one way to run one model."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from seatrial.contracts.record import Record, Scalar

NVIDIA = ("cuda", "tensorrt")
"""What devices are called that are NVIDIA GPUs; `cuda:1` is the second of them."""


def _reference(given: Any) -> Any:
    """`name` or `{name: {options}}` as people write it, into a PartRef's fields."""
    if isinstance(given, str):
        return {"name": given}
    if isinstance(given, dict) and len(given) == 1 and "name" not in given:
        (name, options), *_ = given.items()
        return {"name": name, "options": options or {}}
    return given


class PartRef(Record):
    """A part named in a study file, with its options: `torch` or `{torch: {compiled: true}}`."""

    name: str = Field(description="the part's name")
    options: dict[str, Any] = Field(default={}, description="its options")

    @property
    def links(self) -> tuple[PartRef, ...]:
        """The parts of a chain, in order: `{one+other: {other: {...}}}` names two, each with the options under its name."""
        names = self.name.split("+")
        if len(names) == 1:
            return (self,)
        return tuple(PartRef(name=name, options=self.options.get(name) or {}) for name in names)

    def __str__(self) -> str:
        if "+" in self.name:
            return "+".join(map(str, self.links))
        if not self.options:
            return self.name
        return f"{self.name}({', '.join(f'{key}={_brief(value)}' for key, value in sorted(self.options.items()))})"


def _brief(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


Ref = Annotated[PartRef, BeforeValidator(_reference)]


class Candidate(Record):
    """One way to run one model: variant x runtime x device x precision x threads x batch (x machine, instances).

    `batch` is the number of rows in one call where the load batches (offline); `single_stream` sends one row a call.
    """

    model: str = Field(description="the model's name in the study")
    variant: Ref = Field(default=PartRef(name="as_is"), description="what was done to it")
    runtime: Ref = Field(description="what runs it")
    device: str = Field(default="cpu", description="where it runs")
    precision: str = Field(default="fp32", description="numbers it computes in")
    threads: int = Field(default=1, ge=1, description="processor threads")
    batch: int = Field(default=1, ge=1, description="rows in one call, where the load batches")
    machine: str = Field(default="local", description="which machine")
    instances: int = Field(default=1, ge=1, description="copies side by side")

    @property
    def processors(self) -> int:
        """How many processors it wants: those of all its instances."""
        return self.threads * self.instances

    @property
    def id(self) -> str:
        """Readable and unique in a study: `cnn/as_is/onnxruntime/cpu/fp32/t1/b32`."""
        tail = "" if self.machine == "local" else f"/{self.machine}"
        tail += "" if self.instances == 1 else f"/i{self.instances}"
        return f"{self.model}/{self.variant}/{self.runtime}/{self.device}/{self.precision}/t{self.threads}/b{self.batch}{tail}"

    def fields(self) -> dict[str, Scalar]:
        """The candidate's coordinates as scalars, in the order in which people name them."""
        return {
            "model": self.model,
            "variant": str(self.variant),
            "runtime": str(self.runtime),
            "device": self.device,
            "precision": self.precision,
            "threads": self.threads,
            "batch": self.batch,
            "machine": self.machine,
            "instances": self.instances,
        }


def labels(candidates: list[Candidate]) -> dict[str, str]:
    """Short names for people by id: variant, runtime and precision always, the rest only where candidates differ."""
    rows = {candidate.id: candidate.fields() for candidate in candidates}
    differing = {key for key in Candidate.model_fields if len({str(row[key]) for row in rows.values()}) > 1}
    return {id_: _label(row, differing) for id_, row in rows.items()}


def _label(row: dict[str, Scalar], differing: set[str]) -> str:
    marks = {"threads": "t{}", "batch": "b{}", "instances": "x{}"}
    words = [str(row["runtime"]), str(row["precision"])]
    if row["variant"] != "as_is":
        words.insert(1, str(row["variant"]))
    if "model" in differing:
        words.insert(0, str(row["model"]))
    words += [
        marks.get(key, "{}").format(row[key])
        for key in ("device", "threads", "batch", "machine", "instances")
        if key in differing
    ]
    return " ".join(words)
